// One connection between two instances: the handshake's result, its paths, its streams, and when it ends. A pure machine:
//
//   handlePacket · handleTimeout · any method  →  pollTransmit until false  →  events  →  pollTimeout
//
// The endpoint that owns it does the pulling. How packets are built is in packet-sender.ts, how they are taken apart in
// packet-receiver.ts, recovery in path.ts and loss-detection.ts, streams in stream-table.ts.

import { assert } from "../base/assert.ts";
import type { DeadlineEntry } from "../base/deadline-heap.ts";
import type { Ecn } from "../base/ecn.ts";
import type { Queueable } from "../base/fifo.ts";
import { DATAGRAM_QUEUE_MAX, HALF_OPEN_LIFE_MS, INITIAL_RTT_MS } from "../base/limits.ts";
import { type CloseCode, closeCode } from "../base/protocol-error.ts";
import type { Route } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import type { SessionKeys } from "../crypto/noise.ts";
import type { PacketCipherFactory } from "../crypto/packet-cipher.ts";
import { readSession } from "../wire/datagram.ts";
import type { TransportParameters } from "../wire/transport-parameters.ts";
import { AnsweredRoutes } from "./answered-routes.ts";
import type { ConnectionConfig, ConnectionState } from "./connection-config.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import { ControlQueue } from "./control-queue.ts";
import { Farewell } from "./farewell.ts";
import type { HandshakeInitiator } from "./handshake-initiator.ts";
import { LatestBody, pathAbandonedFrame } from "./latest-frame.ts";
import { PacketFate } from "./packet-fate.ts";
import { PacketKeys } from "./packet-keys.ts";
import { PacketReceiver } from "./packet-receiver.ts";
import { PacketSender } from "./packet-sender.ts";
import { PathProbes } from "./path-probes.ts";
import type { PathSummary } from "./path-summary.ts";
import { PathTable } from "./path-table.ts";
import { PathTimers } from "./path-timers.ts";
import type { ReceiveSpace } from "./receive-space.ts";
import { RouteProof } from "./route-proof.ts";
import type { Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import { TimeoutBurst } from "./timeout-burst.ts";
import type { TransportSettings } from "./transport-settings.ts";

export class Connection implements DeadlineEntry, Queueable {
  // DeadlineEntry and Queueable
  heapIndex = -1;
  heapDeadlineMs = Number.POSITIVE_INFINITY;
  inQueue = false;

  readonly role: "initiator" | "responder";
  readonly remoteIdentity: Uint8Array;
  /** The number by which the peer addresses this connection; at a responder the first of several, until one has been used. */
  localSession: number;
  /** The peer's number for this connection; 0 until the handshake told it. */
  remoteSession = 0;
  remoteInstance: Uint8Array = new Uint8Array(8);
  handshakeHash: Uint8Array = new Uint8Array(32);
  state: ConnectionState = "handshaking";
  /** When the peer was last heard, in ms. */
  heardAtMs: number;

  readonly paths: PathTable;
  readonly probes: PathProbes;
  readonly answered = new AnsweredRoutes();
  readonly routeProof: RouteProof;
  readonly spaces = new Map<number, ReceiveSpace>();
  readonly streams: StreamTable;
  readonly control = new ControlQueue();
  readonly candidates = new LatestBody("candidates");
  readonly punch = new LatestBody("punch");
  readonly datagrams: Uint8Array[] = [];
  readonly emit: (event: ConnectionEvent) => void;
  readonly touch: () => void;
  /** Paths have news: states and the choice are looked at after the packet. */
  wantsReview = false;
  /** While stalled, a new handshake was given up once in favour of this connection. */
  wasResumed = false;

  private readonly settings: TransportSettings;
  private readonly cipher: PacketCipherFactory;
  private readonly sender: PacketSender;
  private readonly receiver: PacketReceiver;
  private readonly timers: PathTimers;
  private keys: PacketKeys | undefined;
  private handshake: HandshakeInitiator | undefined;
  private idleTimeoutMs: number;
  /** A packet under the keys came from the peer: it has the connection as well. */
  private isMutual = false;
  private farewell: Farewell | undefined;
  private readonly timeouts = new TimeoutBurst();

  constructor(nowMs: number, config: ConnectionConfig) {
    this.role = config.role;
    this.remoteIdentity = config.remoteIdentity;
    this.localSession = config.localSession;
    this.settings = config.settings;
    this.cipher = config.cipher;
    this.emit = config.emit;
    this.touch = config.touch;
    this.probes = new PathProbes(config.random);
    const { control, spaces } = this;
    this.streams = new StreamTable(this, config.settings, config.memory, control, this.emit);
    const fate = new PacketFate({
      streams: this.streams,
      control,
      spaces,
      onEpochAcked: (epoch, at) => this.keys?.onAcked(epoch, at),
    });
    this.paths = new PathTable(config.settings, fate, this.emit, (id) =>
      control.add(pathAbandonedFrame(id, () => this.paths.onAbandonedTold(id))),
    );
    // The responder waits longer, so that normally only one side asks; the other's answer keeps its own NAT's mapping.
    const keepaliveMs = config.settings.keepaliveMs * (config.role === "initiator" ? 1 : 1.4);
    this.timers = new PathTimers(this.paths, spaces, fate, keepaliveMs);
    this.routeProof = new RouteProof(this.paths, this.probes, this.spaces, this.emit);
    this.sender = new PacketSender(this);
    this.receiver = new PacketReceiver(this);
    this.idleTimeoutMs = config.settings.idleTimeoutMs;
    this.heardAtMs = nowMs;
  }

  // ---- handshake

  /** Initiator: the handshake that this connection waits for; it knows where it goes. */
  beginHandshake(handshake: HandshakeInitiator): void {
    this.handshake = handshake;
    this.touch();
  }

  /** The initiation, for somebody else to carry. @returns undefined when the handshake is over. */
  handshakePacket(nowMs: number): Uint8Array | undefined {
    this.touch();
    return this.handshake?.forCarrier(nowMs);
  }

  /** The initiation goes there too, from its next transmission on. */
  addHandshakeRoute(route: Route): void {
    this.handshake?.addRoute(route);
  }

  /** The initiation goes there at once as well. */
  sendHandshakeTo(route: Route): void {
    this.handshake?.sendTo(route);
    this.touch();
  }

  get initiation(): HandshakeInitiator | undefined {
    return this.handshake;
  }

  /** Both sides: keys and the peer's parameters are there. */
  onKeys(keys: SessionKeys, remoteSession: number, remoteInstance: Uint8Array, parameters: TransportParameters): void {
    this.keys = new PacketKeys(this.cipher, keys.sendKey, keys.receiveKey, this.settings.keyUpdate);
    this.handshakeHash = keys.handshakeHash;
    this.remoteSession = remoteSession;
    this.remoteInstance = remoteInstance;
    this.streams.onPeerParameters(parameters);
    if (parameters.idleTimeoutMs > 0) this.idleTimeoutMs = Math.min(this.idleTimeoutMs, parameters.idleTimeoutMs);
  }

  /** Initiator: the response has come over `route`. */
  onResponse(nowMs: number, route: Route): void {
    const handshake = this.handshake;
    assert(handshake !== undefined, "connection: a response without a handshake");
    const rttMs = handshake.timesSent === 1 ? nowMs - handshake.lastSentAtMs : undefined;
    this.handshake = undefined;
    this.confirm(nowMs, route, rttMs, handshake.wentTo(route) ? undefined : handshake.firstRoute);
    // The responder waits for a packet under the keys before it believes in us.
    this.ping();
    this.touch();
  }

  /** Responder: the response went to this route and names `session` there; it is waited for what comes of it. */
  onResponseSent(nowMs: number, route: Route, session: number): void {
    if (this.state === "handshaking") this.heardAtMs = nowMs;
    this.answered.add(session, route);
  }

  /** @param proved where the handshake went instead, when what came over `route` is no answer to anything sent there. */
  private confirm(nowMs: number, route: Route, rttMs: number | undefined, proved: Route | undefined): void {
    this.state = "connected";
    this.heardAtMs = nowMs;
    this.emit({ type: "connected" });
    if (proved === undefined) {
      this.paths.open(nowMs, route, rttMs);
    } else {
      this.paths.open(nowMs, proved, undefined);
      this.routeProof.challenge(nowMs, route);
    }
  }

  // ---- the application's side

  /** @returns undefined while the peer allows no more; the event "streams-available" follows. */
  openStream(_nowMs: number): Stream | undefined {
    return this.state === "connected" ? this.streams.open() : undefined;
  }

  /** Sends a challenge to the route, or `hopLimit` hops towards it; its answer opens a path there. @returns false when too many are out. */
  probe(nowMs: number, route: Route, hopLimit?: number): boolean {
    if (this.state !== "connected") return false;
    this.touch();
    return this.probes.challenge(nowMs, route, hopLimit);
  }

  get activePath(): PathSummary | undefined {
    return this.paths.active;
  }

  /** Gives up every path over this route: it is of no use any more. */
  dropRoute(nowMs: number, route: Route): void {
    const path = this.paths.byRoute(route);
    if (path === undefined) return;
    this.paths.drop(nowMs, path);
    this.touch();
  }

  sendCandidates(body: Uint8Array): void {
    if (this.candidates.set(body)) this.control.add(this.candidates);
    this.touch();
  }

  sendPunch(body: Uint8Array): void {
    if (this.punch.set(body)) this.control.add(this.punch);
    this.touch();
  }

  /** Unreliable. @returns false when the oldest one waiting had to go. */
  sendDatagram(bytes: Uint8Array): boolean {
    this.datagrams.push(bytes);
    this.touch();
    if (this.datagrams.length <= DATAGRAM_QUEUE_MAX) return true;
    this.datagrams.shift();
    return false;
  }

  /** Asks the active path for a sign of life. */
  ping(): void {
    const path = this.paths.active;
    if (path === undefined) return;
    path.pingWanted = true;
    this.touch();
  }

  /** The host's network changed, or it woke up: every path is asked at once, whatever its back-off. */
  onNetworkChange(): void {
    this.paths.revive();
    this.timers.onNetworkChange();
    this.touch();
  }

  get isStalled(): boolean {
    return this.paths.isStalled;
  }

  /** Smoothed round trip of the active path, in ms. */
  get rttMs(): number {
    return this.paths.active?.rttMs ?? INITIAL_RTT_MS;
  }

  /** Congestion window of the active path, in bytes. */
  get windowBytes(): number {
    return this.paths.active?.windowBytes ?? this.settings.datagramBytes * 10;
  }

  /** How long packets may be under way: for that long late packets of the previous key are still opened. */
  readonly keyHoldMs = (): number => {
    let holdMs = 0;
    for (const path of this.paths.all) holdMs = Math.max(holdMs, 3 * path.ptoMs());
    return holdMs;
  };

  /** Ends the connection: streams end as if reset, the peer is told. */
  close(nowMs: number, code: CloseCode, reason: string): void {
    if (this.state === "closing" || this.state === "closed") return;
    const isTold = this.state === "connected";
    if (isTold) {
      const ptoMs = this.paths.active?.ptoMs() ?? INITIAL_RTT_MS;
      this.farewell = new Farewell(nowMs, code, reason, this.paths.all, ptoMs);
    }
    this.end(isTold ? "closing" : "closed", code, reason, false);
  }

  /** Ends without a word to the peer. */
  vanish(code: CloseCode, reason: string): void {
    if (this.state === "closing" || this.state === "closed") return;
    this.end("closed", code, reason, false);
  }

  private end(state: "closing" | "closed", code: CloseCode, reason: string, byPeer: boolean): void {
    // A knock that led to nothing was never told of.
    const wasKnown = this.state === "connected" || this.role === "initiator";
    this.state = state;
    this.streams.closeAll();
    if (wasKnown) this.emit({ type: "closed", code, reason, byPeer });
    this.touch();
  }

  // ---- packets

  /** @returns whether the data packet was authentic and new. @throws ProtocolError when the peer breaks a rule. */
  handlePacket(nowMs: number, route: Route, bytes: Uint8Array, start: number, end: number, codepoint: Ecn): boolean {
    if (this.keys === undefined || this.state === "closed") return false;
    if (this.farewell !== undefined) return this.handleWhileClosing(nowMs, this.keys, this.farewell, bytes, start, end);
    if (this.state === "handshaking") this.answered.addressed = readSession(bytes, start);
    const isAuthentic = this.receiver.handlePacket(nowMs, this.keys, route, bytes, start, end, codepoint);
    if (this.wantsReview && this.state === "connected") {
      this.paths.review(nowMs);
      if (!this.paths.isStalled) this.wasResumed = false;
    }
    this.wantsReview = false;
    this.touch();
    return isAuthentic;
  }

  private handleWhileClosing(
    nowMs: number,
    keys: PacketKeys,
    farewell: Farewell,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const heard = this.receiver.handleWhileClosing(nowMs, keys, bytes, start, end);
    if (heard === "nothing") return false;
    if (heard === "close") this.state = "closed";
    else farewell.onPacket();
    this.touch();
    return true;
  }

  /** A packet under our keys came: the peer lives, and at the responder it confirms the handshake. */
  onAuthenticated(nowMs: number, route: Route): void {
    this.heardAtMs = nowMs;
    this.isMutual = true;
    if (this.state === "handshaking" && this.role === "responder") {
      const { addressed, proved } = this.answered;
      this.localSession = addressed;
      this.confirm(nowMs, route, undefined, proved === route ? undefined : proved);
    }
  }

  onPeerClose(code: CloseCode, reason: string): void {
    if (this.state === "connected") this.end("closed", code, reason, true);
  }

  // ---- time

  /** When handleTimeout wants to be called, in ms. */
  pollTimeout(): number {
    if (this.state === "closed") return Number.POSITIVE_INFINITY;
    if (this.farewell !== undefined) return this.farewell.deadlineMs;
    const handshakeMs = this.handshake?.deadlineMs ?? Number.POSITIVE_INFINITY;
    return Math.min(this.idleAtMs, handshakeMs, this.timers.deadlineMs);
  }

  private get idleAtMs(): number {
    if (this.state === "handshaking" && this.role === "initiator") return Number.POSITIVE_INFINITY;
    // A responder that was not heard of since its response has forgotten the handshake by then; a new one is needed.
    if (!this.isMutual) return this.heardAtMs + HALF_OPEN_LIFE_MS;
    return this.heardAtMs + this.idleTimeoutMs;
  }

  /** Whether a deadline has passed that handleTimeout was not called for yet; a few may fall due at one moment. */
  isOverdue(nowMs: number): boolean {
    return this.pollTimeout() <= nowMs && this.timeouts.hasRoom(nowMs);
  }

  handleTimeout(nowMs: number): void {
    this.timeouts.onTimeout(nowMs);
    if (this.state === "closed") return;
    if (this.farewell !== undefined) {
      if (this.farewell.handleTimeout(nowMs)) this.state = "closed";
      this.touch();
      return;
    }
    if (nowMs >= this.idleAtMs) {
      this.vanish(closeCode.idle, "nothing was heard from the peer for too long");
      return;
    }
    this.handshake?.handleTimeout(nowMs);
    if (this.state === "connected") this.timers.handleTimeout(nowMs);
    this.touch();
  }

  /** Fills `out` with the next batch. @returns false when nothing may go now. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    if (this.handshake?.pollTransmit(out)) return true;
    if (this.keys === undefined) return false;
    if (this.farewell !== undefined) return this.transmitClose(nowMs, this.keys, this.farewell, out);
    return this.state === "connected" && this.sender.pollTransmit(nowMs, this.keys, out);
  }

  private transmitClose(nowMs: number, keys: PacketKeys, farewell: Farewell, out: Transmit): boolean {
    const path = this.state === "closing" ? farewell.takeNext() : undefined;
    if (path === undefined) return false;
    this.sender.buildClose(nowMs, keys, path, farewell.code, farewell.reason, out);
    return true;
  }
}
