// Hosts run their machines as machine.ts prescribes, and do what computers do: sleep, restart, move.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import { ProbeMachine } from "./probe-machine.ts";
import { probePair, sizes } from "./probe-pair.ts";
import { World } from "./world.ts";

test("a batch is cut into datagrams of the segment size, the last of which may be shorter", () => {
  const { world, b, sender, receiver } = probePair();
  const bytes = Uint8Array.from({ length: 2500 }, (_, i) => i);
  sender.send(b.address, bytes, 1200);
  world.runFor(2);
  assert.deepEqual(sizes(receiver), [1200, 1200, 100]);
  assert.deepEqual(Buffer.concat(receiver.received.map((datagram) => datagram.bytes)), Buffer.from(bytes));
  assert.deepEqual(receiver.last?.from, { family: 4, host: "198.51.100.1", port: 4000 });
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
  const { world, b, sender } = probePair({}, 1, keeper);
  sender.send(b.address, Uint8Array.of(1, 2, 3));
  world.runFor(2);
  assert.deepEqual([...(keeper.kept as Uint8Array)], [0xdb, 0xdb, 0xdb]);
});

test("events are pumped after every input, and what that leads to is sent at once", () => {
  const { world, a, b, sender, receiver } = probePair();
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

test("all that an input led to is sent before events are pumped", () => {
  const { world, b, sender } = probePair({}, 1, new ProbeMachine(true));
  const sent: number[] = [];
  b.onInput = () => sent.push(b.datagramsSent);
  for (let i = 0; i < 3; i++) sender.send(b.address, new Uint8Array(i + 1));
  world.runFor(5);
  assert.deepEqual(sent, [0, 1, 2, 3]);
});

test("an input from within another host's hook is drained, too", () => {
  const { world, a, b, sender, receiver } = probePair();
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
  const { world, a, sender } = probePair({ earlyWakeUpProbability: 1 });
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
  const { world, a, sender } = probePair({ timerLatenessMs: 3 });
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
  const { world } = probePair({ earlyWakeUpProbability: 1 }, 1, eager);
  assert.throws(() => world.runFor(499), /B: an early wake-up at .* moved the timer/);

  class Chatty extends ProbeMachine {
    override handleTimeout(): void {
      this.send({ family: 4, host: "198.51.100.1", port: 4000 }, new Uint8Array(1));
    }
  }
  const chatty = probePair({ earlyWakeUpProbability: 1 }, 1, new Chatty());
  assert.throws(() => chatty.world.runFor(5000), /B: an early wake-up at .* made it send/);
});

test("a sleeping host neither wakes up nor receives, and is late with its timer when it resumes", () => {
  const { world, b, sender, receiver } = probePair();
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
  const { world, b, sender, receiver } = probePair();
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
  const { world, b, receiver } = probePair();
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

test("hosts have clocks of their own, and rounding between clocks wakes no machine twice or too early", () => {
  class Counter extends ProbeMachine {
    calls = 0;
    override handleTimeout(nowMs: number): void {
      this.calls++;
      super.handleTimeout(nowMs);
    }
  }
  // The world's clock is coarser than the host's, so that what the host asks for falls between its ticks.
  const world = new World({ startMs: 1e9 / 7, earlyWakeUpProbability: 0 });
  const a = world.addHost("A", { ip: "198.51.100.1", clockOffsetMs: -1e9 / 7 + 1 / 3 });
  const machine = new Counter();
  a.run(machine, (nowMs) => assert.ok(nowMs >= (machine.wokenAtMs.at(-1) ?? 0), "time went back"));
  assert.ok(Math.abs(a.nowMs - 1 / 3) < 1e-6);
  const wanted: number[] = [];
  for (let i = 1; i <= 500; i++) {
    a.input((nowMs) => {
      machine.timeoutMs = nowMs + 0.07 * i;
      wanted.push(machine.timeoutMs);
    });
    world.runFor(100 / 3);
    world.runFor(100 / 3);
  }
  assert.equal(machine.calls, 500);
  assert.ok(machine.wokenAtMs.every((atMs, i) => atMs >= (wanted[i] as number) && atMs < (wanted[i] as number) + 1e-3));
});

test("a restarted host runs the new machine, and the old one is not called again", () => {
  const { world, b, sender, receiver } = probePair();
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
  const { world, a, b, sender, receiver } = probePair();
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
  const { world, a, b, sender, receiver } = probePair();
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

test("a further socket sends from its own port and receives under its carrier, until it is closed", () => {
  const { world, a, b, sender, receiver } = probePair({}, 1, new ProbeMachine(true));
  a.openSocket(7, 6000);
  b.openSocket(3, 5001);
  sender.send({ ...b.address, port: 5001 }, new Uint8Array(1), 1, 7);
  world.runFor(5);
  assert.deepEqual([receiver.last?.carrier, receiver.last?.from.port], [3, 6000]);
  assert.deepEqual([sender.last?.carrier, sender.last?.from.port], [7, 5001]);
  a.closeSocket(7);
  sender.send(b.address, new Uint8Array(1), 1, 7);
  receiver.send({ ...a.address, port: 6000 }, new Uint8Array(1));
  world.runFor(5);
  assert.deepEqual([receiver.received.length, sender.received.length], [1, 1]);
  assert.throws(() => b.openSocket(4, 5001), /in use/);
});

test("sockets that are bound to addresses tell them apart, as a STUN server by RFC 5780 needs", () => {
  const { world, b, sender, receiver } = probePair({}, 1, new ProbeMachine(true));
  b.join(world.internet, "198.51.100.3");
  const [first, second] = ["198.51.100.2", "198.51.100.3"] as const;
  b.openSocket(1, 5001, first);
  b.openSocket(2, 5000, second);
  b.openSocket(3, 5001, second);
  const targets = [first, second].flatMap((host) => [5000, 5001].map((port) => ({ family: 4, host, port }) as const));
  for (const to of targets) sender.send(to, new Uint8Array(1));
  world.runFor(5);
  assert.deepEqual(
    receiver.received.map(({ carrier }) => carrier),
    [0, 1, 2, 3],
  );
  assert.deepEqual(
    sender.received.map(({ from }) => from),
    targets,
  );
});

test("each further socket gets a mapping of its own at a NAT", () => {
  const world = new World();
  const inner = world.addNetwork("home");
  world.addRouter("router", { ip: "198.51.100.7", inner, router: { kind: "nat", ports: "random" } });
  const a = world.addHost("A", { ip: "10.0.0.2", network: inner });
  const b = world.addHost("B", { ip: "192.0.2.1" });
  const [sender, receiver] = [new ProbeMachine(), new ProbeMachine()];
  a.run(sender);
  b.run(receiver);
  for (let carrier = 1; carrier <= 50; carrier++) {
    a.openSocket(carrier, 20_000 + carrier);
    sender.send(b.address, new Uint8Array(1), 1, carrier);
  }
  world.runFor(1);
  assert.equal(new Set(receiver.received.map(({ from }) => from.port)).size, 50);
});
