// One connection between two instances: the handshake's result, its paths, its streams, and when it ends. A pure machine:
//
//   handlePacket · handleTimeout · any method  →  pollTransmit until false  →  events  →  pollTimeout
//
// The endpoint that owns it does the pulling. How packets are built is in packet-sender.ts, how they are taken apart in
// packet-receiver.ts, recovery in path.ts and loss-detection.ts, streams in stream-table.ts.

import { assert } from "../base/assert.ts";
import type { DeadlineEntry } from "../base/deadline-heap.ts";
import {
  CLOSING_PTO_COUNT,
  DATAGRAM_QUEUE_MAX,
  HALF_OPEN_LIFE_MS,
  INITIAL_RTT_MS,
  PROBE_LIFE_MS,
  PROBES_AUTOMATIC_MAX,
} from "../base/limits.ts";
import { type CloseCode, closeCode } from "../base/protocol-error.ts";
import type { Random } from "../base/random.ts";
import type { Route } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import type { SessionKeys } from "../crypto/noise.ts";
import type { PacketCipherFactory } from "../crypto/packet-cipher.ts";
import type { TransportParameters } from "../wire/transport-parameters.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import { ControlQueue } from "./control-queue.ts";
import type { HandshakeInitiator } from "./handshake-initiator.ts";
import { LatestBody, pathAbandonedFrame } from "./latest-frame.ts";
import { PacketKeys } from "./packet-keys.ts";
import { PacketReceiver } from "./packet-receiver.ts";
import { PacketSender } from "./packet-sender.ts";
import type { PacketOwner, Path, PathSummary } from "./path.ts";
import { PathProbes } from "./path-probes.ts";
import { PathTable } from "./path-table.ts";
import type { ReceiveSpace } from "./receive-space.ts";
import type { SentPacket, SentRange } from "./sent-packets.ts";
import type { Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";
import type { TransportSettings } from "./transport-settings.ts";

export type ConnectionState = "handshaking" | "connected" | "closing" | "closed";

export interface ConnectionConfig {
  readonly role: "initiator" | "responder";
  /** Ed25519 public key of the peer. */
  readonly remoteIdentity: Uint8Array;
  /** The number by which the peer addresses this connection. */
  readonly localSession: number;
  readonly settings: TransportSettings;
  readonly cipher: PacketCipherFactory;
  readonly random: Random;
  readonly emit: (event: ConnectionEvent) => void;
  /** The connection may have something to send, or another deadline. */
  readonly touch: () => void;
}

export class Connection implements PacketOwner, DeadlineEntry {
  // DeadlineEntry
  heapIndex = -1;
  heapDeadlineMs = Number.POSITIVE_INFINITY;

  readonly role: "initiator" | "responder";
  readonly remoteIdentity: Uint8Array;
  readonly localSession: number;
  /** The peer's number for this connection; 0 until the handshake told it. */
  remoteSession = 0;
  remoteInstance: Uint8Array = new Uint8Array(8);
  handshakeHash: Uint8Array = new Uint8Array(32);
  state: ConnectionState = "handshaking";

  // Parts, for the sender and the receiver.
  readonly paths: PathTable;
  readonly probes: PathProbes;
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
  private keys: PacketKeys | undefined;
  private handshake: HandshakeInitiator | undefined;
  private idleTimeoutMs: number;
  private lastAuthenticatedMs: number;
  private closeInfo: { code: CloseCode; reason: string } | undefined;
  private closePacketsOwed = 0;
  private closedAtMs = Number.POSITIVE_INFINITY;
  private automaticProbesSinceMs = Number.NEGATIVE_INFINITY;
  private automaticProbes = 0;

  constructor(nowMs: number, config: ConnectionConfig) {
    this.role = config.role;
    this.remoteIdentity = config.remoteIdentity;
    this.localSession = config.localSession;
    this.settings = config.settings;
    this.cipher = config.cipher;
    this.emit = config.emit;
    this.touch = config.touch;
    this.probes = new PathProbes(config.random);
    this.paths = new PathTable(config.settings, this, this.emit, (id) => this.control.add(pathAbandonedFrame(id)));
    this.streams = new StreamTable(this, config.settings, this.control, this.emit);
    this.sender = new PacketSender(this);
    this.receiver = new PacketReceiver(this);
    this.idleTimeoutMs = config.settings.idleTimeoutMs;
    this.lastAuthenticatedMs = nowMs;
  }

  // ---- handshake

  /** Initiator: the handshake that this connection waits for; it knows where it goes. */
  beginHandshake(handshake: HandshakeInitiator): void {
    this.handshake = handshake;
    this.touch();
  }

  /** The initiation, for somebody else to carry. @returns undefined when the handshake is over. */
  handshakePacket(nowMs: number): Uint8Array | undefined {
    return this.handshake?.fetch(nowMs);
  }

  /** The initiation goes there too, from its next transmission on. */
  addHandshakeRoute(route: Route): void {
    this.handshake?.addRoute(route);
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
    this.confirm(nowMs, route, rttMs);
    // The responder waits for a packet under the keys before it believes in us.
    const path = this.paths.active;
    if (path !== undefined) path.pingWanted = true;
    this.touch();
  }

  private confirm(nowMs: number, route: Route, rttMs: number | undefined): void {
    this.state = "connected";
    this.lastAuthenticatedMs = nowMs;
    this.emit({ type: "connected" });
    this.paths.open(nowMs, route, rttMs);
  }

  // ---- the application's side

  /** @returns undefined while the peer allows no more; the event "streams-available" follows. */
  openStream(_nowMs: number): Stream | undefined {
    return this.state === "connected" ? this.streams.open() : undefined;
  }

  /** Sends a challenge to the route; when it comes back a path is opened there. @returns false when too many are out. */
  probe(nowMs: number, route: Route): boolean {
    if (this.state !== "connected") return false;
    this.touch();
    return this.probes.challenge(nowMs, route);
  }

  pathSummaries(): readonly PathSummary[] {
    return this.paths.all;
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
    this.candidates.set(body);
    this.control.add(this.candidates);
    this.touch();
  }

  sendPunch(body: Uint8Array): void {
    this.punch.set(body);
    this.control.add(this.punch);
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
    const told = this.state === "connected" && this.keys !== undefined;
    this.end(code, reason, false);
    if (!told) {
      this.state = "closed";
    } else {
      this.state = "closing";
      this.closeInfo = { code, reason };
      this.closePacketsOwed = 1;
      this.closedAtMs = nowMs + CLOSING_PTO_COUNT * (this.paths.active?.ptoMs() ?? INITIAL_RTT_MS);
    }
    this.touch();
  }

  private end(code: CloseCode, reason: string, byPeer: boolean): void {
    this.streams.closeAll();
    this.emit({ type: "closed", code, reason, byPeer });
  }

  /** Ends without a word to the peer. */
  vanish(code: CloseCode, reason: string): void {
    if (this.state === "closing" || this.state === "closed") return;
    this.end(code, reason, false);
    this.state = "closed";
    this.touch();
  }

  // ---- packets

  /** @returns whether the data packet was authentic and new. @throws ProtocolError when the peer breaks a rule. */
  handlePacket(nowMs: number, route: Route, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.keys === undefined || this.state === "closed") return false;
    if (this.state === "closing") {
      // Whoever still talks to a closing connection has missed its CLOSE; one answer a packet at most, and few of them.
      if (this.closePacketsOwed === 0) this.closePacketsOwed = 1;
      this.touch();
      return false;
    }
    const authentic = this.receiver.handlePacket(nowMs, this.keys, route, bytes, start, end);
    if (this.wantsReview) {
      this.wantsReview = false;
      this.paths.review(nowMs);
      if (!this.paths.isStalled) this.wasResumed = false;
    }
    this.touch();
    return authentic;
  }

  /** A packet under our keys came: the peer lives, and at the responder it confirms the handshake. */
  onAuthenticated(nowMs: number, route: Route): void {
    this.lastAuthenticatedMs = nowMs;
    if (this.state === "handshaking" && this.role === "responder") this.confirm(nowMs, route, undefined);
  }

  onPeerClose(code: CloseCode, reason: string): void {
    if (this.state === "closed") return;
    this.end(code, reason, true);
    this.state = "closed";
  }

  /** A challenge came: it is answered where it came from, and a route that is new to us is asked in turn. */
  onChallenge(nowMs: number, route: Route, token: Uint8Array): void {
    this.probes.respond(route, token);
    const path = this.paths.byRoute(route);
    if (path !== undefined && path.state === "working") return;
    this.emit({ type: "challenged", route });
    this.probeBack(nowMs, route);
  }

  private probeBack(nowMs: number, route: Route): void {
    if (nowMs - this.automaticProbesSinceMs > PROBE_LIFE_MS) {
      this.automaticProbesSinceMs = nowMs;
      this.automaticProbes = 0;
    }
    if (this.automaticProbes >= PROBES_AUTOMATIC_MAX) return;
    this.automaticProbes++;
    this.probes.challenge(nowMs, route);
  }

  onProbeAnswered(nowMs: number, route: Route, rttMs: number): void {
    // A space whose packets moved here takes our path to the old place along, unless we have one here already.
    for (const space of this.spaces.values()) {
      if (space.movedTo !== route) continue;
      const before = this.paths.byRoute(space.route);
      space.route = route;
      space.movedTo = undefined;
      if (before !== undefined && this.paths.byRoute(route) === undefined) {
        this.paths.move(nowMs, before, route, rttMs);
        return;
      }
    }
    this.paths.open(nowMs, route, rttMs);
  }

  /** The newest packet of a space came from elsewhere than the one before: a NAT gave the peer another address, perhaps. */
  onPeerMoved(nowMs: number, space: ReceiveSpace, route: Route): void {
    const path = this.paths.byRoute(route);
    if (path !== undefined && path.state !== "failed") {
      space.route = route;
      space.movedTo = undefined;
      return;
    }
    if (space.movedTo === route && this.probes.isProbing(route)) return;
    space.movedTo = route;
    this.probeBack(nowMs, route);
  }

  // ---- PacketOwner

  onPacketAcked(packet: SentPacket, nowMs: number): void {
    this.keys?.onAcked(packet.keyEpoch, nowMs);
    for (let i = 0; i < packet.rangeCount; i++) {
      const range = packet.ranges[i] as SentRange;
      if (range.half !== undefined) this.streams.onFrameAcked(range.half, range.offset, range.lengthBytes, range.fin);
    }
    for (const frame of packet.control) this.streams.onControlAcked(frame);
    if (packet.ackPath >= 0) this.spaces.get(packet.ackPath)?.onAckAcknowledged(packet.ackLargest);
  }

  onPacketLost(packet: SentPacket): void {
    for (let i = 0; i < packet.rangeCount; i++) {
      const range = packet.ranges[i] as SentRange;
      if (range.half !== undefined) this.streams.onFrameLost(range.half, range.offset, range.lengthBytes, range.fin);
    }
    for (const frame of packet.control) this.control.add(frame);
  }

  // ---- time

  /** When handleTimeout wants to be called, in ms. */
  pollTimeout(): number {
    if (this.state === "closed") return Number.POSITIVE_INFINITY;
    if (this.state === "closing") return this.closedAtMs;
    let at = this.idleAtMs;
    if (this.handshake !== undefined) at = Math.min(at, this.handshake.deadlineMs);
    for (const path of this.paths.all) {
      if (path.state === "failed") continue;
      at = Math.min(at, path.recoveryAtMs, path.pacingAtMs, this.keepaliveAtMs(path));
    }
    for (const space of this.spaces.values()) at = Math.min(at, space.ackDueAtMs);
    return at;
  }

  private get idleAtMs(): number {
    if (this.state === "handshaking" && this.role === "responder") return this.lastAuthenticatedMs + HALF_OPEN_LIFE_MS;
    if (this.state === "handshaking") return Number.POSITIVE_INFINITY;
    return this.lastAuthenticatedMs + this.idleTimeoutMs;
  }

  /** The responder waits longer, so that normally only one side asks and the other one's answer keeps its own NAT's mapping. */
  private keepaliveAtMs(path: Path): number {
    if (path.pingWanted) return Number.POSITIVE_INFINITY;
    const intervalMs = this.role === "initiator" ? this.settings.keepaliveMs : this.settings.keepaliveMs * 1.4;
    // A relay in reserve is reached through the session with the rendezvous, which keeps the mapping; it only must not fall idle.
    const factor = path.via === "relay" && !path.active ? 3 : 1;
    return path.lastSentAtMs + intervalMs * factor;
  }

  handleTimeout(nowMs: number): void {
    if (this.state === "closed") return;
    if (this.state === "closing") {
      if (nowMs >= this.closedAtMs) this.state = "closed";
      return;
    }
    if (nowMs >= this.idleAtMs) {
      this.vanish(closeCode.idle, "nothing was heard from the peer for too long");
      return;
    }
    this.handshake?.handleTimeout(nowMs);
    for (const path of this.paths.all) this.onPathTimeout(nowMs, path);
    this.paths.review(nowMs);
    this.touch();
  }

  private onPathTimeout(nowMs: number, path: Path): void {
    if (path.state === "failed") return;
    if (nowMs >= this.keepaliveAtMs(path)) path.pingWanted = true;
    if (!path.onRecoveryTimeout(nowMs)) return;
    if (!path.active) {
      // Another path carries the data now: what this one still holds goes over that one.
      this.paths.requeue(path);
      return;
    }
    // The probes carry what has waited longest, as new packets; the old ones stay in flight (RFC 9002 §6.2.4).
    let count = path.probesOwed;
    path.forEachInFlight((packet) => {
      if (!packet.requeued && (packet.rangeCount > 0 || packet.control.length > 0)) {
        packet.requeued = true;
        this.onPacketLost(packet);
        count--;
      }
      return count > 0;
    });
  }

  /** Fills `out` with the next batch. @returns false when nothing may go now. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    if (this.handshake?.pollTransmit(out)) return true;
    if (this.keys === undefined) return false;
    if (this.state === "closing") return this.transmitClose(nowMs, this.keys, out);
    return this.state === "connected" && this.sender.pollTransmit(nowMs, this.keys, out);
  }

  private transmitClose(nowMs: number, keys: PacketKeys, out: Transmit): boolean {
    const path = this.paths.active;
    if (this.closePacketsOwed === 0 || path === undefined || this.closeInfo === undefined) return false;
    this.closePacketsOwed--;
    this.sender.buildClose(nowMs, keys, path, this.closeInfo.code, this.closeInfo.reason, out);
    return true;
  }
}
