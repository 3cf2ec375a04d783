// When a socket is left alone between reads: in a steady flow of large packets, as long as its sender would not notice, and never
// where somebody waits for the next message.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  COALESCED_MESSAGES,
  COALESCING_MS_MAX,
  COALESCING_MS_MIN,
  COALESCING_WINDOW_MS,
} from "../../src/base/limits.ts";
import { ReceiveCoalescing } from "../../src/io/receive-coalescing.ts";

interface Flow {
  readonly everyMs: number;
  readonly bytes: number;
  readonly durationMs: number;
  readonly patienceMs?: number;
}

/** Reads as the receiver does. @returns the pause after each read, and how many messages each brought. */
function readFlow(flow: Flow, coalescing = new ReceiveCoalescing(), startMs = 1000) {
  const { everyMs, bytes, durationMs, patienceMs = 10 } = flow;
  const pauses: number[] = [];
  const found: number[] = [];
  let taken = 0;
  let nowMs = startMs;
  while (nowMs < startMs + durationMs) {
    const messages = Math.floor((nowMs - startMs) / everyMs + 1e-6) + 1 - taken;
    taken += messages;
    const pauseMs = coalescing.onRead(nowMs, messages, messages * bytes, () => patienceMs);
    pauses.push(pauseMs);
    found.push(messages);
    nowMs = pauseMs > 0 ? nowMs + pauseMs : startMs + taken * everyMs;
  }
  return { coalescing, pauses, found, nowMs };
}

const FAST: Flow = { everyMs: 0.1, bytes: 1400, durationMs: 100 };

test("a steady flow of large packets is read some packets at a time", () => {
  const { pauses, found } = readFlow(FAST);
  assert.ok(Math.abs((pauses.at(-1) as number) - COALESCED_MESSAGES * FAST.everyMs) < 1e-6, `${pauses.at(-1)} ms`);
  assert.ok(
    found.slice(-20).every((messages) => Math.abs(messages - COALESCED_MESSAGES) <= 1),
    `${found.slice(-20)}`,
  );
  // It takes a window to tell, in which each packet is a wake-up.
  const first = pauses.findIndex((ms) => ms > 0);
  assert.ok(first >= COALESCING_WINDOW_MS / FAST.everyMs - 1, `read ${first}`);
  assert.ok(first <= (2 * COALESCING_WINDOW_MS) / FAST.everyMs, `read ${first}`);
});

test("the pause is as long as the messages take, within the bounds, and no longer than the patience", () => {
  for (const [everyMs, patienceMs, pauseMs] of [
    [0.1, 10, 0.8],
    [0.4, 10, COALESCING_MS_MAX],
    [0.01, 10, COALESCING_MS_MIN],
    [0.1, 0.5, 0.5],
    [0.1, 0, COALESCING_MS_MIN],
    [0.1, Number.POSITIVE_INFINITY, 0.8],
  ] as const) {
    const { pauses } = readFlow({ ...FAST, everyMs, patienceMs });
    assert.ok(
      Math.abs((pauses.at(-1) as number) - pauseMs) < 0.1 * pauseMs,
      `${everyMs} ${patienceMs}: ${pauses.at(-1)}`,
    );
  }
});

test("slow flows, small packets, large groups and a few packets in a row are read as they come", () => {
  const none = (flow: Flow): boolean => readFlow(flow).pauses.every((ms) => ms === 0);
  assert.ok(none({ ...FAST, everyMs: 0.6 }), "not even two in the longest pause");
  assert.ok(none({ ...FAST, everyMs: 0.2, patienceMs: 0.3 }), "not even two in the patience");
  assert.ok(none({ ...FAST, bytes: 60 }), "acknowledgements");
  assert.ok(none({ ...FAST, bytes: 20_000 }), "what the kernel has joined");
  assert.ok(none({ ...FAST, durationMs: COALESCING_WINDOW_MS - 0.2 }), "an answer");
});

test("a flow that ends is over after two looks, and what comes alone then is read at once", () => {
  const { coalescing, pauses, nowMs } = readFlow(FAST);
  const pauseMs = pauses.at(-1) as number;
  assert.ok(coalescing.onRead(nowMs, 0, 0) > 0);
  assert.equal(coalescing.onRead(nowMs + pauseMs, 0, 0), 0);
  for (const afterMs of [2, 3, 20, 21, 5000])
    assert.equal(coalescing.onRead(nowMs + afterMs, 1, 1400), 0, `${afterMs} ms`);
});

test("a flow that becomes one of acknowledgements is no reason to wait", () => {
  const { coalescing, nowMs } = readFlow(FAST);
  const { pauses } = readFlow({ ...FAST, bytes: 60 }, coalescing, nowMs);
  assert.equal(pauses.at(-1), 0);
});
