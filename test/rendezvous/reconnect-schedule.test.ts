// When an agent tries again.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  RENDEZVOUS_PATIENCE_MS,
  RENDEZVOUS_PAUSE_LATE_MAX_MS,
  RENDEZVOUS_PAUSE_MAX_MS,
  RENDEZVOUS_PAUSE_MIN_MS,
} from "../../src/base/limits.ts";
import { ReconnectSchedule } from "../../src/rendezvous/reconnect-schedule.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

function pauses(seed: number, durationMs: number): { atMs: number; pauseMs: number }[] {
  const schedule = new ReconnectSchedule(new SeededRandom(seed));
  const all: { atMs: number; pauseMs: number }[] = [];
  for (let atMs = 0; atMs < durationMs; ) {
    const pauseMs = schedule.pauseMs(atMs);
    all.push({ atMs, pauseMs });
    atMs += pauseMs;
  }
  return all;
}

test("pauses grow from half a second at most to one in the first minute and to fifteen later", () => {
  const all = pauses(1, 10 * 60_000);
  assert.ok((all[0]?.pauseMs ?? 0) <= RENDEZVOUS_PAUSE_MIN_MS);
  for (const { atMs, pauseMs } of all) {
    assert.ok(pauseMs >= RENDEZVOUS_PAUSE_MIN_MS / 2);
    assert.ok(pauseMs <= (atMs < RENDEZVOUS_PATIENCE_MS ? RENDEZVOUS_PAUSE_MAX_MS : RENDEZVOUS_PAUSE_LATE_MAX_MS));
  }
  assert.ok(all.some(({ pauseMs }) => pauseMs > RENDEZVOUS_PAUSE_MAX_MS));
});

test("agents that lost their rendezvous together do not come back together", () => {
  const first = new Set<number>();
  for (let seed = 0; seed < 50; seed++) first.add(Math.round(pauses(seed, 1)[0]?.pauseMs ?? 0));
  assert.ok(first.size > 30, `${first.size}`);
});

test("a success makes the next failure a first one", () => {
  const schedule = new ReconnectSchedule(new SeededRandom(1));
  for (let i = 0; i < 20; i++) schedule.pauseMs(i * 10_000);
  schedule.reset();
  assert.ok(schedule.pauseMs(1_000_000) <= RENDEZVOUS_PAUSE_MIN_MS);
});
