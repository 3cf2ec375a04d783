// Link conditions drawn at random, for scenarios that say nothing of the network but how bad it may be. Each draw
// is bad in a few ways, not in all: what fails is then easier to read.

import type { LinkSettings } from "./link.ts";
import type { SeededRandom } from "./seeded-random.ts";

type Trouble = (random: SeededRandom) => Partial<LinkSettings>;

const TROUBLES: readonly Trouble[] = [
  (random) => ({ lossProbability: random.between(0.001, 0.1) }),
  (random) => ({
    burstLoss: {
      enterProbability: random.between(0.001, 0.01),
      leaveProbability: random.between(0.05, 0.5),
      lossProbability: random.between(0.5, 1),
    },
  }),
  (random) => ({ jitterMs: random.between(1, 30) }),
  (random) => ({ reorderProbability: random.between(0.01, 0.2), reorderMs: random.between(1, 40) }),
  (random) => ({ duplicateProbability: random.between(0.01, 0.1) }),
  (random) => ({ mtuBytes: random.pick([1280, 1360, 1420, 1492, 1500]) }),
  (random) => ({ delayMs: random.between(50, 300) }),
];

/** A link that works well: some rate, some delay, and a queue of 20 to 200 ms. */
export function fairLink(random: SeededRandom): Partial<LinkSettings> {
  const rateMbps = random.pick([2, 10, 50, 200, 1000]);
  const queueMs = random.between(20, 200);
  return {
    rateMbps,
    delayMs: random.between(0.1, 50),
    queueBytes: Math.max(64_000, Math.round(rateMbps * 125 * queueMs)),
    mtuBytes: 1500,
  };
}

/** A link with up to `troublesMax` kinds of trouble; every packet of 1280 bytes has its chance. */
export function roughLink(random: SeededRandom, troublesMax = 3): Partial<LinkSettings> {
  let link = fairLink(random);
  const troubles = random.integer(0, troublesMax);
  for (let i = 0; i < troubles; i++) link = { ...link, ...random.pick(TROUBLES)(random) };
  return link;
}
