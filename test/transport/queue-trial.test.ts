// Whose queue it was that a flow lost packets in, found out by cutting the window to what the link holds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CUBIC_BETA, QUEUE_TRIAL_PAUSE_MAX } from "../../src/base/limits.ts";
import { CongestionCubic } from "../../src/transport/congestion-cubic.ts";
import { QueueTrial } from "../../src/transport/queue-trial.ts";
import { RttEstimator } from "../../src/transport/rtt-estimator.ts";

const MSS = 1000;
/** A link of 1,000 bytes a millisecond and 50 ms, so that it holds 50 packets, with a queue of as many. */
const BYTES_PER_MS = 1000;
const BASE_MS = 50;
const WINDOW = 100 * MSS;

/** Two round trips of full queue. @returns the time behind them. */
function fill(trial: QueueTrial, startMs = 0): number {
  let nowMs = startMs;
  for (let i = 0; i < 3; i++) {
    trial.count(nowMs, 0, nowMs, 100);
    trial.count(nowMs + 50, 50 * BYTES_PER_MS, nowMs - 50, 100);
    trial.count(nowMs + 99, 49 * BYTES_PER_MS, nowMs - 1, 100);
    trial.count(nowMs + 100, BYTES_PER_MS, nowMs, 100);
    nowMs += 100;
  }
  return nowMs;
}

const judge = (trial: QueueTrial, nowMs: number, sentAtMs: number, rttMs: number): boolean | undefined =>
  trial.judge(nowMs, sentAtMs, rttMs, MSS, BASE_MS);

test("the window is cut to what the link holds, and a little", () => {
  const trial = new QueueTrial();
  assert.equal(trial.begin(0, WINDOW, MSS, BASE_MS), false, "nothing is known yet");
  const nowMs = fill(trial);
  assert.equal(trial.begin(nowMs, WINDOW, MSS, BASE_MS), true);
  assert.ok(Math.abs(trial.bytesPerMs - BYTES_PER_MS) < 20, `${trial.bytesPerMs}`);
  assert.ok(trial.windowBytes > 50 * MSS && trial.windowBytes < 57 * MSS, `${trial.windowBytes}`);
});

test("a window that the link holds is not tried", () => {
  const trial = new QueueTrial();
  const nowMs = fill(trial);
  assert.equal(trial.begin(nowMs, 50 * MSS, MSS, BASE_MS), false);
});

test("a round trip that falls to its least says at once that the queue was the flow's own", () => {
  const trial = new QueueTrial();
  const nowMs = fill(trial);
  trial.begin(nowMs, WINDOW, MSS, BASE_MS);
  assert.equal(judge(trial, nowMs + 30, nowMs - 70, 100), undefined, "sent before the cut");
  assert.equal(judge(trial, nowMs + 110, nowMs + 10, 100), undefined);
  assert.equal(judge(trial, nowMs + 120, nowMs + 65, 55), true);
  assert.equal(trial.isPending, false);
});

test("one that does not within a round trip says that it is others', and more and more losses pass until it is tried again", () => {
  const trial = new QueueTrial();
  let nowMs = fill(trial);
  for (const pauses of [2, 4, QUEUE_TRIAL_PAUSE_MAX, QUEUE_TRIAL_PAUSE_MAX]) {
    assert.equal(trial.begin(nowMs, WINDOW, MSS, BASE_MS), true);
    assert.equal(judge(trial, nowMs + 100, nowMs + 20, 80), undefined);
    assert.equal(judge(trial, nowMs + 179, nowMs + 99, 80), undefined);
    assert.equal(judge(trial, nowMs + 180, nowMs + 100, 80), false);
    nowMs += 200;
    for (let i = 0; i < pauses; i++) assert.equal(trial.begin(nowMs, WINDOW, MSS, BASE_MS), false, `loss ${i}`);
  }
  assert.equal(trial.begin(nowMs, WINDOW, MSS, BASE_MS), true);
  assert.equal(judge(trial, nowMs + 70, nowMs + 20, 50), true);
  assert.equal(trial.begin(nowMs + 100, WINDOW, MSS, BASE_MS), true, "its own queue is tried each time");
});

/** CUBIC with a window of 100 packets, of which the link holds half, at the time of a loss. */
function atLoss(): { readonly cubic: CongestionCubic; readonly nowMs: number; readonly rtt: RttEstimator } {
  const trial = new QueueTrial();
  const cubic = new CongestionCubic(MSS, undefined, trial);
  const rtt = new RttEstimator();
  rtt.sample(BASE_MS, 0);
  cubic.onAck(0, WINDOW - cubic.windowBytes, -1, rtt, false);
  const nowMs = fill(trial, 100);
  for (let i = 0; i < 50; i++) rtt.sample(100, 0);
  cubic.onLoss(nowMs, MSS, nowMs - 100, false);
  return { cubic, nowMs, rtt };
}

test("CUBIC alone on its link goes on where the link is full; beside others it takes the cut back to its own", () => {
  for (const [roundTripMs, least, most] of [
    [53, 50, 58],
    [80, 100 * CUBIC_BETA, 100 * CUBIC_BETA + 2],
  ] as const) {
    const { cubic, nowMs, rtt } = atLoss();
    assert.ok(cubic.windowBytes < 58 * MSS, `${cubic.windowBytes} during the trial`);
    assert.ok(cubic.pacingBytesPerMs(rtt) >= 0.98 * BYTES_PER_MS, "at the rate of the link");
    rtt.sample(roundTripMs, 0);
    cubic.onAck(nowMs + 60, MSS, nowMs + 60 - roundTripMs + 20, rtt, false);
    cubic.onAck(nowMs + 150, MSS, nowMs + 65, rtt, false);
    cubic.onAck(nowMs + 240, MSS, nowMs + 155, rtt, false);
    const packets = cubic.windowBytes / MSS;
    assert.ok(packets >= least && packets <= most, `${packets} packets behind ${roundTripMs} ms`);
  }
});

test("on a way of a millisecond, where batches are what fills the queue, nothing is tried", () => {
  const trial = new QueueTrial();
  const nowMs = fill(trial);
  assert.equal(trial.begin(nowMs, WINDOW, MSS, 1), false);
});

test("a loss during the trial reduces what the first one came to, and not what was tried", () => {
  const { cubic, nowMs } = atLoss();
  cubic.onLoss(nowMs + 120, MSS, nowMs + 20, false);
  const { cubic: other, nowMs: thenMs, rtt } = atLoss();
  other.onLoss(thenMs + 120, MSS, thenMs + 20, false);
  rtt.sample(80, 0);
  other.onAck(thenMs + 220, MSS, thenMs + 140, rtt, false);
  other.onAck(thenMs + 320, MSS, thenMs + 240, rtt, false);
  assert.ok(cubic.windowBytes <= 100 * MSS * CUBIC_BETA * CUBIC_BETA + MSS, `${cubic.windowBytes}`);
  assert.ok(other.windowBytes >= 100 * MSS * CUBIC_BETA * CUBIC_BETA - MSS, `${other.windowBytes}`);
});

test("a trial for packets that arrived after all is taken back as a whole", () => {
  const { cubic, nowMs, rtt } = atLoss();
  cubic.onSpuriousLoss();
  assert.equal(cubic.windowBytes, WINDOW);
  rtt.sample(90, 0);
  cubic.onAck(nowMs + 200, MSS, nowMs + 100, rtt, false);
  cubic.onAck(nowMs + 400, MSS, nowMs + 300, rtt, false);
  assert.ok(cubic.windowBytes >= WINDOW, `${cubic.windowBytes}`);
});
