// An endpoint as a machine of the simulated world, with the smallest application on top: streams that send a pattern, check
// it on the other side, and remember every event.

import assert from "node:assert/strict";
import type { SocketAddress } from "../../src/base/address.ts";
import type { Ecn } from "../../src/base/ecn.ts";
import { RELAY_HEADER_BYTES } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Machine } from "../../src/base/machine.ts";
import { type Random, randomBytes } from "../../src/base/random.ts";
import { type Carrier, type Route, RouteTable } from "../../src/base/route.ts";
import type { Transmit } from "../../src/base/transmit.ts";
import type { Identity } from "../../src/crypto/identity.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { Endpoint, type EndpointEvent, NO_PSK, NO_SECRET_TAG } from "../../src/transport/endpoint.ts";
import type { Admit } from "../../src/transport/handshake-responder.ts";
import type { Stream } from "../../src/transport/stream.ts";
import type { TransportSettings } from "../../src/transport/transport-settings.ts";
import { packetKind, packetLength } from "../../src/wire/datagram.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import { checkConnection } from "./connection-invariants.ts";
import { KeyRecorder } from "./key-recorder.ts";

/** The byte at `offset` of the pattern that stream `id` carries. */
export const patternByte = (id: number, offset: number): number => (offset * 31 + (offset >> 8) * 7 + id * 13) & 0xff;

export function pattern(id: number, start: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = patternByte(id, start + i);
  return bytes;
}

/** A reader gives back what it has read when it holds so many pieces of it. */
const LENT_VIEWS = 6;

/** What one side of a stream has done. */
export interface StreamRecord {
  readonly stream: Stream;
  received: number;
  sent: number;
  toSend: number;
  finished: boolean;
  ended: boolean;
  resetCode: number | undefined;
  stopCode: number | undefined;
  closed: boolean;
  /** The reader takes nothing while this is set. */
  readPaused: boolean;
  writeRefused: boolean;
  /** What was read and has not been given back. */
  lent: { readonly at: number; readonly bytes: Uint8Array }[];
  /** This side has reset its half, or asked the other one to stop. */
  resetSent: boolean;
  stopSent: boolean;
}

export class EndpointMachine implements Machine {
  readonly endpoint: Endpoint;
  readonly identity: Identity;
  readonly routes = new RouteTable();
  readonly records = new Map<Stream, StreamRecord>();
  readonly events: EndpointEvent[] = [];
  readonly accepted: Connection[] = [];
  readonly cipher = new KeyRecorder();
  /** Whether an initiation is answered, and with which key. */
  admit: Admit;
  /** Every connection that was heard of and is not over; their rules are checked after every input. */
  readonly live = new Set<Connection>();
  /** Whether what is received has to be the pattern. */
  expectsPattern = true;
  /** Out of this many inputs, the rules are checked after one: sums over long flights cost time. */
  checkEvery = 1;
  private inputs = 0;
  /** Called for each stream that the peer opens. */
  onStream: (record: StreamRecord, nowMs: number) => void = () => {};

  constructor(random: Random, settings: Partial<TransportSettings> = {}, psk: Uint8Array = NO_PSK) {
    this.identity = seededIdentity(random);
    this.admit = () => ({ psk });
    this.endpoint = new Endpoint({
      identity: this.identity,
      instance: randomBytes(random, 8),
      random,
      cipher: this.cipher,
      log: silentLog,
      admit: (request) => this.admit(request),
      settings,
    });
  }

  connect(nowMs: number, to: Identity, address: SocketAddress, psk: Uint8Array = NO_PSK): Connection {
    return this.connectOver(nowMs, to, this.routes.direct(address), psk);
  }

  /** Without a route the initiation is fetched by `handshakePacket`. */
  connectOver(nowMs: number, to: Identity, route: Route | undefined, psk: Uint8Array = NO_PSK): Connection {
    const connection = this.endpoint.connect(nowMs, {
      remoteIdentity: to.publicKey,
      psk,
      secretTag: NO_SECRET_TAG,
      ...(route === undefined ? {} : { routes: [route] }),
    });
    assert.ok(connection);
    this.live.add(connection);
    return connection;
  }

  handleDatagram(nowMs: number, from: SocketAddress, datagram: Uint8Array, _carrier?: Carrier, codepoint?: Ecn): void {
    // As Node hands it over: slices of a Buffer are views, and who keeps one is found out.
    const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length);
    for (let at = 0; at < bytes.length; ) {
      const length = packetLength(bytes, at, bytes.length);
      if (length === 0) return;
      const isRelayed = bytes[at] === packetKind.relayed;
      const prefixBytes = isRelayed ? RELAY_HEADER_BYTES : 0;
      const route = isRelayed
        ? this.routes.relay(from, bytes.subarray(at, at + prefixBytes))
        : this.routes.direct(from);
      this.endpoint.handlePacket(nowMs, route, bytes, at + prefixBytes, at + length, codepoint);
      at += length;
    }
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

  /** The world's hook: takes events and moves data. */
  pump(nowMs: number): void {
    if (++this.inputs % this.checkEvery === 0) for (const connection of this.live) checkConnection(connection, nowMs);
    for (;;) {
      const next = this.endpoint.pollEvent();
      if (next === undefined) return;
      this.events.push(next);
      this.onEvent(nowMs, next);
    }
  }

  private onEvent(nowMs: number, { connection, event }: EndpointEvent): void {
    switch (event.type) {
      case "connected":
        this.live.add(connection);
        if (connection.role === "responder") this.accepted.push(connection);
        break;
      case "closed":
        this.live.delete(connection);
        break;
      case "stream":
        this.onStream(this.track(event.stream), nowMs);
        break;
      case "readable":
        this.read(this.recordOf(event.stream));
        break;
      case "writable":
        this.write(nowMs, this.recordOf(event.stream));
        break;
      case "stream-reset":
        this.recordOf(event.stream).resetCode = event.code;
        break;
      case "stop-sending":
        this.recordOf(event.stream).stopCode = event.code;
        break;
      case "stream-closed": {
        const record = this.recordOf(event.stream);
        assert.equal(record.closed, false, "a stream closes once");
        record.closed = true;
        break;
      }
    }
  }

  track(stream: Stream): StreamRecord {
    const record: StreamRecord = {
      stream,
      received: 0,
      sent: 0,
      toSend: 0,
      finished: false,
      ended: false,
      resetCode: undefined,
      stopCode: undefined,
      closed: false,
      readPaused: false,
      writeRefused: false,
      lent: [],
      resetSent: false,
      stopSent: false,
    };
    this.records.set(stream, record);
    return record;
  }

  recordOf(stream: Stream): StreamRecord {
    const record = this.records.get(stream);
    assert.ok(record, "an event for a stream that nobody knows");
    return record;
  }

  open(nowMs: number, connection: Connection): StreamRecord {
    const stream = connection.openStream(nowMs);
    assert.ok(stream, "no stream to be had");
    return this.track(stream);
  }

  /** Sends this many more bytes of the pattern, then FIN. */
  send(nowMs: number, record: StreamRecord, lengthBytes: number): void {
    record.toSend += lengthBytes;
    this.write(nowMs, record);
  }

  private write(nowMs: number, record: StreamRecord): void {
    if (record.finished || record.resetSent || record.stopCode !== undefined) return;
    while (record.sent < record.toSend) {
      const size = Math.min(10_000, record.toSend - record.sent);
      const more = record.stream.write(nowMs, pattern(record.stream.id, record.sent, size));
      record.sent += size;
      if (!more) {
        record.writeRefused = true;
        return;
      }
    }
    record.finished = true;
    record.stream.finish(nowMs);
  }

  reset(nowMs: number, record: StreamRecord, code: number): void {
    record.resetSent = true;
    record.stream.reset(nowMs, code);
  }

  stopSending(nowMs: number, record: StreamRecord, code: number): void {
    record.stopSent = true;
    record.stream.stopSending(nowMs, code);
  }

  read(record: StreamRecord): void {
    if (record.readPaused) return;
    for (;;) {
      const bytes = record.stream.read();
      if (bytes === undefined) break;
      record.lent.push({ at: record.received, bytes });
      this.check(record, record.received, bytes);
      record.received += bytes.length;
    }
    if (record.lent.length >= LENT_VIEWS) this.giveBack(record);
    if (record.stream.readEnded) record.ended = true;
  }

  private check(record: StreamRecord, at: number, bytes: Uint8Array): void {
    if (!this.expectsPattern) return;
    const { id } = record.stream;
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== patternByte(id, at + i)) assert.fail(`stream ${id}: wrong byte at ${at + i}`);
    }
  }

  /** Until now, and not a moment longer, what was read has to be what it was. */
  private giveBack(record: StreamRecord): void {
    for (const { at, bytes } of record.lent) this.check(record, at, bytes);
    record.lent = [];
    record.stream.release();
  }

  /** How often an event of this type came. */
  count(type: string): number {
    return this.events.filter(({ event }) => event.type === type).length;
  }
}
