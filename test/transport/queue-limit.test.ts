// The limit on what CUBIC has in flight, against paths that deliver a known rate after a known round trip.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CongestionCubic } from "../../src/transport/congestion-cubic.ts";
import { QueueLimit } from "../../src/transport/queue-limit.ts";
import { RttEstimator } from "../../src/transport/rtt-estimator.ts";

/** Acknowledges 1 ms of the rate each millisecond. @returns the time behind it. */
function deliver(
  limit: QueueLimit,
  startMs: number,
  durationMs: number,
  bytesPerMs: number,
  rttMs: number,
  appLimited = false,
): number {
  let nowMs = startMs;
  for (; nowMs < startMs + durationMs; nowMs++) limit.onAck(nowMs, bytesPerMs, nowMs - rttMs, rttMs, appLimited);
  return nowMs;
}

/** How long a window of the limit takes at a rate, in ms. */
const lastsMs = (limit: QueueLimit, bytesPerMs: number): number => limit.windowBytes / bytesPerMs;

function between(actual: number, least: number, most: number, what: string): void {
  assert.ok(actual >= least && actual <= most, `${what}: ${actual}, expected ${least} to ${most}`);
}

test("nothing is limited before anything is known, and batches are not while only an application's own pace is", () => {
  const limit = new QueueLimit();
  assert.equal(limit.windowBytes, Number.POSITIVE_INFINITY);
  deliver(limit, 0, 5_000, 1_000, 0.5, true);
  between(limit.windowBytes, 384 * 1024, 400 * 1024, "window of one who asks for a megabyte a second");
});

test("a sender that runs dry between two reads is at full speed for all that, and never held to what it was at its start", () => {
  const limit = new QueueLimit();
  let nowMs = deliver(limit, 0, 30, 19_000, 0.1);
  between(limit.windowBytes, 19_000, 100_000, "window after the start");
  nowMs = deliver(limit, nowMs, 100, 300_000, 0.1, true);
  between(lastsMs(limit, 300_000), 2, 4, "window in ms");
  const before = limit.windowBytes;
  deliver(limit, nowMs, 3_000, 50_000, 0.1, true);
  assert.equal(limit.windowBytes, before, "a pause of the application says nothing of the path");
});

test("a path of half a millisecond and a gigabit holds less than five milliseconds, and enough for batches", () => {
  const limit = new QueueLimit();
  deliver(limit, 0, 1_000, 125_000, 0.5);
  between(lastsMs(limit, 125_000), 3, 5, "window in ms");
  assert.ok(limit.windowBytes >= 384 * 1024, `${limit.windowBytes}`);
});

test("a path of five milliseconds or more may fill four bandwidth-delay products of buffer, as others do", () => {
  for (const rttMs of [5, 20, 50, 200]) {
    const limit = new QueueLimit();
    deliver(limit, 0, 3_000, 1_250, rttMs);
    assert.ok(lastsMs(limit, 1_250) > 5 * rttMs, `${lastsMs(limit, 1_250)} ms at ${rttMs} ms`);
  }
});

test("no path holds much more than a second", () => {
  const limit = new QueueLimit();
  deliver(limit, 0, 10_000, 80, 600);
  between(lastsMs(limit, 80), 1_500, 1_700, "window in ms");
  assert.ok(!limit.isSlow);
});

test("a very slow path holds less, and is known as such only when it was the limit and not the application", () => {
  const limit = new QueueLimit();
  deliver(limit, 0, 10_000, 8, 600, true);
  assert.ok(!limit.isSlow, "a shell alone");
  deliver(limit, 10_000, 10_000, 8, 600);
  assert.ok(limit.isSlow);
  between(lastsMs(limit, 8), 900, 1_100, "window in ms");
});

test("the least round trip counts, not the queue that there is", () => {
  const limit = new QueueLimit();
  const nowMs = deliver(limit, 0, 50, 12_500, 0.5);
  deliver(limit, nowMs, 4_000, 12_500, 40);
  assert.ok(lastsMs(limit, 12_500) < 9, `${lastsMs(limit, 12_500)} ms`);
});

test("a slower path is known as such within ten seconds, a faster one at once", () => {
  const limit = new QueueLimit();
  let nowMs = deliver(limit, 0, 1_000, 10_000, 0.5);
  const before = limit.windowBytes;
  nowMs = deliver(limit, nowMs, 4_000, 2_000, 0.5);
  assert.equal(limit.windowBytes, before, "a slow moment says nothing");
  nowMs = deliver(limit, nowMs, 7_000, 2_000, 0.5);
  assert.ok(limit.windowBytes < 0.3 * before, `${limit.windowBytes} of ${before}`);
  deliver(limit, nowMs, 50, 20_000, 0.5);
  assert.ok(limit.windowBytes > 1.5 * before, `${limit.windowBytes} of ${before}`);
});

test("a way that has become longer than any queue of ours is taken for what it is", () => {
  const limit = new QueueLimit();
  let nowMs = deliver(limit, 0, 6_000, 12_500, 0.5);
  nowMs = deliver(limit, nowMs, 4_000, 12_500, 30);
  assert.ok(limit.windowBytes < 30 * 12_500);
  deliver(limit, nowMs, 11_000, 12_500, 30);
  assert.ok(limit.windowBytes > 2 * 30 * 12_500, `${limit.windowBytes}`);
});

test("CUBIC holds its window to it, and does not run along its cubic meanwhile", () => {
  const held = new CongestionCubic(1200, new QueueLimit());
  const free = new CongestionCubic(1200);
  const rtt = new RttEstimator();
  rtt.sample(0.5, 0);
  for (const cubic of [held, free]) {
    cubic.onAck(0, 100_000, 0, rtt, false);
    cubic.onLoss(1, 1200, 0.5, false);
    for (let nowMs = 2; nowMs < 20_000; nowMs++) cubic.onAck(nowMs, 12_500, nowMs - 0.5, rtt, false);
  }
  between(held.windowBytes / 12_500, 5, 9, "ms of the rate");
  assert.ok(free.windowBytes > 20 * held.windowBytes, `${free.windowBytes}`);
  held.onLoss(20_001, 1200, 20_000.5, false);
  between(held.windowBytes / 12_500, 3.5, 6.3, "ms of the rate after a loss");
});
