// The pace of hole punching.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import { PUNCH_INTERVAL_MAX_MS, PUNCH_REST_MS, PUNCH_ROUNDS } from "../../src/base/limits.ts";
import { HolePunch } from "../../src/traversal/hole-punch.ts";

const target = (port: number): SocketAddress => ({ family: 4, host: "192.0.2.1", port });

/** Lets the punch run for this long. @returns when each probe went. */
function run(punch: HolePunch, fromMs: number, durationMs: number): number[] {
  const times: number[] = [];
  for (let nowMs = punch.pollTimeout(); nowMs <= fromMs + durationMs; nowMs = punch.pollTimeout()) {
    for (const _ of punch.takeDue(nowMs)) times.push(nowMs);
  }
  return times;
}

test("a series starts at once, slows down, and is followed by a silence longer than a NAT's memory", () => {
  const punch = new HolePunch();
  punch.start(1_000, [target(1)]);
  const times = run(punch, 1_000, 30_000);
  assert.equal(times.length, PUNCH_ROUNDS);
  assert.equal(times[0], 1_000);
  const gaps = times.slice(1).map((at, i) => at - (times[i] as number));
  for (const [i, gap] of gaps.entries()) assert.ok(i === 0 || gap >= (gaps[i - 1] as number), `gap ${i}: ${gap} ms`);
  assert.ok(Math.max(...gaps) <= PUNCH_INTERVAL_MAX_MS);
  assert.equal(punch.pollTimeout() - (times.at(-1) as number), PUNCH_REST_MS);
});

test("each fruitless series doubles the silence, until the network changes", () => {
  const punch = new HolePunch();
  punch.start(0, [target(1)]);
  run(punch, 0, PUNCH_REST_MS + 30_000);
  const secondEndMs = punch.pollTimeout();
  punch.forgetFailures();
  punch.start(secondEndMs, [target(1)]);
  const times = run(punch, secondEndMs, 30_000);
  assert.equal(punch.pollTimeout() - (times.at(-1) as number), PUNCH_REST_MS);
});

test("many targets leave in small groups, all of them in every round", () => {
  const punch = new HolePunch();
  const targets = Array.from({ length: 10 }, (_, i) => target(i + 1));
  punch.start(0, targets);
  const first: SocketAddress[] = [];
  for (let nowMs = 0; nowMs < 20; nowMs++) {
    const due = punch.takeDue(nowMs);
    assert.ok(due.length <= 4, `${due.length} probes at once`);
    first.push(...due);
  }
  assert.deepEqual(first, targets);
});

test("it ends when it is stopped, and never begins without a target", () => {
  const punch = new HolePunch();
  punch.start(0, []);
  assert.equal(punch.pollTimeout(), Number.POSITIVE_INFINITY);
  punch.start(0, [target(1)], 500);
  assert.deepEqual(punch.takeDue(499), []);
  assert.equal(punch.takeDue(500).length, 1);
  punch.stop();
  assert.equal(punch.pollTimeout(), Number.POSITIVE_INFINITY);
});
