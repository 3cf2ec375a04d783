// How soon two sides are direct, from first contact on, in figures that are the same on every machine.

import assert from "node:assert/strict";
import type { NatBehaviour } from "../../src/wire/candidate.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import { BEHAVIOURS, type MeasuredKind, meet, quantile } from "./meeting.ts";

const easy = ["none", "fullCone", "addressRestricted", "portRestricted", "linux", "cgn", "badRouter"] as const;

/** Each seed takes another pair of the easy kinds. */
const pairOf = (seed: number): readonly [MeasuredKind, MeasuredKind] => [
  easy[seed % easy.length] as MeasuredKind,
  easy[Math.floor(seed / easy.length) % easy.length] as MeasuredKind,
];

const far: number[] = [];
forSeeds(
  100,
  "with 50 ms to the rendezvous from each side two easy sides are direct within two round trips",
  (scenario) => {
    const [a, b] = pairOf(scenario.seed);
    // One way from side to side are 100 ms, and so a round trip of the relay is 200 ms.
    far.push(meet(scenario, { a, b, delayMs: 100, link: { jitterMs: 1 } }, 30_000).directMs);
    if (scenario.seed !== 100) return;
    // Without the candidates in the handshake's response it would be one more.
    assert.ok(quantile(far, 0.5) <= 1.6 * 204, `p50 ${quantile(far, 0.5)} ms`);
    assert.ok(quantile(far, 0.95) <= 2.1 * 204, `p95 ${quantile(far, 0.95)} ms`);
  },
);

const near: number[] = [];
forSeeds(100, "with no delay but 0.2 ms two easy sides are direct at once", (scenario) => {
  const [a, b] = pairOf(scenario.seed);
  near.push(meet(scenario, { a, b, delayMs: 0.2, link: { jitterMs: 0.05 } }, 30_000).directMs);
  if (scenario.seed !== 100) return;
  assert.ok(quantile(near, 0.5) <= 60, `p50 ${quantile(near, 0.5)} ms`);
  assert.ok(quantile(near, 0.95) <= 500, `p95 ${quantile(near, 0.95)} ms`);
});

/** Nobody knows whether the easy side's router takes unsolicited packets in: its rendezvous has no alternate. */
const unmeasured = (kind: MeasuredKind): NatBehaviour => {
  const { takesUnsolicited: _, ...nat }: NatBehaviour = BEHAVIOURS[kind];
  return nat;
};

/** How the easy side's router is known, and the share of runs that may miss: by design two in a thousand, or three in a hundred. */
const birthdays = [
  ["portRestricted", "symmetric", "known", 0.02],
  ["symmetric", "linux", "known", 0.02],
  ["cgn", "cgnSymmetric", "known", 0.02],
  ["linux", "badSymmetric", "known", 0.05],
  ["portRestricted", "symmetric", "unmeasured", 0.06],
  ["badRouter", "symmetric", "known", 0.06],
  ["cgnSymmetric", "badRouter", "known", 0.06],
] as const satisfies readonly (readonly [MeasuredKind, MeasuredKind, string, number])[];

for (const [a, b, how, missesMax] of birthdays) {
  const times: number[] = [];
  forSeeds(
    60,
    `${a} and ${b}, ${how}: half of the time within 3 s, nearly always within 12 s, and within each router's bounds`,
    (scenario) => {
      const nats = how === "known" ? {} : { natA: unmeasured(a), natB: unmeasured(b) };
      const { directMs, flows, newPerSecond } = meet(scenario, { a, b, delayMs: 20, ...nats }, 12_000);
      assert.ok(Math.max(...flows) <= 1_000, `${flows} flows`);
      assert.ok(Math.max(...newPerSecond) <= 300, `${newPerSecond} new flows a second`);
      times.push(directMs);
      if (scenario.seed !== 60) return;
      assert.ok(quantile(times, 0.5) <= 3_000, `p50 ${quantile(times, 0.5)} ms`);
      assert.ok(quantile(times, 1 - missesMax) <= 12_000, `${quantile(times, 1 - missesMax)} ms`);
    },
  );
}

/** Both routers give random ports and count what comes in, so that nothing of a spray ever meets: it runs to its end. */
const vain = [
  ["symmetric", { ...BEHAVIOURS.portRestricted }],
  ["badSymmetric", unmeasured("portRestricted")],
  ["badSymmetric", BEHAVIOURS.badRouter],
  ["badSymmetric", { ...BEHAVIOURS.badRouter, portStride: 1 }],
] as const satisfies readonly (readonly [MeasuredKind, NatBehaviour])[];

for (const [i, [a, natA]] of vain.entries()) {
  for (const natB of [BEHAVIOURS.symmetric, BEHAVIOURS.symmetricSequential]) {
    forSeeds(
      2,
      `a spray that meets nobody stays within each router's bounds, ${i} ${natB.portStride ?? ""}`,
      (scenario) => {
        for (const hops of [6, 1, 0]) {
          // A way shorter than five routers lets packets arrive that are to die on it: at a hard router that is a bad one as well.
          const b = natA.takesUnsolicited === false && hops < 5 ? "symmetric" : "badSymmetric";
          const { directMs, flows, newPerSecond } = meet(scenario, { a, b, natA, natB, hops }, 25_000);
          assert.equal(directMs, Number.POSITIVE_INFINITY);
          assert.ok(Math.max(...flows) <= 1_000 && Math.max(...flows) > 700, `${flows} flows`);
          assert.ok(Math.max(...newPerSecond) <= 302, `${newPerSecond} new flows a second`);
        }
      },
    );
  }
}
