// All connections of one process: finds the connection of a packet, takes in new ones, and pulls what they want sent.
// Connections that have nothing to do cost nothing: only those that were touched are asked, and deadlines stand in a heap.

import { DeadlineHeap } from "../base/deadline-heap.ts";
import { type Ecn, ecn } from "../base/ecn.ts";
import { Fifo, TurnQueue } from "../base/fifo.ts";
import { GRANULARITY_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import { type Random, randomUint32 } from "../base/random.ts";
import type { Route } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { dhPublicKeyOf, type Identity } from "../crypto/identity.ts";
import type { PacketCipherFactory } from "../crypto/packet-cipher.ts";
import { DATA_BYTES_MIN, packetKind, packetLength, readSession } from "../wire/datagram.ts";
import { responseReceiverSession } from "../wire/handshake-packet.ts";
import { CANDIDATES_PARAMETER_BYTES_MAX, type TransportParameters } from "../wire/transport-parameters.ts";
import { BufferMemory } from "./buffer-memory.ts";
import { ConfirmedConnections } from "./confirmed-connections.ts";
import { Connection } from "./connection.ts";
import type { ConnectionConfig } from "./connection-config.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import type { ConnectOptions, EndpointConfig } from "./endpoint-config.ts";
import { HandshakeInitiator } from "./handshake-initiator.ts";
import { type Admitted, type HalfOpen, HandshakeResponder } from "./handshake-responder.ts";
import { InitiationQueue } from "./initiation-queue.ts";
import { defaultSettings, type TransportSettings } from "./transport-settings.ts";

/** The pre-shared key of a handshake without a ticket. */
export const NO_PSK = new Uint8Array(32);
/** The secret tag of an initiation without a ticket. */
export const NO_SECRET_TAG = new Uint8Array(16);

export interface EndpointEvent {
  readonly connection: Connection;
  readonly event: ConnectionEvent;
}

interface Outgoing {
  readonly route: Route;
  readonly packet: Uint8Array;
}

export class Endpoint {
  readonly identity: Identity;
  readonly instance: Uint8Array;
  private readonly random: Random;
  private readonly cipher: PacketCipherFactory;
  private readonly log: Log;
  private readonly settings: TransportSettings;
  private readonly memory: BufferMemory;
  private readonly responder: HandshakeResponder;
  private readonly candidates: EndpointConfig["candidates"];
  /** By each number that a peer may use; a half-open connection may have several. */
  private readonly connections = new Map<number, Connection>();
  private count = 0;
  private readonly confirmed = new ConfirmedConnections();
  private readonly deadlines = new DeadlineHeap<Connection>();
  private readonly touched = new TurnQueue<Connection>();
  private readonly outgoing: Outgoing[] = [];
  /** Handshakes that give way to a stalled connection. */
  private readonly resuming = new Set<Connection>();
  private readonly events = new Fifo<EndpointEvent>();
  private readonly initiations = new InitiationQueue();
  /** Deadlines that had passed and brought nothing, which is never right. */
  staleDeadlines = 0;
  /** Packets that met silence: no such session, or not authentic. */
  readonly dropped = { unknownSession: 0, notAuthentic: 0 };

  constructor(config: EndpointConfig) {
    this.identity = config.identity;
    this.instance = config.instance;
    this.random = config.random;
    this.cipher = config.cipher;
    this.log = config.log;
    this.settings = { ...defaultSettings, ...config.settings };
    this.memory = new BufferMemory(this.settings.memoryBytes);
    this.responder = new HandshakeResponder(config.identity, config.random, config.admit);
    this.candidates = config.candidates;
  }

  get connectionCount(): number {
    return this.count;
  }

  /** Initiations that met silence, by reason. */
  get refused(): Readonly<HandshakeResponder["refused"]> {
    return this.responder.refused;
  }

  private get parameters(): TransportParameters {
    return {
      maxDataBytes: this.settings.initialDataBytes,
      maxStreamDataBytes: this.settings.initialStreamDataBytes,
      maxStreams: this.settings.streamsMax,
      idleTimeoutMs: this.settings.idleTimeoutMs,
      maxDatagramBytes: 65_507,
    };
  }

  /** Starts a handshake. @returns undefined where the identity is no valid key. */
  connect(nowMs: number, options: ConnectOptions): Connection | undefined {
    const remoteDhPublicKey = dhPublicKeyOf(options.remoteIdentity);
    if (remoteDhPublicKey === undefined) return undefined;
    const connection = this.create(nowMs, "initiator", options.remoteIdentity);
    const payload = {
      identity: this.identity.publicKey,
      instance: this.instance,
      secretTag: options.secretTag,
      parameters: this.parameters,
    };
    if (options.resume === true) this.resuming.add(connection);
    const handshake = new HandshakeInitiator(
      this.identity,
      remoteDhPublicKey,
      options.psk,
      connection.localSession,
      payload,
      this.random,
    );
    if (options.routes !== undefined) {
      for (const route of options.routes) handshake.addRoute(route);
      handshake.start(nowMs);
    }
    connection.beginHandshake(handshake);
    return connection;
  }

  private create(nowMs: number, role: ConnectionConfig["role"], remoteIdentity: Uint8Array): Connection {
    const localSession = this.freeSession();
    const connection: Connection = new Connection(nowMs, {
      role,
      remoteIdentity,
      localSession,
      settings: this.settings,
      memory: this.memory,
      cipher: this.cipher,
      random: this.random,
      emit: (event) => this.events.push({ connection, event }),
      touch: () => this.touched.add(connection),
    });
    this.connections.set(localSession, connection);
    this.count++;
    return connection;
  }

  private freeSession(): number {
    let session = 0;
    while (session === 0 || this.connections.has(session)) session = randomUint32(this.random);
    return session;
  }

  // ---- input

  /**
   * Takes exactly one packet of the kinds initiation, response, cookie reply and data.
   * @param bytes is changed where a packet is opened.
   * @param codepoint of ECN that the packet came with, where that is known.
   */
  handlePacket(
    nowMs: number,
    route: Route,
    bytes: Uint8Array,
    start: number,
    end: number,
    codepoint: Ecn = ecn.notEct,
  ): void {
    switch (bytes[start]) {
      case packetKind.data:
        this.onData(nowMs, route, bytes, start, end, codepoint);
        break;
      default:
        // Packets of the handshake come in other wrappings as well, and from whoever wrote what is inside.
        if (packetLength(bytes, start, end) === end - start) this.onHandshake(nowMs, route, bytes.subarray(start, end));
    }
  }

  private onHandshake(nowMs: number, route: Route, packet: Uint8Array): void {
    switch (packet[0]) {
      case packetKind.initiation:
        this.onInitiation(nowMs, route, packet);
        break;
      case packetKind.response:
        this.onResponse(nowMs, route, packet);
        break;
      case packetKind.cookieReply: {
        const connection = this.connections.get(readSession(packet, 0));
        if (connection?.initiation?.readCookie(nowMs, packet)) connection.touch();
        break;
      }
    }
  }

  private onData(nowMs: number, route: Route, bytes: Uint8Array, start: number, end: number, codepoint: Ecn): void {
    if (end - start < DATA_BYTES_MIN) return;
    const connection = this.connections.get(readSession(bytes, start));
    if (connection === undefined) {
      this.dropped.unknownSession++;
      return;
    }
    const wasHandshaking = connection.state === "handshaking";
    try {
      if (!connection.handlePacket(nowMs, route, bytes, start, end, codepoint)) this.dropped.notAuthentic++;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.log.warn("the peer broke the protocol; the connection is closed", {
        code: error.code,
        detail: error.message,
      });
      connection.close(nowMs, error.code, error.message);
    }
    if (wasHandshaking && connection.state === "connected") this.onConfirmed(nowMs, connection);
  }

  private onInitiation(nowMs: number, route: Route, packet: Uint8Array): void {
    if (!this.responder.isForUs(packet)) return;
    const earlier = this.responder.earlierResponse(nowMs, packet);
    if (earlier !== undefined) {
      this.answerAgain(nowMs, route, earlier);
      return;
    }
    const cookieReply = this.responder.askForCookie(nowMs, route, packet);
    if (cookieReply !== undefined) {
      if (cookieReply !== "silence") this.outgoing.push({ route, packet: cookieReply });
      return;
    }
    this.initiations.add(nowMs, route, this.responder.keyOf(packet), packet);
  }

  /** Looks into initiations that wait, a few in each turn. @returns whether there is an answer to be sent. */
  private answerWaiting(nowMs: number): boolean {
    for (let next = this.initiations.take(nowMs); next !== undefined; next = this.initiations.take(nowMs)) {
      const { route, packet } = next;
      // It may have come by several routes, and have been answered over another one meanwhile.
      const earlier = this.responder.earlierResponse(nowMs, packet);
      const admitted = earlier === undefined ? this.responder.read(route, packet) : undefined;
      if (earlier !== undefined) this.answerAgain(nowMs, route, earlier);
      else if (admitted !== undefined) this.accept(nowMs, route, packet, admitted);
      if (this.outgoing.length > 0) return true;
    }
    return false;
  }

  /** The initiation has come once more. Over another route than before it gets the same answer under another number, which proves that route. */
  private answerAgain(nowMs: number, route: Route, { connection, answer }: HalfOpen): void {
    const { answered } = connection;
    let session = answered.sessionAt(route);
    if (session === undefined) {
      if (connection.state !== "handshaking" || !answered.hasRoom) return;
      session = this.freeSession();
      this.connections.set(session, connection);
    }
    connection.onResponseSent(nowMs, route, session);
    this.outgoing.push({ route, packet: this.responder.responseFrom(answer, session) });
  }

  private accept(nowMs: number, route: Route, packet: Uint8Array, admitted: Admitted): void {
    const connection = this.create(nowMs, "responder", admitted.payload.identity);
    const candidates = this.candidates?.();
    const parameters = candidates === undefined ? this.parameters : { ...this.parameters, candidates };
    const { answer, keys } = this.responder.respond(admitted, this.instance, parameters);
    if (candidates !== undefined && candidates.length <= CANDIDATES_PARAMETER_BYTES_MAX)
      connection.candidates.onTold(candidates);
    connection.onKeys(keys, admitted.remoteSession, admitted.payload.instance, admitted.payload.parameters);
    connection.onResponseSent(nowMs, route, connection.localSession);
    this.outgoing.push({ route, packet: this.responder.responseFrom(answer, connection.localSession) });
    this.touched.add(connection);
    for (const evicted of this.responder.remember(nowMs, packet, answer, connection)) {
      if (evicted.state === "handshaking") this.forget(evicted);
    }
  }

  private onResponse(nowMs: number, route: Route, packet: Uint8Array): void {
    const connection = this.connections.get(responseReceiverSession(packet));
    if (connection?.initiation === undefined || !this.responder.isForUs(packet)) return;
    const result = connection.initiation.readResponse(packet);
    if (result === undefined) {
      this.dropped.notAuthentic++;
      return;
    }
    if (this.resuming.delete(connection) && this.resumeInstead(nowMs, connection, result.payload.instance, route))
      return;
    connection.onKeys(result.keys, readSession(packet, 0), result.payload.instance, result.payload.parameters);
    connection.onResponse(nowMs, route);
    const { candidates } = result.payload.parameters;
    if (candidates !== undefined) connection.emit({ type: "candidates", body: candidates });
    this.onConfirmed(nowMs, connection);
  }

  /**
   * The instance that answers may be one that we have a stalled connection with: then that connection, with its streams, is worth
   * more than a new one. It is asked over the route of the answer; should that bring nothing, the next handshake replaces it.
   */
  private resumeInstead(nowMs: number, fresh: Connection, instance: Uint8Array, route: Route): boolean {
    for (const other of this.confirmed.of("initiator", fresh.remoteIdentity, instance)) {
      if (other.state !== "connected" || !other.isStalled || other.wasResumed) continue;
      other.wasResumed = true;
      other.probe(nowMs, route);
      fresh.vanish(closeCode.replaced, "the older connection to the same instance is taken up again");
      return true;
    }
    return false;
  }

  /** A confirmed connection takes over from older ones of the same direction between the same two instances. */
  private onConfirmed(nowMs: number, connection: Connection): void {
    for (const session of connection.answered.sessions) {
      if (session !== connection.localSession) this.connections.delete(session);
    }
    for (const other of this.confirmed.add(connection)) {
      if (other.state !== "connected") continue;
      other.close(nowMs, closeCode.replaced, "a newer connection between the same two took over");
    }
  }

  handleTimeout(nowMs: number): void {
    for (;;) {
      const connection = this.deadlines.first;
      if (connection === undefined || connection.heapDeadlineMs > nowMs) return;
      this.deadlines.delete(connection);
      connection.handleTimeout(nowMs);
      this.touched.add(connection);
    }
  }

  // ---- output

  /** @returns when handleTimeout wants to be called, in ms; asked when pollTransmit has returned false. */
  pollTimeout(): number {
    return Math.min(this.deadlines.earliestMs, this.initiations.pollTimeout());
  }

  /** Fills `out` with the next batch of any connection. @returns false when there is nothing. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    if (this.transmitReady(out)) return true;
    const { touched } = this;
    for (let connection = touched.first; connection !== undefined; connection = touched.first) {
      if (connection.pollTransmit(nowMs, out)) {
        // To the back of the line, so that one busy connection does not keep the others waiting.
        if (touched.size > 1) this.toTheBack(connection);
        return true;
      }
      // Timers are late and packets come first: what has fallen due meanwhile is seen to now. Were it put off, it would be put off
      // by every packet.
      if (connection.isOverdue(nowMs)) {
        connection.handleTimeout(nowMs);
        this.toTheBack(connection);
        continue;
      }
      touched.removeFirst();
      this.settle(nowMs, connection);
    }
    return this.answerWaiting(nowMs) && this.pollTransmit(nowMs, out);
  }

  private transmitReady(out: Transmit): boolean {
    const ready = this.outgoing.shift();
    if (ready !== undefined) out.prefixed(ready.route, ready.packet);
    return ready !== undefined;
  }

  /** @param first in line */
  private toTheBack(first: Connection): void {
    this.touched.removeFirst();
    this.touched.add(first);
  }

  /** The connection has nothing more to send now: only its deadline is left. */
  private settle(nowMs: number, connection: Connection): void {
    if (connection.state === "closed") {
      this.forget(connection);
      return;
    }
    // One that had to make room while it still stood in line.
    if (this.connections.get(connection.localSession) !== connection) return;
    // A deadline that stays in the past would be a fault of ours, and must not wake us again and again.
    const deadlineMs = connection.pollTimeout();
    if (deadlineMs <= nowMs) this.staleDeadlines++;
    this.deadlines.set(connection, deadlineMs > nowMs ? deadlineMs : nowMs + GRANULARITY_MS);
  }

  private forget(connection: Connection): void {
    if (this.connections.get(connection.localSession) !== connection) return;
    this.connections.delete(connection.localSession);
    for (const session of connection.answered.sessions) {
      if (this.connections.get(session) === connection) this.connections.delete(session);
    }
    this.count--;
    connection.streams.share.release();
    this.resuming.delete(connection);
    this.deadlines.delete(connection);
    this.confirmed.delete(connection);
  }

  /** The next thing that a connection has to say. */
  pollEvent(): EndpointEvent | undefined {
    return this.events.shift();
  }
}
