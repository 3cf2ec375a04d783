// The pacer: bursts are bounded, and so is the rate over any stretch of time.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PACING_BURST_MS, PACING_BURST_PACKETS_MIN, PACING_OWED_MS_MAX } from "../../src/base/limits.ts";
import { Pacer } from "../../src/transport/pacer.ts";

const MSS = 1200;

function pacerOf(windowBytes: number, rttMs: number, gain = 1.25): Pacer {
  const pacer = new Pacer();
  pacer.update((gain * windowBytes) / rttMs, MSS);
  return pacer;
}

/** Sends as a sender with endless data does. @returns bytes sent and times the pacer was waited for. */
function sendFor(pacer: Pacer, startMs: number, durationMs: number): { bytes: number; waits: number; burst: number } {
  let nowMs = startMs;
  let bytes = 0;
  let waits = 0;
  let burst = 0;
  while (nowMs < startMs + durationMs) {
    let inBurst = 0;
    while (pacer.availableBytes(nowMs) > 0) {
      pacer.onSent(MSS);
      inBurst += MSS;
    }
    bytes += inBurst;
    burst = Math.max(burst, inBurst);
    const next = pacer.nextSendAtMs(nowMs);
    assert.ok(next > nowMs, "the pacer always asks for a later time");
    assert.ok(pacer.availableBytes(next) > 0, "and lets a packet go then");
    nowMs = next;
    waits++;
  }
  return { bytes, waits, burst };
}

test("the first burst is a few packets, not the whole window", () => {
  const pacer = pacerOf(10 * MSS, 100);
  let sent = 0;
  while (pacer.availableBytes(1000) > 0) {
    pacer.onSent(MSS);
    sent++;
  }
  assert.equal(sent, PACING_BURST_PACKETS_MIN);
});

test("over a second the rate is gain × window / RTT", () => {
  for (const [windowBytes, rttMs] of [
    [12_000, 300],
    [120_000, 20],
    [1_000_000, 100],
    [4_000_000, 1],
  ] as const) {
    const { bytes } = sendFor(pacerOf(windowBytes, rttMs), 0, 1000);
    const wanted = (1.25 * windowBytes * 1000) / rttMs;
    const burst = Math.max((wanted / 1000) * PACING_BURST_MS, PACING_BURST_PACKETS_MIN * MSS);
    assert.ok(bytes <= wanted + burst + MSS, `${bytes} of ${wanted}`);
    assert.ok(bytes >= wanted * 0.97 - burst, `${bytes} of ${wanted}`);
  }
});

test("no burst is longer than two milliseconds of the rate, or the least number of packets", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2 * MSS, max: 20_000_000 }),
      fc.double({ min: 0.1, max: 1000, noNaN: true }),
      (windowBytes, rttMs) => {
        const { burst } = sendFor(pacerOf(windowBytes, rttMs), 5, rttMs > 10 ? 200 : 20);
        const limit = Math.max(((1.25 * windowBytes) / rttMs) * PACING_BURST_MS, PACING_BURST_PACKETS_MIN * MSS);
        assert.ok(burst <= limit + MSS, `${burst} bytes at once, ${limit} allowed`);
      },
    ),
    { numRuns: 60 },
  );
});

test("a fast sender is woken about once a millisecond, a slow one less often", () => {
  const fast = sendFor(pacerOf(12_500_000, 100), 0, 1000);
  assert.ok(fast.waits <= 1_100, `${fast.waits} wake-ups a second`);
  const slow = sendFor(pacerOf(3_000, 300), 0, 10_000);
  assert.ok(slow.waits <= slow.bytes / MSS, "no wake-up without a packet");
});

test("an idle hour saves up no more than one burst", () => {
  const pacer = pacerOf(120_000, 20);
  while (pacer.availableBytes(0) > 0) pacer.onSent(MSS);
  const available = pacer.availableBytes(3_600_000);
  assert.equal(available, Math.max(((1.25 * 120_000) / 20) * PACING_BURST_MS, PACING_BURST_PACKETS_MIN * MSS));
});

test("a packet that bypassed the pacer is paid for by those behind it", () => {
  const pacer = pacerOf(12_000, 100);
  while (pacer.availableBytes(0) > 0) pacer.onSent(MSS);
  const before = pacer.nextSendAtMs(0);
  pacer.onSent(MSS);
  pacer.onSent(MSS);
  assert.ok(pacer.nextSendAtMs(0) >= before + (2 * MSS) / ((1.25 * 12_000) / 100) - 1e-6);
});

/** Sends what may go now. @returns its bytes. */
function burst(pacer: Pacer, nowMs: number): number {
  let bytes = 0;
  for (; pacer.availableBytes(nowMs) > 0; bytes += MSS) pacer.onSent(MSS);
  return bytes;
}

test("what a program has missed because it came late is made good at twice the rate, and then the rate holds again", () => {
  const rate = 10 * MSS;
  const pacer = new Pacer();
  pacer.update(rate, MSS);
  burst(pacer, 0);
  const lateMs = pacer.nextSendAtMs(0) + 8;
  const afterPause = burst(pacer, lateMs);
  assert.ok(afterPause <= rate * PACING_BURST_MS + MSS, `${afterPause} bytes at once`);
  let nowMs = lateMs;
  const sentFor = (durationMs: number): number => {
    let bytes = 0;
    for (const endMs = nowMs + durationMs; ; ) {
      const next = pacer.nextSendAtMs(nowMs);
      if (next > endMs) return bytes;
      nowMs = next;
      bytes += burst(pacer, nowMs);
    }
  };
  const doubled = sentFor(4);
  assert.ok(Math.abs(doubled - 2 * 4 * rate) <= 2 * rate, `${doubled} bytes in four ms`);
  const total = doubled + sentFor(46);
  // The whole time from the start of the pause on, as if there had been none.
  assert.ok(Math.abs(total + afterPause - rate * (50 + 9)) <= 3 * rate, `${total + afterPause} bytes`);
  const steady = sentFor(20);
  assert.ok(steady <= 21 * rate, `${steady} bytes in twenty ms`);
});

test("a late program that was not held back by its pace is owed nothing, and no program more than a scheduler's turn or two", () => {
  const rate = 10 * MSS;
  const total = (released: boolean, lateMs: number): number => {
    const pacer = new Pacer();
    pacer.update(rate, MSS);
    burst(pacer, 0);
    pacer.nextSendAtMs(0);
    if (released) pacer.release();
    let bytes = 0;
    for (let ms = 0; ms < 200; ms++) bytes += burst(pacer, lateMs + ms);
    return bytes;
  };
  const held = total(true, 10);
  assert.ok(held <= (199 + PACING_BURST_MS) * rate + MSS, `${held}`);
  assert.ok(total(false, 10) >= held + 6 * rate);
  const late = total(false, 60_000);
  assert.ok(late <= (199 + PACING_BURST_MS + PACING_OWED_MS_MAX) * rate + MSS, `${late}`);
});

test("what is owed at one rate is no more than as much time of a lower one", () => {
  const pacer = new Pacer();
  pacer.update(100 * MSS, MSS);
  burst(pacer, 0);
  pacer.nextSendAtMs(0);
  burst(pacer, 30);
  pacer.update(10 * MSS, MSS);
  let bytes = 0;
  for (let ms = 31; ms <= 130; ms++) bytes += burst(pacer, ms);
  assert.ok(bytes <= (100 + PACING_BURST_MS + PACING_OWED_MS_MAX) * 10 * MSS + MSS, `${bytes}`);
});
