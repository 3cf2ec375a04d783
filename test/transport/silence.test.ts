// Who only receives has nothing in flight that would be missed: what it does when the data cease.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KEEPALIVE_MS, SILENCE_MS } from "../../src/base/limits.ts";
import { World } from "../sim/world.ts";
import { MultiPathWorld } from "./multi-path-world.ts";

function connected(): MultiPathWorld {
  const made = new MultiPathWorld(new World({ seed: 1 }), {
    networks: [{ delayMs: 20, rateMbps: 10, queueBytes: 50_000 }],
  });
  made.connect();
  return made;
}

test("a receiver notices soon that its path is dead when the data cease in mid-transfer", () => {
  const made = connected();
  made.upload(10_000_000);
  made.world.runFor(1_000);
  assert.equal(made.accepted.isStalled, false);
  made.cut(0);
  const tookMs = made.world.runUntil(() => made.accepted.isStalled, KEEPALIVE_MS);
  assert.ok(tookMs <= SILENCE_MS + 500, `${tookMs} ms`);
});

test("data that have come to their end are followed by one question, and then by silence", () => {
  const made = connected();
  const record = made.upload(10_000);
  made.world.runUntil(() => made.twin(record)?.ended === true, 2_000);
  made.world.runFor(SILENCE_MS / 2);
  const before = [made.hostA.datagramsSent, made.hostB.datagramsSent] as const;
  made.world.runFor(KEEPALIVE_MS / 2);
  assert.equal(made.hostB.datagramsSent - before[1], 1, "B asks");
  assert.equal(made.hostA.datagramsSent - before[0], 1, "A answers");
});

test("a question on an idle path is answered at once, so that the answer tells the round trip", () => {
  const made = connected();
  made.world.runFor(1_000);
  made.hostA.input(() => made.connection.ping());
  made.world.runFor(1_000);
  const { rtt } = made.connection.paths.active ?? assert.fail();
  assert.ok(rtt.latestMs >= 40 && rtt.latestMs < 41, `${rtt.latestMs} ms over 20 ms each way`);
});
