// The world keeps the promises that every simulation rests on: order, determinism, full draining, and errors that say what is wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import type { Transmit } from "../../src/base/transmit.ts";
import { ProbeMachine } from "./echo-machine.ts";
import type { Host } from "./host.ts";
import { World, type WorldOptions } from "./world.ts";

interface Pair {
  readonly world: World;
  readonly a: Host;
  readonly b: Host;
  readonly sender: ProbeMachine;
  readonly receiver: ProbeMachine;
}

function pair(options: Partial<WorldOptions> = {}, delayMs = 1, receiver = new ProbeMachine()): Pair {
  const world = new World(options);
  const a = world.addHost("A", { ip: "198.51.100.1", link: { delayMs } });
  const b = world.addHost("B", { ip: "198.51.100.2", port: 5000 });
  const sender = new ProbeMachine();
  a.run(sender);
  b.run(receiver);
  return { world, a, b, sender, receiver };
}

const sizes = (machine: ProbeMachine): number[] => machine.received.map(({ bytes }) => bytes.length);

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
  const { world, a, b, sender, receiver } = pair({}, 3);
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
  const { world, b, sender } = pair();
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

test("a machine that echoes for ever without time passing is reported, and by whose events", () => {
  const { world, b, sender } = pair({ eventsPerMsMax: 1000 }, 0, new ProbeMachine(true));
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
  const { world } = pair({}, 1, stuck);
  assert.throws(() => world.runFor(10), /livelock.* timer of B/);
});

test("a machine that never stops sending is reported", () => {
  class Endless extends ProbeMachine {
    override pollTransmit(nowMs: number, out: Transmit): boolean {
      this.send({ family: 4, host: "198.51.100.1", port: 4000 }, new Uint8Array(1));
      return super.pollTransmit(nowMs, out);
    }
  }
  assert.throws(() => pair({}, 1, new Endless()), /B: pollTransmit never ends/);
});

// ---- Hosts ---------------------------------------------------------------------------------------------------

test("a batch is cut into datagrams of the segment size, the last of which may be shorter", () => {
  const { world, b, sender, receiver } = pair();
  const bytes = Uint8Array.from({ length: 2500 }, (_, i) => i);
  sender.send(b.address, bytes, 1200);
  world.runFor(2);
  assert.deepEqual(sizes(receiver), [1200, 1200, 100]);
  assert.deepEqual(Buffer.concat(receiver.received.map((datagram) => datagram.bytes)), Buffer.from(bytes));
  assert.deepEqual(receiver.last?.from, { family: 4, host: "198.51.100.1", port: 4000 });
});

test("datagrams of one flow and size are joined, and only those, by the seed", () => {
  const { world, b, sender, receiver } = pair({ joinProbability: 1, joinMs: 0 }, 1);
  const other = new ProbeMachine();
  world.addHost("C", { ip: "198.51.100.3", link: { delayMs: 1 } }).run(other);
  sender.send(b.address, new Uint8Array(2500).fill(1), 1000);
  sender.send(b.address, new Uint8Array(1000).fill(2));
  other.send(b.address, new Uint8Array(1000).fill(3));
  sender.send(b.address, new Uint8Array(400).fill(4));
  sender.send(b.address, new Uint8Array(500).fill(5));
  world.runFor(2);
  // A sends everything before C does; 500 bytes end the first batch; 400 are shorter than the 1000 before them, 500 longer.
  assert.deepEqual(sizes(receiver), [2500, 1400, 500, 1000]);
  assert.equal(b.datagramsReceived, 7);
});

test("joining depends on the seed and loses nothing", () => {
  const counts = new Set<number>();
  for (let seed = 1; seed <= 10; seed++) {
    const { world, b, sender, receiver } = pair({ seed, joinProbability: 0.5, joinMs: 2 });
    for (let i = 0; i < 100; i++) world.at(i / 10, () => sender.send(b.address, new Uint8Array(100).fill(i)));
    world.runFor(20);
    const bytes = Buffer.concat(receiver.received.map((datagram) => datagram.bytes));
    assert.deepEqual(bytes, Buffer.concat(Array.from({ length: 100 }, (_, i) => Buffer.alloc(100, i))));
    counts.add(receiver.received.length);
  }
  assert.ok(counts.size > 3 && Math.max(...counts) < 100, `${[...counts]}`);
});

test("at most 64 datagrams and 65,507 bytes are joined", () => {
  const { world, b, sender, receiver } = pair({ joinProbability: 1, joinMs: 0 });
  sender.send(b.address, new Uint8Array(6500), 100);
  world.runFor(2);
  assert.deepEqual(sizes(receiver), [6400, 100]);
  for (let i = 0; i < 3; i++) sender.send(b.address, new Uint8Array(30_000));
  world.runFor(2);
  assert.deepEqual(sizes(receiver).slice(2), [60_000, 30_000]);
});

test("a view that a machine keeps is spoilt behind its back", () => {
  class Keeper extends ProbeMachine {
    kept: Uint8Array | undefined;
    override handleDatagram(_nowMs: number, _from: SocketAddress, bytes: Uint8Array): void {
      assert.deepEqual([...bytes], [1, 2, 3]);
      assert.notEqual(bytes.byteOffset, 0);
      this.kept = bytes;
    }
  }
  const keeper = new Keeper();
  const { world, b, sender } = pair({}, 1, keeper);
  sender.send(b.address, Uint8Array.of(1, 2, 3));
  world.runFor(2);
  assert.deepEqual([...(keeper.kept as Uint8Array)], [0xdb, 0xdb, 0xdb]);
});

test("events are pumped after every input, and what that leads to is sent at once", () => {
  const { world, a, b, sender, receiver } = pair();
  const inputs: number[] = [];
  // The hook answers each datagram that it finds; its own sending is another input of the same machine.
  let answered = 0;
  b.onInput = (nowMs) => {
    inputs.push(nowMs);
    while (answered < receiver.received.length) {
      answered++;
      b.input(() => receiver.send(a.address, new Uint8Array(7)));
    }
  };
  sender.send(b.address, new Uint8Array(200), 100);
  world.runFor(10);
  assert.deepEqual(sizes(sender), [7, 7]);
  assert.ok(inputs.length >= 2);
  assert.ok(inputs.every((atMs) => atMs <= 1));
});

test("an input from within another host's hook is drained, too", () => {
  const { world, a, b, sender, receiver } = pair();
  let isDone = false;
  b.onInput = () => {
    if (isDone || receiver.received.length === 0) return;
    isDone = true;
    a.input(() => sender.send(b.address, new Uint8Array(9)));
  };
  sender.send(b.address, new Uint8Array(5));
  world.runFor(10);
  assert.deepEqual(sizes(receiver), [5, 9]);
});

test("a machine is woken exactly when it asks, also when it changes its mind", () => {
  const { world, a, sender } = pair({ earlyWakeUpProbability: 1 });
  sender.timeoutMs = 50;
  world.runFor(10);
  a.input(() => {
    sender.timeoutMs = 20;
  });
  world.runFor(100);
  a.input((nowMs) => {
    sender.timeoutMs = nowMs + 30;
  });
  world.runFor(10);
  a.input(() => {
    sender.timeoutMs = 200.25;
  });
  world.runFor(100);
  assert.deepEqual(sender.wokenAtMs, [20, 200.25]);
});

test("late timers are late by the seed and never early", () => {
  const { world, a, sender } = pair({ timerLatenessMs: 3 });
  for (let dueMs = 100; dueMs <= 1000; dueMs += 100) {
    a.input(() => {
      sender.timeoutMs = dueMs;
    });
    world.runFor(100 - (world.nowMs % 100) + 50);
  }
  const latenessesMs = sender.wokenAtMs.map((atMs, i) => atMs - (i + 1) * 100);
  assert.equal(latenessesMs.length, 10);
  assert.ok(
    latenessesMs.every((lateMs) => lateMs >= 0 && lateMs < 3),
    `${latenessesMs}`,
  );
  assert.ok(Math.max(...latenessesMs) > 1);
});

test("an early wake-up that changes anything is found", () => {
  class Eager extends ProbeMachine {
    override handleTimeout(nowMs: number): void {
      this.timeoutMs = nowMs + 1000;
    }
  }
  const eager = new Eager();
  eager.timeoutMs = 500;
  const { world } = pair({ earlyWakeUpProbability: 1 }, 1, eager);
  assert.throws(() => world.runFor(499), /B: an early wake-up at .* moved the timer/);

  class Chatty extends ProbeMachine {
    override handleTimeout(): void {
      this.send({ family: 4, host: "198.51.100.1", port: 4000 }, new Uint8Array(1));
    }
  }
  const chatty = pair({ earlyWakeUpProbability: 1 }, 1, new Chatty());
  assert.throws(() => chatty.world.runFor(5000), /B: an early wake-up at .* made it send/);
});

test("a sleeping host neither wakes up nor receives, and is late with its timer when it resumes", () => {
  const { world, b, sender, receiver } = pair();
  receiver.timeoutMs = 20;
  world.runFor(10);
  b.pause();
  sender.send(b.address, new Uint8Array(10));
  world.runFor(90);
  b.resume();
  sender.send(b.address, new Uint8Array(20));
  world.runFor(10);
  assert.deepEqual(sizes(receiver), [20]);
  assert.deepEqual(receiver.wokenAtMs, [100]);
  assert.equal(world.drops.get("asleep"), 1);
});

test("a host that is stopped with its socket open finds what came meanwhile, up to the socket's buffer", () => {
  const { world, b, sender, receiver } = pair();
  b.pause({ packets: "buffered" });
  sender.send(b.address, new Uint8Array(10));
  for (let i = 0; i < 5; i++) sender.send(b.address, new Uint8Array(60_000));
  world.runFor(50);
  assert.equal(receiver.received.length, 0);
  b.resume();
  world.runFor(0);
  assert.deepEqual(sizes(receiver), [10, 60_000, 60_000, 60_000]);
  assert.equal(world.drops.get("receive buffer is full"), 2);
});

test("a clock that stops in sleep goes on where it stood, and timers with it", () => {
  const { world, b, receiver } = pair();
  receiver.timeoutMs = 60;
  world.runFor(10);
  b.pause({ clockStops: true });
  world.runFor(1000);
  assert.equal(b.nowMs, 10);
  b.resume();
  world.runFor(20);
  assert.equal(b.nowMs, 30);
  world.runFor(100);
  assert.deepEqual(receiver.wokenAtMs, [60]);
});

test("hosts have clocks of their own", () => {
  const world = new World({ startMs: 1e6 / 3 });
  const a = world.addHost("A", { ip: "198.51.100.1", link: { delayMs: 0.1 }, clockOffsetMs: 1e9 / 7 });
  const machine = new ProbeMachine();
  a.run(machine);
  const startMs = a.nowMs;
  assert.equal(startMs, 1e6 / 3 + 1e9 / 7);
  for (let i = 1; i <= 50; i++) {
    a.input((nowMs) => {
      machine.timeoutMs = nowMs + 0.7 * i;
    });
    world.runFor(100);
  }
  assert.equal(machine.wokenAtMs.length, 50);
});

test("a restarted host runs the new machine, and the old one is not called again", () => {
  const { world, b, sender, receiver } = pair();
  receiver.timeoutMs = 20;
  sender.send(b.address, new Uint8Array(1));
  world.runFor(5);
  const next = new ProbeMachine();
  b.run(next);
  sender.send(b.address, new Uint8Array(2));
  world.runFor(50);
  b.run(undefined);
  sender.send(b.address, new Uint8Array(3));
  world.runFor(50);
  assert.deepEqual([sizes(receiver), receiver.wokenAtMs, sizes(next)], [[1], [], [2]]);
  assert.equal(world.drops.get("nothing runs"), 1);
});

test("a host with a new address sends from it, and packets to the old one are lost", () => {
  const { world, a, b, sender, receiver } = pair();
  const before = a.address;
  a.changeAddress("198.51.100.9");
  sender.send(b.address, new Uint8Array(1));
  receiver.send(before, new Uint8Array(2));
  receiver.send(a.address, new Uint8Array(3));
  world.runFor(5);
  assert.equal(receiver.last?.from.host, "198.51.100.9");
  assert.deepEqual(sizes(sender), [3]);
});

test("a host that moves behind a NAT is seen at the NAT's address", () => {
  const { world, a, b, sender, receiver } = pair();
  const inner = world.addNetwork("home");
  world.addRouter("router", { ip: "198.51.100.7", inner, router: { kind: "nat" } });
  a.move(inner, "10.0.0.2");
  sender.send(b.address, new Uint8Array(1));
  world.runFor(5);
  assert.equal(receiver.last?.from.host, "198.51.100.7");
});

test("a host on two networks sends by the one that has the address, or the first of the family", () => {
  const world = new World();
  const lan = world.addNetwork("LAN");
  const a = world.addHost("A", { ip: "198.51.100.1" });
  a.join(lan, "10.0.0.1");
  a.join(world.internet, "2001:db8::1");
  const neighbour = world.addHost("N", { ip: "10.0.0.2", network: lan });
  const remote = world.addHost("R", { ip: "192.0.2.1" });
  remote.join(world.internet, "2001:db8::2");
  const machines = [a, neighbour, remote].map((host) => {
    const machine = new ProbeMachine();
    host.run(machine);
    return machine;
  });
  for (const to of [neighbour.address, ...remote.addresses]) machines[0]?.send(to, new Uint8Array(1));
  world.runFor(1);
  assert.deepEqual(
    machines.slice(1).map((machine) => machine.received.map(({ from }) => from.host)),
    [["10.0.0.1"], ["198.51.100.1", "2001:db8::1"]],
  );
});

// ---- Firewall ----------------------------------------------------------------------------------------------------

test("a cut between two hosts stops them both ways and nobody else, until it is healed", () => {
  const { world, a, b, sender, receiver } = pair();
  const other = new ProbeMachine();
  const c = world.addHost("C", { ip: "198.51.100.3" });
  c.run(other);
  const exchange = (): number[][] => {
    sender.send(b.address, new Uint8Array(1));
    sender.send(c.address, new Uint8Array(2));
    receiver.send(a.address, new Uint8Array(3));
    world.runFor(5);
    return [sender, receiver, other].map((machine) => machine.received.splice(0).map(({ bytes }) => bytes.length));
  };
  world.firewall.cut(a, b);
  assert.deepEqual(exchange(), [[], [], [2]]);
  world.firewall.heal(a, b);
  assert.deepEqual(exchange(), [[3], [1], [2]]);
  world.firewall.cutOneWay(a, b);
  assert.deepEqual(exchange(), [[3], [], [2]]);
});

test("a rule drops what meets all of its conditions", () => {
  const { world, b, sender, receiver } = pair();
  const rule = world.firewall.add({ to: b, longerThanBytes: 100, matches: (payload) => payload[0] === 7 });
  for (const [lengthBytes, first] of [
    [100, 7],
    [101, 7],
    [102, 8],
  ] as const) {
    sender.send(b.address, new Uint8Array(lengthBytes).fill(first));
  }
  world.runFor(5);
  assert.deepEqual(sizes(receiver), [100, 102]);
  world.firewall.remove(rule);
  sender.send(b.address, new Uint8Array(101).fill(7));
  world.runFor(5);
  assert.equal(receiver.last?.bytes.length, 101);
});

// ---- Determinism ---------------------------------------------------------------------------------------------------

/** A noisy conversation of echoes. @returns the hash of its trace. */
function noisyRun(options: Partial<WorldOptions>, alter: (world: World) => void = () => {}): string {
  const { world, a, b, sender } = pair({ joinProbability: 0.3, joinMs: 1, ...options }, 5, new ProbeMachine(true));
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
  assert.notEqual(
    noisyRun({}, (world) => sendOne(world, 1, 300.001)),
    one,
  );
});

test("the printed trace tells time, fate, reason and addresses, in the words of the test", () => {
  const { world, a, b, sender } = pair();
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
  const { world, b, sender } = pair({ traceRecords: 4 });
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
