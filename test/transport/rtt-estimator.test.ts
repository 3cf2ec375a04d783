// Round-trip times, with the sums of RFC 9002 §5.3 done by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { INITIAL_RTT_MS } from "../../src/base/limits.ts";
import { RttEstimator } from "../../src/transport/rtt-estimator.ts";

const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual}, expected ${expected}`);

test("before any sample the RFC's initial values hold", () => {
  const rtt = new RttEstimator();
  assert.equal(rtt.hasSample, false);
  assert.equal(rtt.smoothedMs, INITIAL_RTT_MS);
  // 333 + 4 × 166.5 + 25
  near(rtt.ptoMs(25), 1024);
});

test("the first sample counts whole, whatever delay the peer claims", () => {
  const rtt = new RttEstimator();
  rtt.sample(100, 40);
  assert.equal(rtt.smoothedMs, 100);
  assert.equal(rtt.variationMs, 50);
  assert.equal(rtt.minMs, 100);
  near(rtt.ptoMs(25), 100 + 200 + 25);
});

test("later samples move the average by an eighth and the variation by a quarter", () => {
  const rtt = new RttEstimator();
  rtt.sample(100, 0);
  rtt.sample(140, 20);
  // adjusted = 140 − 20 = 120; variation = 3/4 · 50 + 1/4 · |100 − 120| = 42.5; smoothed = 7/8 · 100 + 1/8 · 120 = 102.5
  near(rtt.variationMs, 42.5);
  near(rtt.smoothedMs, 102.5);
  assert.equal(rtt.latestMs, 140);
});

test("a claimed delay that would push the sample below the minimum is not believed", () => {
  const rtt = new RttEstimator();
  rtt.sample(100, 0);
  rtt.sample(104, 20);
  // 104 − 20 < 100, so 104 counts: smoothed = 87.5 + 13
  near(rtt.smoothedMs, 100.5);
  assert.equal(rtt.minMs, 100);
});

test("a path without any variation keeps a probe timeout above its round trip", () => {
  const rtt = new RttEstimator();
  for (let i = 0; i < 200; i++) rtt.sample(10, 0);
  near(rtt.ptoMs(0), 11);
});

test("estimates stay between the smallest and the largest sample, and the minimum is the smallest", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 60 }),
      (samples) => {
        const rtt = new RttEstimator();
        for (const sample of samples) rtt.sample(sample, 25);
        const all = samples.map((sample) => Math.max(sample, 0.001));
        assert.equal(rtt.minMs, Math.min(...all));
        assert.ok(rtt.smoothedMs >= rtt.minMs - 1e-9 && rtt.smoothedMs <= Math.max(...all) + 1e-9);
        assert.ok(rtt.ptoMs(25) > rtt.smoothedMs);
      },
    ),
  );
});

test("a path that leads elsewhere begins anew", () => {
  const rtt = new RttEstimator();
  rtt.sample(5, 0);
  rtt.reset();
  assert.equal(rtt.hasSample, false);
  rtt.sample(300, 0);
  assert.equal(rtt.minMs, 300);
});
