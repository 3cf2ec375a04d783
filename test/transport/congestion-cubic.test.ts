// CUBIC, against numbers worked out by hand from the formulas of RFC 9438: β = 0.7, C = 0.4, windows in packets.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WINDOW_BYTES_MAX } from "../../src/base/limits.ts";
import { CongestionCubic } from "../../src/transport/congestion-cubic.ts";
import { RttEstimator } from "../../src/transport/rtt-estimator.ts";

const MSS = 1200;

function rttOf(ms: number): RttEstimator {
  const rtt = new RttEstimator();
  rtt.sample(ms, 0);
  return rtt;
}

const packets = (cubic: CongestionCubic): number => cubic.windowBytes / MSS;

function near(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, expected ${expected}`);
}

/** A controller in slow start with a window of `count` packets. */
function grownTo(count: number): CongestionCubic {
  const cubic = new CongestionCubic(MSS);
  cubic.onAck(0, (count - 10) * MSS, 0, rttOf(100), false);
  assert.equal(packets(cubic), count);
  return cubic;
}

/** Acknowledges a whole window every round trip, packet by packet, spread over the round trip. @returns the time behind it. */
function run(cubic: CongestionCubic, startMs: number, rttMs: number, rounds: number): number {
  const rtt = rttOf(rttMs);
  let nowMs = startMs;
  for (let round = 0; round < rounds; round++) {
    const count = Math.floor(packets(cubic));
    for (let i = 1; i <= count; i++) cubic.onAck(nowMs + (rttMs * i) / count, MSS, nowMs, rtt, false);
    nowMs += rttMs;
  }
  return nowMs;
}

test("slow start adds what was acknowledged", () => {
  const cubic = new CongestionCubic(MSS);
  assert.equal(packets(cubic), 10);
  cubic.onAck(100, 10 * MSS, 1, rttOf(100), false);
  assert.equal(packets(cubic), 20);
});

test("a flow that had less to send than it may does not grow its window", () => {
  const cubic = new CongestionCubic(MSS);
  cubic.onAck(100, 10 * MSS, 1, rttOf(100), true);
  assert.equal(packets(cubic), 10);
});

test("a loss cuts the window to 0.7 of it, once a round trip", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 950, false);
  near(packets(cubic), 70, 1e-9, "after the loss");
  cubic.onLoss(1010, MSS, 960, false);
  cubic.onLoss(1050, 20 * MSS, 1000, false);
  near(packets(cubic), 70, 1e-9, "packets sent before the cut belong to the same event");
  cubic.onAck(1100, 10 * MSS, 1000, rttOf(100), false);
  near(packets(cubic), 70, 1e-9, "acknowledgements of the time before the cut do not grow it");
  cubic.onLoss(1200, MSS, 1001, false);
  near(packets(cubic), 49, 1e-9, "a later packet is another event");
});

test("the first acknowledgement after a loss moves the window towards the cubic one round trip ahead", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 950, false);
  cubic.onAck(1200, MSS, 1100, rttOf(100), false);
  // K = ∛(30 / 0.4) = 4.21716 s; W(0.1 s) = 0.4 · (0.1 − 4.21716)³ + 100 = 72.084; one of 70 packets takes 1/70 of the way.
  near(packets(cubic), 70 + 2.084 / 70, 1e-4, "window");
});

test("the window is back at its maximum after K seconds, flat there, and beyond it later", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 950, false);
  let nowMs = run(cubic, 1200, 200, 11);
  // Half way, at 2.2 s: 0.4 · (2.2 − 4.217)³ + 100 = 96.7
  near(packets(cubic), 96.7, 0.7, "at 2.2 s");
  nowMs = run(cubic, nowMs, 200, 10);
  near(packets(cubic), 100, 0.5, "at K");
  nowMs = run(cubic, nowMs, 200, 10);
  // 0.4 · 2³ + 100 at K + 2 s
  near(packets(cubic), 103.2, 0.8, "two seconds later");
  run(cubic, nowMs, 200, 10);
  near(packets(cubic), 125.6, 4, "four seconds after K");
});

test("a flow that did not reach its last maximum gives up a part of it", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 950, false);
  cubic.onLoss(2000, MSS, 1950, false);
  // Fast convergence: W_max = 70 · (1 + 0.7) / 2 = 59.5, window 49; K = ∛(10.5 / 0.4) = 2.972 s
  near(packets(cubic), 49, 1e-9, "window");
  run(cubic, 2300, 300, 10);
  near(packets(cubic), 59.5, 0.6, "at K");
});

test("on a short round trip the window grows no slower than Reno's", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 999, false);
  // α = 3 · 0.3 / 1.7 = 0.5294 packets a round trip; in 40 ms the cubic has hardly moved.
  const nowMs = run(cubic, 1001, 1, 40);
  near(packets(cubic), 70 + 0.5294 * 40, 0.5, "after 40 round trips");
  // At the old maximum α becomes 1: 56.7 round trips to 100, the remaining 43.3 a packet each.
  run(cubic, nowMs, 1, 60);
  near(packets(cubic), 100 + 43.3, 1.5, "after 100 round trips");
});

test("with fast convergence Reno's α stays below 1 until the window before the loss is reached again", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 999, false);
  cubic.onLoss(1010, MSS, 1009, false);
  // Window 49, before it 70, W_max 59.5: 39.7 round trips to 70 at 0.5294 each, none of them at 1.
  run(cubic, 1011, 1, 36);
  near(packets(cubic), 49 + 0.5294 * 36, 0.5, "after 36 round trips");
});

test("the window never falls below two packets, and persistent congestion takes it there", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 950, true);
  assert.equal(packets(cubic), 2);
  for (let i = 0; i < 20; i++) cubic.onLoss(2000 + i * 10, MSS, 1995 + i * 10, false);
  assert.equal(packets(cubic), 2);
});

test("after persistent congestion it starts slowly up to the reduced threshold and then anew from there", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 950, true);
  let nowMs = 1100;
  for (let i = 0; i < 5; i++) nowMs = run(cubic, nowMs, 100, 1);
  near(packets(cubic), 64, 1e-9, "doubling");
  nowMs = run(cubic, nowMs, 100, 1);
  // RFC 9438 §4.8: K = 0 and W_max is the window at which congestion avoidance begins.
  const start = packets(cubic);
  assert.ok(start >= 70 && start < 80);
  run(cubic, nowMs, 100, 10);
  assert.ok(packets(cubic) < start + 8, `${packets(cubic)}: no leap back to the old maximum`);
  assert.ok(packets(cubic) > start + 3, "but at least Reno's growth");
});

test("a mark cuts the window as a loss does in slow start, and less behind it", () => {
  const cubic = grownTo(100);
  cubic.onCongestionExperienced(1000, 950);
  assert.equal(packets(cubic), 70);
  assert.equal(cubic.pacingGain, 1.25, "slow start is over");
  cubic.onCongestionExperienced(1050, 990);
  assert.equal(packets(cubic), 70, "sent before the cut");
  cubic.onLoss(1060, MSS, 990, false);
  assert.equal(packets(cubic), 70, "the same congestion");
  cubic.onCongestionExperienced(1200, 1100);
  assert.ok(Math.abs(packets(cubic) - 70 * 0.85) < 0.01, `${packets(cubic)}`);
});

test("marks never cut below two packets, and no loss of the same time that proves spurious takes a cut back", () => {
  const cubic = grownTo(10);
  cubic.onCongestionExperienced(1000, 950);
  cubic.onLoss(1010, MSS, 960, false);
  cubic.onSpuriousLoss();
  assert.equal(packets(cubic), 7);
  for (let i = 1; i < 50; i++) cubic.onCongestionExperienced(1000 + 100 * i, 1000 + 100 * i - 50);
  assert.equal(packets(cubic), 2);
});

test("a cut for packets that arrived after all is taken back", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 950, false);
  cubic.onSpuriousLoss();
  assert.equal(packets(cubic), 100);
  assert.ok(cubic.pacingGain === 2, "it was in slow start and is again");
  cubic.onAck(1100, 10 * MSS, 1000, rttOf(100), false);
  assert.equal(packets(cubic), 110);
  cubic.onSpuriousLoss();
  assert.equal(packets(cubic), 110, "once only");
});

test("time in which nothing was asked of the path does not run along the cubic", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 950, false);
  run(cubic, 1100, 100, 5);
  const before = packets(cubic);
  cubic.onAck(2_000, MSS, 1_900, rttOf(100), true);
  run(cubic, 3_602_000, 100, 1);
  assert.ok(packets(cubic) < before + 6, `${before} became ${packets(cubic)} after an idle hour`);
});

test("a hundred hours of congestion avoidance stay below the window's bound", () => {
  const cubic = grownTo(100);
  cubic.onLoss(1000, MSS, 950, false);
  cubic.onAck(1100, MSS, 1050, rttOf(100), false);
  for (let i = 0; i < 50; i++) cubic.onAck(360_000_000 + i, 1e9, 350_000_000, rttOf(100), false);
  assert.equal(cubic.windowBytes, WINDOW_BYTES_MAX);
});

test("whatever happens, the window is a number between two packets and its bound", () => {
  const action = fc.record({
    afterMs: fc.integer({ min: 0, max: 100_000 }),
    bytes: fc.integer({ min: 1, max: 10_000_000 }),
    ageMs: fc.integer({ min: 0, max: 5_000 }),
    rttMs: fc.integer({ min: 0, max: 5_000 }),
    appLimited: fc.boolean(),
    kind: fc.constantFrom("ack", "ack", "ack", "loss", "persistent", "spurious", "packet"),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const cubic = new CongestionCubic(MSS);
      let mss = MSS;
      let nowMs = 0;
      for (const { afterMs, bytes, ageMs, rttMs, appLimited, kind } of actions) {
        nowMs += afterMs;
        if (kind === "ack") cubic.onAck(nowMs, bytes, nowMs - ageMs, rttOf(rttMs), appLimited);
        else if (kind === "loss" || kind === "persistent") cubic.onLoss(nowMs, bytes, nowMs - ageMs, kind !== "loss");
        else if (kind === "spurious") cubic.onSpuriousLoss();
        else {
          mss = 1200 + (bytes % 300);
          cubic.setPacketBytes(mss);
        }
        const window = cubic.windowBytes;
        assert.ok(window >= 2 * mss && window <= WINDOW_BYTES_MAX, `window ${window}`);
      }
    }),
    { numRuns: 300 },
  );
});
