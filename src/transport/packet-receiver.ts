// Takes in the data packets of a connection: opens them, refuses what was seen before, and hands each frame to the part
// that it is for. Nothing changes state before the packet is authentic.

import type { SocketAddress } from "../base/address.ts";
import type { Ecn, EcnCounts } from "../base/ecn.ts";
import { DATA_HEADER_BYTES, PATH_PROBING, RECEIVE_SPACES_MAX, TAG_BYTES } from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import { RangeSet } from "../base/range-set.ts";
import type { Route } from "../base/route.ts";
import { readKeyPhase, readPacketNumber, readPath } from "../wire/datagram.ts";
import { pathStatus } from "../wire/frame.ts";
import { FrameDecoder, type FrameVisitor } from "../wire/frame-decoder.ts";
import type { Connection } from "./connection.ts";
import { CloseWatcher } from "./farewell.ts";
import type { PacketKeys } from "./packet-keys.ts";
import { ReceiveSpace } from "./receive-space.ts";

/** One for all connections: it keeps nothing between two packets. */
const decoder = new FrameDecoder();

export class PacketReceiver implements FrameVisitor {
  private readonly connection: Connection;
  /** Path ids that the peer gave up: their numbers are remembered no more, so their packets are refused. */
  private readonly retired = new RangeSet();
  private nowMs = 0;
  private route!: Route;
  /** A challenge of this packet was answered; one answer a packet, or a small packet would bring large ones. */
  private challengeAnswered = false;
  /** This packet has an ACK; it has a PING, which without an ACK asks whether the path is there, and how far away. */
  private acknowledges = false;
  private pings = false;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** @returns whether the packet was authentic and new. @throws ProtocolError when the peer breaks a rule. */
  handlePacket(
    nowMs: number,
    keys: PacketKeys,
    route: Route,
    bytes: Uint8Array,
    start: number,
    end: number,
    codepoint: Ecn,
  ): boolean {
    const pathId = readPath(bytes, start);
    const packetNumber = readPacketNumber(bytes, start);
    const space = this.connection.spaces.get(pathId);
    if (!this.open(nowMs, keys, space, pathId, packetNumber, bytes, start, end)) return false;

    this.nowMs = nowMs;
    this.route = route;
    this.challengeAnswered = false;
    this.acknowledges = false;
    this.pings = false;
    this.connection.onAuthenticated(nowMs, route);
    const framesStart = start + DATA_HEADER_BYTES;
    const framesEnd = end - TAG_BYTES;
    if (pathId === PATH_PROBING) {
      this.connection.probes.seen.mark(packetNumber);
      decoder.decodeProbing(bytes, framesStart, framesEnd, this);
      return true;
    }
    const known = space ?? this.openSpace(pathId, route);
    const isNewest = packetNumber > known.seen.highest;
    const eliciting = decoder.decode(bytes, framesStart, framesEnd, this);
    const { frequency } = known;
    if (eliciting) frequency.onPacket(nowMs, this.connection.rttMs);
    // Nothing but the answer to a question shows how long the way is: it does not wait for others to go along. Beside an acknowledgement
    // a PING only makes sure that this one is acknowledged some time.
    const threshold = this.pings && !this.acknowledges ? 1 : frequency.threshold;
    known.onReceived(nowMs, packetNumber, eliciting, threshold, frequency.delayMs, codepoint);
    if (!this.isOver) this.connection.routeProof.onPacket(nowMs, known, route, isNewest);
    return true;
  }

  /** Opens a packet that is not known to have come before. Nothing else changes. */
  private open(
    nowMs: number,
    keys: PacketKeys,
    space: ReceiveSpace | undefined,
    pathId: number,
    packetNumber: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const seen = pathId === PATH_PROBING ? this.connection.probes.seen : space?.seen;
    if (seen !== undefined ? !seen.isFresh(packetNumber) : this.retired.contains(pathId)) return false;
    const phase = readKeyPhase(bytes, start);
    return keys.open(nowMs, this.connection.keyHoldMs, phase, bytes, start, end, pathId, packetNumber);
  }

  /** The connection has ended on our side. @returns what an authentic packet shows: whether the peer has ended it as well. */
  handleWhileClosing(
    nowMs: number,
    keys: PacketKeys,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): "nothing" | "talk" | "close" {
    const pathId = readPath(bytes, start);
    const packetNumber = readPacketNumber(bytes, start);
    const space = this.connection.spaces.get(pathId);
    if (!this.open(nowMs, keys, space, pathId, packetNumber, bytes, start, end)) return "nothing";
    const seen = pathId === PATH_PROBING ? this.connection.probes.seen : space?.seen;
    seen?.mark(packetNumber);
    const watcher = new CloseWatcher();
    try {
      decoder.decode(bytes, start + DATA_HEADER_BYTES, end - TAG_BYTES, watcher);
    } catch (error) {
      // It is closed for whatever reason already; another violation changes nothing.
      if (!(error instanceof ProtocolError)) throw error;
    }
    return watcher.sawClose ? "close" : "talk";
  }

  /** A CLOSE came, and what stands behind it in the packet is not looked at. */
  private get isOver(): boolean {
    return this.connection.state !== "connected";
  }

  private openSpace(pathId: number, route: Route): ReceiveSpace {
    const { spaces } = this.connection;
    if (spaces.size >= RECEIVE_SPACES_MAX) throw new ProtocolError(closeCode.violation, "too many paths");
    const space = new ReceiveSpace(pathId, route);
    spaces.set(pathId, space);
    return space;
  }

  // ---- frames

  onPing(): void {
    this.pings = true;
  }

  onAck(path: number, delayUs: number, ranges: Float64Array, rangeCount: number, counts: EcnCounts | undefined): void {
    this.acknowledges = true;
    if (this.isOver) return;
    // An acknowledgement for a path that was given up meanwhile is no news.
    this.connection.paths.byId(path)?.onAck(this.nowMs, delayUs, ranges, rangeCount, counts);
    this.connection.wantsReview = true;
  }

  onResetStream(id: number, code: number, finalSize: number): void {
    if (!this.isOver) this.connection.streams.onResetStreamFrame(id, code, finalSize);
  }

  onStopSending(id: number, code: number): void {
    if (!this.isOver) this.connection.streams.onStopSendingFrame(id, code);
  }

  onStream(id: number, offset: number, fin: boolean, bytes: Uint8Array, start: number, end: number): void {
    if (this.isOver) return;
    this.connection.paths.dataHeardAtMs = this.nowMs;
    this.connection.streams.onStreamFrame(id, offset, fin, bytes, start, end);
  }

  onMaxData(maxBytes: number): void {
    if (!this.isOver) this.connection.streams.onMaxDataFrame(maxBytes);
  }

  onMaxStreamData(id: number, maxBytes: number): void {
    if (!this.isOver) this.connection.streams.onMaxStreamDataFrame(id, maxBytes);
  }

  onMaxStreams(maxStreams: number): void {
    if (!this.isOver) this.connection.streams.onMaxStreamsFrame(maxStreams);
  }

  onPathChallenge(token: Uint8Array): void {
    if (this.isOver || this.challengeAnswered) return;
    this.challengeAnswered = true;
    this.connection.routeProof.onChallenge(this.nowMs, this.route, token);
  }

  onPathResponse(token: Uint8Array): void {
    if (this.isOver) return;
    const answered = this.connection.probes.onResponse(this.nowMs, token);
    if (answered !== undefined) this.connection.routeProof.onAnswer(this.nowMs, answered.route, answered.rttMs);
  }

  onPathStatus(path: number, _sequence: number, status: number): void {
    if (this.isOver || status !== pathStatus.abandoned) return;
    this.connection.spaces.delete(path);
    this.retired.insert(path, path + 1);
    // Path ids are given out in order: between those given up lie the few that the peer still has, or has not told of yet.
    if (this.retired.rangeCount > RECEIVE_SPACES_MAX + 1) {
      throw new ProtocolError(closeCode.violation, `paths were given up in ${this.retired.rangeCount} pieces`);
    }
  }

  onObservedAddress(_sequence: number, address: SocketAddress): void {
    if (!this.isOver) this.connection.emit({ type: "observed-address", route: this.route, address });
  }

  onCandidates(sequence: number, body: Uint8Array): void {
    if (this.isOver || !this.connection.candidates.isNews(sequence)) return;
    this.connection.emit({ type: "candidates", body: new Uint8Array(body) });
  }

  onPunch(sequence: number, body: Uint8Array): void {
    if (this.isOver || !this.connection.punch.isNews(sequence)) return;
    this.connection.emit({ type: "punch", body: new Uint8Array(body) });
  }

  onDatagram(data: Uint8Array): void {
    if (!this.isOver) this.connection.emit({ type: "datagram", data: new Uint8Array(data) });
  }

  onClose(code: number, reason: string): void {
    this.connection.onPeerClose(code, reason);
  }
}
