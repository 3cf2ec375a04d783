// Bulk transfers for measuring congestion control: one host that sends without end to several others, with a connection and a
// controller for each, so that all of them share what the host's link can carry; and the other side, which reads and counts.
// The content is not checked, other tests do that, and the same memory is written again and again: it is the packets that count.

import assert from "node:assert/strict";
import type { SocketAddress } from "../../src/base/address.ts";
import type { Ecn } from "../../src/base/ecn.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Machine } from "../../src/base/machine.ts";
import { type Random, randomBytes } from "../../src/base/random.ts";
import { type Carrier, RouteTable } from "../../src/base/route.ts";
import type { Transmit } from "../../src/base/transmit.ts";
import type { Identity } from "../../src/crypto/identity.ts";
import type { CongestionControllerFactory } from "../../src/transport/congestion-controller.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { Endpoint, NO_PSK, NO_SECRET_TAG } from "../../src/transport/endpoint.ts";
import type { Stream } from "../../src/transport/stream.ts";
import type { TransportSettings } from "../../src/transport/transport-settings.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import { unencryptedCipher } from "../crypto/unencrypted-cipher.ts";

const CHUNK = new Uint8Array(16 * 1024);
const KEY = new Uint8Array([1]);

function endpointOf(random: Random, identity: Identity, settings: Partial<TransportSettings>): Endpoint {
  return new Endpoint({
    identity,
    instance: randomBytes(random, 8),
    random,
    cipher: unencryptedCipher,
    log: silentLog,
    admit: () => ({ psk: NO_PSK }),
    settings,
  });
}

/** Reads everything, and sends what comes on the second stream back: that one is a terminal. */
export class BulkReceiver implements Machine {
  readonly identity: Identity;
  readonly routes = new RouteTable();
  receivedBytes = 0;
  private readonly endpoint: Endpoint;

  constructor(random: Random) {
    this.identity = seededIdentity(random);
    this.endpoint = endpointOf(random, this.identity, {});
  }

  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, _carrier?: Carrier, codepoint?: Ecn): void {
    this.endpoint.handlePacket(nowMs, this.routes.direct(from), bytes, 0, bytes.length, codepoint);
  }

  handleTimeout(nowMs: number): void {
    this.endpoint.handleTimeout(nowMs);
  }

  pollTimeout(): number {
    return this.endpoint.pollTimeout();
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.endpoint.pollTransmit(nowMs, out);
  }

  pump(nowMs: number): void {
    for (let next = this.endpoint.pollEvent(); next !== undefined; next = this.endpoint.pollEvent()) {
      if (next.event.type !== "readable") continue;
      const { stream } = next.event;
      for (let bytes = stream.read(); bytes !== undefined; bytes = stream.read()) {
        if (stream.id === 0) this.receivedBytes += bytes.length;
        else stream.write(nowMs, bytes.slice());
      }
    }
  }
}

/** One connection of the sending host. */
export class Flow {
  readonly endpoint: Endpoint;
  readonly connection: Connection;
  /** Round trips of the terminal's keystrokes, in ms. */
  readonly keystrokesMs: number[] = [];
  private bulk: Stream | undefined;
  private terminal: Stream | undefined;
  private pressedAtMs: number[] = [];

  constructor(
    nowMs: number,
    random: Random,
    congestion: CongestionControllerFactory,
    to: BulkReceiver,
    routes: RouteTable,
    address: SocketAddress,
  ) {
    this.endpoint = endpointOf(random, seededIdentity(random), { congestion });
    const connection = this.endpoint.connect(nowMs, {
      remoteIdentity: to.identity.publicKey,
      psk: NO_PSK,
      secretTag: NO_SECRET_TAG,
      routes: [routes.direct(address)],
    });
    assert.ok(connection);
    this.connection = connection;
  }

  /** A key is pressed in the terminal. */
  press(nowMs: number): void {
    this.terminal ??= this.connection.openStream(nowMs);
    this.pressedAtMs.push(nowMs);
    this.terminal?.write(nowMs, KEY);
  }

  pump(nowMs: number): void {
    for (let next = this.endpoint.pollEvent(); next !== undefined; next = this.endpoint.pollEvent()) {
      const { event } = next;
      if (event.type === "connected") this.bulk = this.connection.openStream(nowMs);
      if (event.type === "connected" || (event.type === "writable" && event.stream === this.bulk)) this.write(nowMs);
      if (event.type === "readable") this.readEcho(nowMs, event.stream);
    }
  }

  private write(nowMs: number): void {
    while (this.bulk?.write(nowMs, CHUNK));
  }

  private readEcho(nowMs: number, stream: Stream): void {
    for (let bytes = stream.read(); bytes !== undefined; bytes = stream.read()) {
      for (let i = 0; i < bytes.length; i++) this.keystrokesMs.push(nowMs - (this.pressedAtMs.shift() as number));
    }
  }
}

/** All flows of the sending host behind one socket. */
export class BulkSender implements Machine {
  readonly flows: Flow[] = [];
  readonly routes = new RouteTable();
  private readonly byAddress = new Map<SocketAddress, Flow>();
  private turn = 0;

  /** Starts a flow that sends as much as it can from now on. */
  start(
    nowMs: number,
    random: Random,
    congestion: CongestionControllerFactory,
    to: BulkReceiver,
    address: SocketAddress,
  ): Flow {
    const flow = new Flow(nowMs, random, congestion, to, this.routes, address);
    this.flows.push(flow);
    this.byAddress.set(address, flow);
    return flow;
  }

  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, _carrier?: Carrier, codepoint?: Ecn): void {
    const route = this.routes.direct(from);
    this.byAddress.get(from)?.endpoint.handlePacket(nowMs, route, bytes, 0, bytes.length, codepoint);
  }

  handleTimeout(nowMs: number): void {
    for (const flow of this.flows) flow.endpoint.handleTimeout(nowMs);
  }

  pollTimeout(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const flow of this.flows) earliest = Math.min(earliest, flow.endpoint.pollTimeout());
    return earliest;
  }

  /** Batch by batch in turn, as two programs that share a link do. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    for (let i = 0; i < this.flows.length; i++) {
      const flow = this.flows[this.turn++ % this.flows.length] as Flow;
      if (flow.endpoint.pollTransmit(nowMs, out)) return true;
    }
    return false;
  }

  pump(nowMs: number): void {
    for (const flow of this.flows) flow.pump(nowMs);
  }
}
