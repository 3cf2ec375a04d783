// The pacer: bursts are bounded, and so is the rate over any stretch of time.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  PACING_BURST_MS,
  PACING_BURST_PACKETS_MIN,
  PACING_ROOM,
  TIMER_FINE_MS,
  TIMER_MS,
} from "../../src/base/limits.ts";
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

test("an idle hour saves up no more than what comes due between two timers, and a little", () => {
  const pacer = pacerOf(120_000, 20);
  while (pacer.availableBytes(0) > 0) pacer.onSent(MSS);
  const available = pacer.availableBytes(3_600_000);
  assert.equal(available, Math.max(((1.25 * 120_000) / 20) * PACING_ROOM * TIMER_MS, PACING_BURST_PACKETS_MIN * MSS));
});

/** A sender with endless data on 100 Mbit/s whose timers are each late by so much. @returns the part of the rate, and the largest burst in ms of it. */
function sendLate(lateMs: number, hasSlack: boolean): { part: number; burstMs: number; pacer: Pacer } {
  const rate = 12_500;
  const pacer = new Pacer(TIMER_FINE_MS);
  let bytes = 0;
  let burstMs = 0;
  let nowMs = 0;
  const FROM_MS = 200;
  while (nowMs < 1_200) {
    pacer.update(rate, MSS, hasSlack);
    let burst = 0;
    for (; pacer.availableBytes(nowMs) > 0; burst += MSS) pacer.onSent(MSS);
    if (nowMs >= FROM_MS) {
      bytes += burst;
      burstMs = Math.max(burstMs, (burst - MSS) / rate);
    }
    nowMs = pacer.nextSendAtMs(nowMs) + lateMs;
  }
  return { part: bytes / rate / (nowMs - FROM_MS), burstMs, pacer };
}

test("what late timers miss is made good as far as they are seen to be late, and a pace with slack needs less of it", () => {
  assert.ok(sendLate(0, false).burstMs <= PACING_ROOM * TIMER_FINE_MS, "timers in time send small groups");
  for (const lateMs of [0, 0.1, 0.3, 0.6, 1]) {
    const { part, burstMs } = sendLate(lateMs, false);
    assert.ok(part > 0.98, `late by ${lateMs} ms: ${part} of the rate`);
    assert.ok(burstMs <= TIMER_FINE_MS + lateMs + 0.11, `late by ${lateMs} ms: ${burstMs} ms at once`);
    assert.ok(sendLate(lateMs, true).part > 0.9, `late by ${lateMs} ms, with slack`);
  }
  const saved = (hasSlack: boolean): number => sendLate(0.3, hasSlack).pacer.availableBytes(1e6) / 12_500;
  assert.ok(Math.abs(saved(true) - 0.9) < 0.01, `${saved(true)} ms with slack`);
  assert.ok(Math.abs(saved(false) - 1.5) < 0.01, `${saved(false)} ms`);
  // By that much no pace is to be made good.
  assert.ok(sendLate(5, false).burstMs <= PACING_BURST_MS);
});

test("a packet that something else held up was not late", () => {
  for (const hasSlack of [false, true]) {
    const { pacer } = sendLate(0, hasSlack);
    pacer.stopWaiting();
    for (let at = 2_000; at < 3_000; at += 10) {
      while (pacer.availableBytes(at) > 0) pacer.onSent(MSS);
      pacer.nextSendAtMs(at);
      pacer.stopWaiting();
    }
    pacer.update(12_500, MSS, hasSlack);
    assert.equal(pacer.availableBytes(10_000), 12_500 * PACING_ROOM * TIMER_FINE_MS);
  }
});

test("a packet that bypassed the pacer is paid for by those behind it", () => {
  const pacer = pacerOf(12_000, 100);
  while (pacer.availableBytes(0) > 0) pacer.onSent(MSS);
  const before = pacer.nextSendAtMs(0);
  pacer.onSent(MSS);
  pacer.onSent(MSS);
  assert.ok(pacer.nextSendAtMs(0) >= before + (2 * MSS) / ((1.25 * 12_000) / 100) - 1e-6);
});
