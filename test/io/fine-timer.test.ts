// The kernel's timer: it ends when it was told to, once, and never after it was put off or closed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FineTimer } from "../../src/io/fine-timer.ts";
import { loadLibc } from "../../src/io/libc.ts";
import { until } from "./condition-wait.ts";
import { MemoryLibc } from "./memory-libc.ts";

interface Opened {
  readonly timer: FineTimer;
  /** When it ended each time, on the clock of performance.now(). */
  readonly ends: number[];
}

function open(): Opened {
  const timer = FineTimer.open(loadLibc());
  assert.ok(timer !== undefined, "koffi is installed here");
  const ends: number[] = [];
  timer.start(() => ends.push(performance.now()));
  return { timer, ends };
}

test("it ends after a part of a millisecond, and never before", async () => {
  const { timer, ends } = open();
  let soonestMs = Number.POSITIVE_INFINITY;
  // A busy machine comes late, but not always.
  for (let i = 0; i < 50; i++) {
    ends.length = 0;
    const setAtMs = performance.now();
    timer.set(0.3);
    await until(() => ends.length > 0);
    const tookMs = (ends[0] as number) - setAtMs;
    assert.ok(tookMs >= 0.3, `${tookMs} ms`);
    soonestMs = Math.min(soonestMs, tookMs);
  }
  timer.close();
  assert.ok(soonestMs < 0.9, `${soonestMs} ms`);
});

test("it ends once, and what was set before is forgotten", async () => {
  const { timer, ends } = open();
  timer.set(1);
  await sleep(30);
  assert.equal(ends.length, 1);
  timer.set(5);
  const setAtMs = performance.now();
  timer.set(60);
  await sleep(120);
  timer.close();
  assert.equal(ends.length, 2);
  assert.ok((ends[1] as number) - setAtMs >= 60);
});

test("one that was closed ends no more, and may be closed again", async () => {
  const { timer, ends } = open();
  timer.set(1);
  timer.close();
  timer.close();
  await sleep(20);
  assert.deepEqual(ends, []);
});

test("there is none where the kernel has none, or it cannot be watched or set", () => {
  assert.equal(FineTimer.open(undefined), undefined);
  const libc = new MemoryLibc(8);
  assert.equal(FineTimer.open(libc), undefined);
  const closed: number[] = [];
  Object.assign(libc, { timer: () => 7, watch: () => undefined, close: (fd: number) => closed.push(fd) });
  assert.equal(FineTimer.open(libc), undefined);
  assert.deepEqual(closed, [7]);
  const watch = { stop() {}, start: () => true, close: () => closed.push(-7) };
  Object.assign(libc, { watch: () => watch, setTimer: () => -1 });
  assert.equal(FineTimer.open(libc), undefined);
  assert.deepEqual(closed, [7, -7, 7]);
});

test("the time is written in words of 64 bits, whatever the machine's have", () => {
  for (const wordBytes of [4, 8] as const) {
    const libc = new MemoryLibc(wordBytes);
    libc.hasTimer = true;
    const timer = FineTimer.open(libc);
    timer?.set(0.25);
    assert.deepEqual(libc.pausesMs, [0, 0.25]);
    timer?.close();
  }
});
