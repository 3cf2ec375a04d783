// One endpoint and several peers that share its memory: nobody is left without credit for good, whoever comes and goes.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import type { Connection } from "../../src/transport/connection.ts";
import type { TransportSettings } from "../../src/transport/transport-settings.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { addressOf, give, take } from "./datagram-tap.ts";
import { EndpointMachine, type StreamRecord } from "./endpoint-machine.ts";

const MIB = 1024 * 1024;

interface Client {
  readonly machine: EndpointMachine;
  readonly address: SocketAddress;
  readonly connection: Connection;
}

/** A server and its clients; datagrams arrive at once, or after a while. */
class Star {
  nowMs = 1_000;
  readonly server: EndpointMachine;
  readonly clients: Client[] = [];
  private readonly address = addressOf("198.51.100.200");
  private readonly delayMs: number;
  private readonly underWay: { readonly atMs: number; arrive(): void }[] = [];

  constructor(count: number, settings: Partial<TransportSettings>, delayMs = 0) {
    this.delayMs = delayMs;
    const random = new SeededRandom(7);
    this.server = new EndpointMachine(random.fork("server"), settings);
    for (let i = 0; i < count; i++) {
      const machine = new EndpointMachine(random.fork(`client ${i}`));
      const connection = machine.connect(this.nowMs, this.server.identity, this.address);
      this.clients.push({ machine, connection, address: addressOf(`198.51.100.${i + 1}`) });
    }
    // The rules are sums over all that is in flight, and this is about what lies still.
    for (const machine of [this.server, ...this.clients.map((client) => client.machine)]) machine.checkEvery = 100;
    this.pass(200);
  }

  private send(arrive: () => void): void {
    if (this.delayMs === 0) arrive();
    else this.underWay.push({ atMs: this.nowMs + this.delayMs, arrive });
  }

  /** When the next datagram arrives. */
  private get arrivalMs(): number {
    return this.underWay[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  private carry(): boolean {
    let sent = 0;
    for (const { machine, address } of this.clients) {
      const datagrams = take(machine, this.nowMs);
      sent += datagrams.length;
      if (datagrams.length > 0) this.send(() => give(this.server, this.nowMs, address, datagrams));
    }
    for (const datagram of take(this.server, this.nowMs)) {
      sent++;
      const client = this.clients.find(({ address }) => address.host === datagram.route.remote.host) ?? assert.fail();
      this.send(() => give(client.machine, this.nowMs, this.address, [datagram]));
    }
    return sent > 0;
  }

  pass(durationMs: number): void {
    const machines = [this.server, ...this.clients.map(({ machine }) => machine)];
    for (const endMs = this.nowMs + durationMs; ; ) {
      while (this.carry());
      const nextMs = Math.min(this.arrivalMs, ...machines.map((machine) => machine.pollTimeout()));
      if (nextMs > endMs) {
        this.nowMs = endMs;
        return;
      }
      this.nowMs = Math.max(this.nowMs, nextMs);
      while (this.arrivalMs <= this.nowMs) this.underWay.shift()?.arrive();
      for (const machine of machines) machine.handleTimeout(this.nowMs);
    }
  }

  upload({ machine, connection }: Client, lengthBytes: number): StreamRecord {
    const record = machine.open(this.nowMs, connection);
    machine.send(this.nowMs, record, lengthBytes);
    return record;
  }

  /** @returns the bytes of the client's stream that the server has got. */
  received({ connection }: Client, { stream: { id } }: StreamRecord): number {
    const isTwin = ({ stream }: StreamRecord): boolean =>
      stream.id === id && stream.connection.remoteSession === connection.localSession;
    return [...this.server.records.values()].find(isTwin)?.received ?? 0;
  }

  close({ connection }: Client): void {
    connection.close(this.nowMs, 0, "bye");
  }
}

const isAllAcked = ({ connection }: Client): boolean => connection.streams.heldBytes === 0;

test("a peer whose window was wide goes on when so many others have come that its share is a small part of that", () => {
  const star = new Star(18, {});
  const [first, ...others] = star.clients as [Client, ...Client[]];
  star.upload(first, 60_000_000);
  star.pass(3_000);
  for (const other of others) star.upload(other, 3_000_000);
  star.pass(3_000);
  star.upload(first, 60_000_000);
  star.pass(30_000);
  assert.ok(star.clients.every(isAllAcked), "all that was sent was taken");
});

for (const isLeaving of [true, false]) {
  test(`memory that becomes free as another peer ${isLeaving ? "leaves" : "stays"} is ${isLeaving ? "told of" : "not there"} at once`, () => {
    const star = new Star(2, { memoryBytes: 4 * MIB });
    const [first, second] = star.clients as [Client, Client];
    star.server.onStream = (record) => {
      record.readPaused = true;
    };
    // Each holds its half of the memory, unread.
    for (const client of [first, second]) for (let i = 0; i < 100; i++) star.upload(client, 60_000);
    star.pass(5_000);
    star.server.onStream = () => {};
    const quick = star.upload(second, 500_000);
    star.pass(5_000);
    const receivedBytes = (): number => star.received(second, quick);
    assert.ok(receivedBytes() < 500_000, "there was no room");
    if (isLeaving) star.close(first);
    star.pass(20_000);
    assert.equal(receivedBytes() === 500_000, isLeaving);
  });
}

test("two readers that have stopped do not keep the others of their connection waiting for good where all other connections are idle", () => {
  const star = new Star(25, { memoryBytes: 4 * MIB }, 25);
  const late = star.clients.at(-1) ?? assert.fail();
  for (const client of star.clients.slice(0, -1)) {
    star.upload(client, 3_000_000);
    star.pass(2_000);
  }
  star.pass(10_000);
  assert.ok(star.clients.every(isAllAcked));
  star.server.onStream = (record) => {
    record.readPaused = true;
  };
  for (let i = 0; i < 2; i++) star.upload(late, 100_000);
  star.pass(2_000);
  star.server.onStream = () => {};
  const quick = star.upload(late, 200_000);
  star.pass(30_000);
  assert.equal(star.received(late, quick), 200_000);
});
