// How soon two sides are direct, from first contact on, in figures that are the same on every machine.

import assert from "node:assert/strict";
import { forSeeds } from "../sim/for-seeds.ts";
import { type MeasuredKind, meet, quantile } from "./meeting.ts";

const easy = ["none", "fullCone", "addressRestricted", "portRestricted", "linux", "cgn", "badRouter"] as const;

/** Each seed takes another pair of the easy kinds. */
const pairOf = (seed: number): readonly [MeasuredKind, MeasuredKind] => [
  easy[seed % easy.length] as MeasuredKind,
  easy[Math.floor(seed / easy.length) % easy.length] as MeasuredKind,
];

const far: number[] = [];
forSeeds(
  100,
  "with 50 ms to the rendezvous from each side two easy sides are direct within three round trips",
  (scenario) => {
    const [a, b] = pairOf(scenario.seed);
    // One way from side to side are 100 ms, and so a round trip of the relay is 200 ms.
    far.push(meet(scenario, { a, b, delayMs: 100, link: { jitterMs: 1 } }, 30_000).directMs);
    if (scenario.seed === 100) assert.ok(quantile(far, 0.95) <= 3 * 204, `p95 ${quantile(far, 0.95)} ms`);
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

for (const [a, b] of [
  ["portRestricted", "symmetric"],
  ["symmetric", "linux"],
] as const) {
  const times: number[] = [];
  forSeeds(
    60,
    `${a} and ${b}: half of the time within 3 s, nearly always within 12 s, and within bounds`,
    (scenario) => {
      const { directMs, flows, newPerSecond } = meet(scenario, { a, b, delayMs: 20 }, 120_000);
      assert.ok(Math.max(...flows) <= 1_000, `${flows} flows`);
      assert.ok(Math.max(...newPerSecond) <= 300, `${newPerSecond} new flows a second`);
      times.push(directMs);
      if (scenario.seed !== 60) return;
      assert.ok(quantile(times, 0.5) <= 3_000, `p50 ${quantile(times, 0.5)} ms`);
      assert.ok(quantile(times, 0.95) <= 12_000, `p95 ${quantile(times, 0.95)} ms`);
    },
  );
}
