// The loop around a machine: what is put in is drained, timers fire, and a fault is loud.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { SocketAddress } from "../../src/base/address.ts";
import { DRIVER_SAMPLE_EVERY, DRIVER_SEND_BYTES } from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import { Transmit } from "../../src/base/transmit.ts";
import type { DatagramHandlers, DatagramSocket } from "../../src/io/datagram-socket.ts";
import { Driver, type EventfulMachine } from "../../src/io/driver.ts";
import { FineTimer } from "../../src/io/fine-timer.ts";
import { loadLibc } from "../../src/io/libc.ts";
import { until } from "./condition-wait.ts";

const from: SocketAddress = { family: 4, host: "192.0.2.1", port: 4000 };
const route = new RouteTable().direct(from);

/** Answers every datagram with one of its own at the next drain, and can be made to fail. */
class CountingMachine implements EventfulMachine<string> {
  readonly calls: string[] = [];
  readonly events: string[] = [];
  unsent = 0;
  timeoutMs = Number.POSITIVE_INFINITY;
  fails = false;

  handleDatagram(_nowMs?: number, _from?: SocketAddress, _bytes?: Uint8Array, _carrier?: number): void {
    this.calls.push("datagram");
    if (this.fails) throw new Error("a fault");
    this.unsent++;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.timeoutMs) return;
    this.calls.push("timeout");
    this.timeoutMs = Number.POSITIVE_INFINITY;
  }

  pollTimeout(): number {
    return this.timeoutMs;
  }

  pollTransmit(_nowMs: number, out: Transmit): boolean {
    if (this.unsent === 0) return false;
    this.unsent--;
    this.calls.push("transmit");
    out.single(route, Uint8Array.of(1));
    return true;
  }

  pollEvent(): string | undefined {
    return this.events.shift();
  }
}

class MemorySocket implements DatagramSocket {
  readonly localPort = 1;
  readonly localHost = "0.0.0.0";
  readonly families = [4] as const;
  readonly neverFragments = true;
  readonly counters = { sentDatagrams: 0, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 };
  readonly transmit = new Transmit();
  handlers: DatagramHandlers | undefined;
  ready = true;
  closed = false;

  send(): void {
    this.counters.sentDatagrams++;
  }

  start(handlers: DatagramHandlers): void {
    this.handlers = handlers;
  }

  close(): void {
    this.closed = true;
  }

  /** As a socket does that was looked at and had one datagram. */
  receive(bytes: Uint8Array): void {
    this.handlers?.onDatagram(from, bytes);
    this.handlers?.onAllRead();
  }
}

function start(onEvent: (event: string, machine: CountingMachine) => void = () => {}, fineTimer?: FineTimer) {
  const machine = new CountingMachine();
  const socket = new MemorySocket();
  const faults: unknown[] = [];
  const driver = new Driver<string>({
    machine,
    socket,
    fineTimer,
    onEvent: (_nowMs, event) => onEvent(event, machine),
    onFault: (error) => faults.push(error),
  });
  driver.start();
  return { machine, socket, driver, faults };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test("datagrams that are read together are all put in before the machine is drained", async () => {
  const { machine, socket } = start();
  await turn();
  for (let i = 0; i < 3; i++) socket.handlers?.onDatagram(from, new Uint8Array(100));
  socket.handlers?.onAllRead();
  assert.deepEqual(machine.calls, ["datagram", "datagram", "datagram", "transmit", "transmit", "transmit"]);
});

test("a socket is told what patience the machine has, and of none where the machine tells of none", () => {
  const { machine, socket } = start();
  assert.equal(socket.handlers?.patienceMs?.(), 0);
  Object.assign(machine, { patienceMs: () => 0.7 });
  assert.equal(socket.handlers?.patienceMs?.(), 0.7);
});

test("where inputs come one by one, each is drained before its callback returns", async () => {
  const { machine, socket, driver } = start();
  await turn();
  for (let i = 0; i < 2; i++) socket.receive(new Uint8Array(100));
  assert.deepEqual(machine.calls, ["datagram", "transmit", "datagram", "transmit"]);
  machine.unsent = 1;
  driver.settle();
  assert.equal(machine.unsent, 0);
});

test("what the machine was given by somebody who has more to do is drained when that is done", async () => {
  const { machine, driver } = start();
  await turn();
  machine.unsent = 1;
  driver.wake();
  assert.equal(machine.unsent, 1);
  await new Promise((resolve) => process.nextTick(resolve));
  assert.equal(machine.unsent, 0);
});

test("who settles while the machine is drained is heard in the same drain", async () => {
  const { machine, driver } = start((event, its) => {
    its.unsent++;
    driver.settle();
    if (event === "first") its.events.push("second");
  });
  machine.events.push("first");
  driver.flush();
  assert.deepEqual(machine.calls, ["transmit", "transmit"]);
});

test("where turns bring several inputs again, the machine is drained once a turn again", async () => {
  const { machine, socket } = start();
  await turn();
  for (let round = 0; round < 2 * DRIVER_SAMPLE_EVERY; round++) {
    machine.calls.length = 0;
    // Several callbacks of one turn: after each of them Node runs what stands in its queue.
    for (let i = 0; i < 3; i++) {
      socket.receive(new Uint8Array(100));
      await new Promise((resolve) => process.nextTick(resolve));
    }
    await turn();
  }
  assert.deepEqual(machine.calls, ["datagram", "datagram", "datagram", "transmit", "transmit", "transmit"]);
});

test("a flood is drained before its turn is over", async () => {
  const { machine, socket } = start();
  await turn();
  for (let i = 0; i < 5; i++) socket.receive(new Uint8Array(65_000));
  assert.ok(machine.calls.includes("transmit"));
});

test("much that is to be sent leaves in parts, and what comes between two parts has its turn", async () => {
  const { machine, socket, driver } = start();
  await turn();
  let sentBytes = 0;
  const sentWhenAsked: number[] = [];
  let leftBytes = 4 * DRIVER_SEND_BYTES;
  machine.pollTransmit = (_nowMs, out) => {
    if (leftBytes <= 0) return false;
    out.single(route, new Uint8Array(50_000));
    leftBytes -= 50_000;
    sentBytes += 50_000;
    return true;
  };
  driver.wake();
  while (leftBytes > 0) {
    await new Promise((resolve) => setImmediate(resolve));
    sentWhenAsked.push(sentBytes);
  }
  assert.ok(sentWhenAsked.length >= 4, `asked at ${sentWhenAsked.join(" ")}`);
  for (const [i, bytes] of sentWhenAsked.entries()) {
    const part = bytes - (sentWhenAsked[i - 1] ?? 0);
    assert.ok(part < DRIVER_SEND_BYTES + 50_000, `${part} bytes in one turn`);
  }
  assert.equal(socket.counters.sentDatagrams, sentBytes / 50_000);
});

test("at the end of a process all is sent at once", async () => {
  const { machine, driver } = start();
  await turn();
  let leftBytes = 3 * DRIVER_SEND_BYTES;
  machine.pollTransmit = (_nowMs, out) => {
    if (leftBytes <= 0) return false;
    out.single(route, new Uint8Array(50_000));
    leftBytes -= 50_000;
    return true;
  };
  driver.flush();
  assert.ok(leftBytes <= 0);
});

test("what an event's handler asks for is sent in the same drain", async () => {
  const { machine, socket, driver } = start((event, its) => {
    if (event === "first") {
      its.unsent++;
      its.events.push("second");
    }
  });
  machine.events.push("first");
  driver.flush();
  assert.deepEqual(machine.calls, ["transmit"]);
  assert.equal(socket.counters.sentDatagrams, 1);
  assert.equal(machine.events.length, 0);
});

test("a handler that drains again does not enter the drain a second time", () => {
  const order: string[] = [];
  const { machine, driver } = start((event) => {
    order.push(`in ${event}`);
    driver.flush();
    order.push(`out ${event}`);
  });
  machine.events.push("a", "b");
  driver.flush();
  assert.deepEqual(order, ["in a", "out a", "in b", "out b"]);
});

test("nothing is sent while the socket is full, and all of it when there is room", async () => {
  const { machine, socket } = start();
  socket.ready = false;
  socket.receive(new Uint8Array(10));
  await turn();
  assert.equal(machine.unsent, 1);
  socket.ready = true;
  socket.handlers?.onReady();
  await turn();
  assert.equal(machine.unsent, 0);
});

test("what comes to a further socket is told by its number, and what is for it leaves by it alone", async () => {
  const { machine, socket, driver } = start();
  const further = new MemorySocket();
  driver.addSocket(2, further);
  const carriers: number[] = [];
  machine.handleDatagram = (_nowMs: number, _from: SocketAddress, _bytes: Uint8Array, carrier = 0) => {
    carriers.push(carrier);
  };
  further.receive(new Uint8Array(1));
  socket.receive(new Uint8Array(1));
  assert.deepEqual(carriers, [2, 0]);

  const queue = [2, 3, 0].map((carrier) => new RouteTable().direct(from, carrier));
  machine.pollTransmit = (_nowMs, out) => {
    const next = queue.shift();
    if (next !== undefined) out.single(next, Uint8Array.of(next.carrier));
    return next !== undefined;
  };
  driver.flush();
  assert.deepEqual([further.transmit.buffer[0], further.transmit.route?.carrier], [2, 2]);
  assert.deepEqual([further.counters.sentDatagrams, socket.counters.sentDatagrams], [1, 1]);

  further.ready = false;
  queue.push(new RouteTable().direct(from, 2));
  driver.flush();
  assert.equal(further.counters.sentDatagrams, 1, "what a full socket cannot take is lost");

  further.ready = true;
  driver.closeSocket(2);
  assert.equal(further.closed, true);
  queue.push(new RouteTable().direct(from, 2));
  driver.flush();
  assert.deepEqual([further.counters.sentDatagrams, socket.counters.sentDatagrams], [1, 1]);
});

test("a deadline is met, and one that moves nearer too", async () => {
  const { machine, driver } = start();
  machine.timeoutMs = performance.now() + 5_000;
  driver.flush();
  machine.timeoutMs = performance.now() + 10;
  driver.wake();
  await until(() => machine.calls.length > 0);
  assert.deepEqual(machine.calls, ["timeout"]);
});

test("a deadline in the past that does not move makes no busy loop", async () => {
  const { machine, driver } = start();
  machine.timeoutMs = 0;
  let calls = 0;
  machine.handleTimeout = () => {
    calls++;
  };
  const startMs = performance.now();
  driver.wake();
  // A busy machine is late, and has fewer calls for it.
  while (calls <= 20 && performance.now() < startMs + 5_000) await sleep(5);
  driver.stop();
  const tookMs = performance.now() - startMs;
  assert.ok(calls > 20 && calls < tookMs + 10, `${calls} calls in ${tookMs} ms`);
});

test("a deadline within a millisecond is met by a fine timer, where there is one, and a later one by Node's", async () => {
  const fineTimer = FineTimer.open(loadLibc());
  assert.ok(fineTimer !== undefined);
  const { machine, driver } = start(() => {}, fineTimer);
  await turn();
  let soonestMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 50; i++) {
    machine.calls.length = 0;
    let calledAtMs = 0;
    machine.handleTimeout = (nowMs) => {
      if (nowMs < machine.timeoutMs) return;
      calledAtMs = nowMs;
      machine.timeoutMs = Number.POSITIVE_INFINITY;
    };
    const setAtMs = performance.now();
    machine.timeoutMs = setAtMs + 0.3;
    driver.flush();
    await until(() => calledAtMs > 0);
    assert.ok(calledAtMs >= setAtMs + 0.3);
    soonestMs = Math.min(soonestMs, calledAtMs - setAtMs);
  }
  assert.ok(soonestMs < 0.9, `${soonestMs} ms`);
  let isCalled = false;
  machine.handleTimeout = () => {
    isCalled = true;
    machine.timeoutMs = Number.POSITIVE_INFINITY;
  };
  machine.timeoutMs = performance.now() + 20;
  driver.flush();
  await until(() => isCalled);
  driver.stop();
});

test("a fault of the machine is told once and stops everything", async () => {
  const { machine, socket, faults } = start();
  machine.fails = true;
  socket.receive(new Uint8Array(1));
  socket.receive(new Uint8Array(1));
  await turn();
  assert.equal(faults.length, 1);
  assert.deepEqual(machine.calls, ["datagram"]);
});
