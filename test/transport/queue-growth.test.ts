// What part a flow had in the growth of a queue, and what its part of the link is by that.

import assert from "node:assert/strict";
import { test } from "node:test";
import { QUEUE_GROWTH_SHARE_MAX, QUEUE_GROWTH_SHARE_MIN } from "../../src/base/limits.ts";
import { QueueGrowth } from "../../src/transport/queue-growth.ts";

/** A link of 1,000 bytes a millisecond, and 50 ms without a queue. */
const LINK_BYTES_PER_MS = 1_000;
const BASE_MS = 50;

/** Windows that begin at these sizes together, and each grow by so much. @returns what each is told. */
function shares(starts: readonly number[], growthBytes: number): number[] {
  const startMs = Math.max(BASE_MS, starts.reduce((sum, bytes) => sum + bytes, 0) / LINK_BYTES_PER_MS);
  const total = starts.reduce((sum, bytes) => sum + bytes + growthBytes, 0);
  return starts.map((bytes) => {
    const growth = new QueueGrowth();
    growth.begin(0, bytes);
    // What was sent before the start, in the first round trip, and in the second.
    for (const [atMs, rttMs] of [
      [10, 40],
      [startMs + 1, 20],
      [2 * startMs + 3, startMs],
      [3 * startMs + 5, startMs - 10],
    ] as const) {
      growth.onAck(atMs, atMs - startMs, rttMs);
    }
    const windowBytes = bytes + growthBytes;
    return growth.shareOf(windowBytes, (LINK_BYTES_PER_MS * windowBytes) / total);
  });
}

const near = (actual: number | undefined, expected: number): void =>
  assert.ok(Math.abs((actual as number) - expected) < 1e-6, `${actual} instead of ${expected}`);

test("one that is alone has its part in the rate, whether the queue began empty or not", () => {
  near(shares([50_000], 50_000)[0], 1);
  near(shares([65_000], 20_000)[0], 1);
});

test("of two that grew side by side each is told what makes its part of the rate half of the link's", () => {
  for (const [first, second, growthBytes] of [
    [28_000, 24_000, 25_000],
    [35_000, 30_000, 20_000],
  ] as const) {
    const told = shares([first, second], growthBytes);
    const total = first + second + 2 * growthBytes;
    near((told[0] as number) * ((first + growthBytes) / total), 0.5);
    near((told[1] as number) * ((second + growthBytes) / total), 0.5);
  }
});

test("no more is given up than by fast convergence, nor taken", () => {
  const [large, small] = shares([45_000, 7_000], 25_000);
  assert.equal(large, QUEUE_GROWTH_SHARE_MIN);
  assert.equal(small, QUEUE_GROWTH_SHARE_MAX);
});

test("nothing is said where the start is not known, or its second round trip has not been seen", () => {
  const growth = new QueueGrowth();
  growth.onAck(60, 10, 50);
  assert.equal(growth.shareOf(100_000, 1_000), 1);
  growth.begin(100, 20_000);
  growth.onAck(151, 101, 50);
  assert.equal(growth.shareOf(100_000, 1_000), 1);
  growth.onAck(202, 152, 50);
  assert.notEqual(growth.shareOf(100_000, 1_000), 1);
  assert.equal(growth.shareOf(40_000, 1_000), 1, "less than the rate would have had in flight");
  growth.forget();
  growth.onAck(400, 350, 50);
  assert.equal(growth.shareOf(100_000, 1_000), 1);
});
