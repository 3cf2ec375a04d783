// The sequential test that decides whether losses are a link's own: how often it errs, and that it can change its mind.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LossEvidence } from "../../src/transport/loss-evidence.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

/** @returns after how many losses it is enough, of which this share is told to be the link's own; `most` where it never is. */
function lossesUntilEnough(ownShare: number, tellableShare: number, most: number, seed: number): number {
  const evidence = new LossEvidence();
  const random = new SeededRandom(seed);
  for (let n = 1; n < most; n++) {
    evidence.weigh(random.chance(ownShare), tellableShare);
    if (evidence.isEnough) return n;
  }
  return most;
}

const seeds = Array.from({ length: 50 }, (_, seed) => seed);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test("where losses strike whatever waits or does not, some are enough: three at the least, twenty in the mean where few can be told", () => {
  for (const [tellableShare, meanMax] of [
    [1, 3.5],
    [0.75, 6],
    [0.5, 10],
    [0.3, 22],
  ] as const) {
    const counts = seeds.map((seed) => lossesUntilEnough(tellableShare, tellableShare, 10_000, seed));
    assert.ok(Math.min(...counts) >= 3 && mean(counts) <= meanMax, `${tellableShare}: ${mean(counts).toFixed(1)}`);
  }
});

test("where a queue drops packets hundreds are not: a tenth of them alone passes for the link's own", () => {
  for (const tellableShare of [0.3, 0.5, 0.75]) {
    const counts = seeds.map((seed) => lossesUntilEnough(tellableShare / 10, tellableShare, 2_000, seed));
    assert.ok(mean(counts) >= 500, `${tellableShare}: ${mean(counts).toFixed(0)} losses in the mean`);
  }
});

test("what has been plain for long is forgotten as soon as what was plain for a moment", () => {
  const evidence = new LossEvidence();
  for (let i = 0; i < 10_000; i++) evidence.weigh(true, 0.5);
  let losses = 0;
  for (; !evidence.isNone; losses++) evidence.weigh(false, 0.5);
  assert.ok(losses <= 8, `${losses} losses`);
});

test("a loss that was none is taken back, once", () => {
  const evidence = new LossEvidence();
  for (let i = 0; i < 2; i++) evidence.weigh(true, 0.5);
  evidence.takeBack();
  assert.ok(!evidence.isNone);
  evidence.takeBack();
  assert.ok(!evidence.isNone, "the loss before it was one");
  evidence.weigh(false, 0.5);
  evidence.takeBack();
  evidence.weigh(true, 0.5);
  assert.ok(!evidence.isEnough);
});
