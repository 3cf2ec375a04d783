// The world keeps the promises that every simulation rests on: order, determinism, and errors that say what is wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Transmit } from "../../src/base/transmit.ts";
import type { Host } from "./host.ts";
import { ProbeMachine } from "./probe-machine.ts";
import { probePair } from "./probe-pair.ts";
import { World, type WorldOptions } from "./world.ts";

// ---- Order and time ---------------------------------------------------------------------------------------

test("calls happen at their times, and in the order of scheduling where times are equal", () => {
  const world = new World();
  const happened: string[] = [];
  world.at(5, () => happened.push(`late at ${world.nowMs}`));
  for (let i = 0; i < 20; i++) world.at(3, () => happened.push(String(i)));
  world.at(1, () => world.after(2, () => happened.push("added")));
  world.runFor(10);
  assert.deepEqual(happened, [...Array.from({ length: 20 }, (_, i) => String(i)), "added", "late at 5"]);
  assert.equal(world.nowMs, 10);
});

test("nothing can be scheduled in the past", () => {
  const world = new World();
  world.runFor(10);
  assert.throws(() => world.at(9, () => {}), /9 ms, now is 10 ms/);
});

test("runUntil stops at the event that makes its predicate true and tells how long it took", () => {
  const { world, a, b, sender, receiver } = probePair({}, 3);
  world.runFor(4);
  sender.send(b.address, new Uint8Array(10));
  assert.equal(
    world.runUntil(() => receiver.received.length === 1, 100),
    3,
  );
  assert.equal(world.nowMs, 7);
  assert.equal(a.datagramsSent, 1);
});

test("runUntil that misses its limit says what was wanted, where the hosts stand and what packets went by", () => {
  const { world, b, sender } = probePair();
  sender.send(b.address, Uint8Array.of(0xc4, 0x01));
  assert.throws(
    () => world.runUntil(() => sender.received.length === 77, 50),
    (error: Error) =>
      error.name === "SimulationError" &&
      /not within 50 ms.*length === 77/s.test(error.message) &&
      /B: sent 0, received 1 datagrams/.test(error.message) &&
      /deliver B {2}198\.51\.100\.1:4000 > 198\.51\.100\.2:5000 {2}2 B {2}c401/.test(error.message),
  );
  assert.equal(world.nowMs, 50);
});

test("runUntilQuiet stops when nobody has sent anything for so long", () => {
  const { world, b, sender, receiver } = probePair();
  for (const atMs of [2, 9, 30]) world.at(atMs, () => sender.send(b.address, new Uint8Array(1)));
  receiver.timeoutMs = 15;
  assert.equal(world.runUntilQuiet(10, 100), 19);
  assert.equal(world.nowMs, 19);
  assert.throws(() => world.runUntilQuiet(12, 20), /not quiet within 20 ms/);
  assert.equal(world.runUntilQuiet(10, 100), 10);
});

test("a machine that echoes for ever without time passing is reported, and by whose events", () => {
  const { world, b, sender } = probePair({ eventsPerMsMax: 1000 }, 0, new ProbeMachine(true));
  const echo = new ProbeMachine(true);
  world.addHost("C", { ip: "198.51.100.3" }).run(echo);
  echo.send(b.address, new Uint8Array(10));
  assert.throws(() => world.runFor(10), /livelock: 1200 events .* receive buffer of [BC] \(100\)/);
  assert.equal(sender.received.length, 0);
});

test("a machine whose deadline stays in the past is reported", () => {
  class Stuck extends ProbeMachine {
    override handleTimeout(): void {}
  }
  const stuck = new Stuck();
  stuck.timeoutMs = 5;
  const { world } = probePair({}, 1, stuck);
  assert.throws(() => world.runFor(10), /livelock.* timer of B/);
});

test("a machine that never stops sending is reported", () => {
  class Endless extends ProbeMachine {
    override pollTransmit(nowMs: number, out: Transmit): boolean {
      this.send({ family: 4, host: "198.51.100.1", port: 4000 }, new Uint8Array(1));
      return super.pollTransmit(nowMs, out);
    }
  }
  assert.throws(() => probePair({}, 1, new Endless()), /B: pollTransmit never ends/);
});

// ---- Determinism ---------------------------------------------------------------------------------------------------

/** A noisy conversation of echoes. @returns the hash of its trace. */
function noisyRun(options: Partial<WorldOptions>, alter: (world: World) => void = () => {}): string {
  const { world, a, b, sender } = probePair({ joinProbability: 0.3, joinMs: 1, ...options }, 5, new ProbeMachine(true));
  a.attachment.up.change({
    rateMbps: 20,
    jitterMs: 3,
    lossProbability: 0.05,
    reorderProbability: 0.05,
    reorderMs: 4,
    duplicateProbability: 0.05,
    queueBytes: 30_000,
  });
  const payload = new Uint8Array(1200);
  world.random.fork("payload").fill(payload);
  for (let i = 0; i < 200; i++) world.at(i, () => sender.send(b.address, payload.subarray(0, 200 + i), 250));
  alter(world);
  world.runFor(400);
  return world.trace.hash;
}

test("equal seeds leave equal traces, other seeds other ones", () => {
  const hash = noisyRun({ seed: 1 });
  assert.match(hash, /^[0-9a-f]{16}$/);
  assert.equal(noisyRun({ seed: 1 }), hash);
  assert.notEqual(noisyRun({ seed: 2 }), hash);
});

test("early wake-ups leave no trace in a run", () => {
  assert.equal(noisyRun({ earlyWakeUpProbability: 1 }), noisyRun({ earlyWakeUpProbability: 0 }));
});

test("one changed byte or one changed time alters the hash", () => {
  const hash = noisyRun({});
  const sendOne = (world: World, byte: number, atMs: number): void => {
    const a = world.hosts[0] as Host;
    world.at(atMs, () => {
      (a.machine as ProbeMachine).send({ family: 4, host: "203.0.113.1", port: 9 }, Uint8Array.of(byte));
    });
  };
  const one = noisyRun({}, (world) => sendOne(world, 1, 300));
  assert.notEqual(one, hash);
  assert.notEqual(
    noisyRun({}, (world) => sendOne(world, 2, 300)),
    one,
  );
  for (const atMs of [301, 300.00001]) {
    assert.notEqual(
      noisyRun({}, (world) => sendOne(world, 1, atMs)),
      one,
    );
  }
});

test("the printed trace tells time, fate, reason and addresses, in the words of the test", () => {
  const { world, a, b, sender } = probePair();
  world.trace.describe = (head, lengthBytes) => `kind ${head[0]?.toString(16)} of ${lengthBytes}`;
  sender.send(b.address, Uint8Array.of(0xc1, 0, 0));
  world.runFor(2);
  a.attachment.up.change({ mtuBytes: 20 });
  sender.send(b.address, Uint8Array.of(0xc4));
  world.runFor(2);
  assert.deepEqual(world.trace.format().split("\n"), [
    "       0.000 ms  send    A  198.51.100.1:4000 > 198.51.100.2:5000  3 B  kind c1 of 3",
    "       1.000 ms  deliver B  198.51.100.1:4000 > 198.51.100.2:5000  3 B  kind c1 of 3",
    "       2.000 ms  send    A  198.51.100.1:4000 > 198.51.100.2:5000  1 B  kind c4 of 1",
    "       2.000 ms  drop    A up (MTU)  198.51.100.1:4000 > 198.51.100.2:5000  1 B  kind c4 of 1",
  ]);
});

test("the printed trace forgets the oldest records first", () => {
  const { world, b, sender } = probePair({ traceRecords: 4 });
  for (let i = 1; i <= 5; i++) sender.send(b.address, new Uint8Array(i));
  world.runFor(5);
  assert.equal(world.trace.length, 10);
  assert.deepEqual(
    world.trace
      .format()
      .split("\n")
      .map((line) => /(\w+) +[AB] .* (\d) B/.exec(line)?.slice(1).join(" ")),
    ["deliver 2", "deliver 3", "deliver 4", "deliver 5"],
  );
});
