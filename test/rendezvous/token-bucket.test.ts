// Rates and bursts.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TokenBucket } from "../../src/rendezvous/token-bucket.ts";

test("a bucket starts full and refuses what is beyond its burst", () => {
  const bucket = new TokenBucket(10, 3);
  assert.equal(bucket.take(1_000, 3), true);
  assert.equal(bucket.take(1_000, 1), false);
});

test("tokens come at the rate, and a refusal costs nothing", () => {
  const bucket = new TokenBucket(10, 3);
  bucket.take(0, 3);
  assert.equal(bucket.take(99, 1), false);
  assert.equal(bucket.take(100, 1), true);
  assert.equal(bucket.take(199, 1), false);
  assert.equal(bucket.take(200, 1), true);
});

test("a long pause fills a bucket to its burst and no further", () => {
  const bucket = new TokenBucket(10, 3);
  bucket.take(0, 3);
  assert.equal(bucket.take(1_000_000, 4), false);
  assert.equal(bucket.take(1_000_000, 3), true);
  assert.equal(bucket.take(1_000_000, 0.1), false);
});

test("whoever waits until readyAtMs is served, at any rate", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.5, max: 1e9, noNaN: true }),
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.array(fc.integer({ min: 1, max: 1_000_000 }), { maxLength: 20 }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      (rate, burst, costs, startMs) => {
        const bucket = new TokenBucket(rate, burst);
        let nowMs = startMs;
        for (const cost of costs.map((c) => Math.min(c, burst))) {
          nowMs = Math.max(nowMs, bucket.readyAtMs(nowMs, cost));
          assert.equal(bucket.take(nowMs, cost), true);
        }
      },
    ),
  );
});

test("the long-run rate is never exceeded", () => {
  const bucket = new TokenBucket(100, 5);
  let taken = 0;
  for (let nowMs = 0; nowMs <= 10_000; nowMs += 1) if (bucket.take(nowMs, 1)) taken++;
  assert.ok(taken >= 1_000 && taken <= 1_006, `${taken}`);
});

test("what is given back may be taken again, and never fills it beyond its size", () => {
  const bucket = new TokenBucket(1, 10);
  assert.equal(bucket.take(0, 10), true);
  bucket.give(4);
  assert.deepEqual([bucket.take(0, 5), bucket.take(0, 4)], [false, true]);
  bucket.give(100);
  assert.deepEqual([bucket.take(0, 11), bucket.take(0, 10)], [false, true]);
});
