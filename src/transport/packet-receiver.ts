// Takes in the data packets of a connection: opens them, refuses what was seen before, and hands each frame to the part
// that it is for. Nothing changes state before the packet is authentic.

import type { SocketAddress } from "../base/address.ts";
import {
  ACK_ELICITING_THRESHOLD,
  DATA_HEADER_BYTES,
  PATH_PROBING,
  RECEIVE_SPACES_MAX,
  TAG_BYTES,
} from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import { RangeSet } from "../base/range-set.ts";
import type { Route } from "../base/route.ts";
import { readKeyPhase, readPacketNumber, readPath } from "../wire/datagram.ts";
import { pathStatus } from "../wire/frame.ts";
import { FrameDecoder, type FrameVisitor } from "../wire/frame-decoder.ts";
import type { Connection } from "./connection.ts";
import type { PacketKeys } from "./packet-keys.ts";
import { ReceiveSpace } from "./receive-space.ts";

export class PacketReceiver implements FrameVisitor {
  private readonly connection: Connection;
  private readonly decoder = new FrameDecoder();
  /** Path ids that the peer gave up: their numbers are remembered no more, so their packets are refused. */
  private readonly retired = new RangeSet();
  private nowMs = 0;
  private route!: Route;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** @returns whether the packet was authentic and new. @throws ProtocolError when the peer breaks a rule. */
  handlePacket(nowMs: number, keys: PacketKeys, route: Route, bytes: Uint8Array, start: number, end: number): boolean {
    const pathId = readPath(bytes, start);
    const packetNumber = readPacketNumber(bytes, start);
    const { spaces, probes } = this.connection;
    const space = spaces.get(pathId);
    const seen = pathId === PATH_PROBING ? probes.seen : space?.seen;
    if (seen !== undefined ? !seen.isFresh(packetNumber) : this.retired.contains(pathId)) return false;
    const phase = readKeyPhase(bytes, start);
    if (!keys.open(nowMs, this.connection.keyHoldMs, phase, bytes, start, end, pathId, packetNumber)) return false;

    this.nowMs = nowMs;
    this.route = route;
    this.connection.onAuthenticated(nowMs, route);
    const framesStart = start + DATA_HEADER_BYTES;
    const framesEnd = end - TAG_BYTES;
    if (pathId === PATH_PROBING) {
      probes.seen.mark(packetNumber);
      this.decoder.decodeProbing(bytes, framesStart, framesEnd, this);
      return true;
    }
    const known = space ?? this.openSpace(pathId, route);
    const newest = packetNumber > known.seen.highest;
    const eliciting = this.decoder.decode(bytes, framesStart, framesEnd, this);
    known.onReceived(nowMs, packetNumber, eliciting, ACK_ELICITING_THRESHOLD);
    if (newest && known.route !== route) this.connection.onPeerMoved(nowMs, known, route);
    return true;
  }

  private openSpace(pathId: number, route: Route): ReceiveSpace {
    const { spaces } = this.connection;
    if (spaces.size >= RECEIVE_SPACES_MAX) throw new ProtocolError(closeCode.violation, "too many paths");
    const space = new ReceiveSpace(pathId, route);
    spaces.set(pathId, space);
    return space;
  }

  // ---- frames

  onPing(): void {}

  onAck(path: number, delayUs: number, ranges: Float64Array, rangeCount: number): void {
    // An acknowledgement for a path that was given up meanwhile is no news.
    this.connection.paths.byId(path)?.onAck(this.nowMs, delayUs, ranges, rangeCount);
    this.connection.wantsReview = true;
  }

  onResetStream(id: number, code: number, finalSize: number): void {
    this.connection.streams.onResetStreamFrame(id, code, finalSize);
  }

  onStopSending(id: number, code: number): void {
    this.connection.streams.onStopSendingFrame(id, code);
  }

  onStream(id: number, offset: number, fin: boolean, bytes: Uint8Array, start: number, end: number): void {
    this.connection.streams.onStreamFrame(id, offset, fin, bytes, start, end);
  }

  onMaxData(maxBytes: number): void {
    this.connection.streams.onMaxDataFrame(maxBytes);
  }

  onMaxStreamData(id: number, maxBytes: number): void {
    this.connection.streams.onMaxStreamDataFrame(id, maxBytes);
  }

  onMaxStreams(maxStreams: number): void {
    this.connection.streams.onMaxStreamsFrame(maxStreams);
  }

  onPathChallenge(token: Uint8Array): void {
    this.connection.onChallenge(this.nowMs, this.route, token);
  }

  onPathResponse(token: Uint8Array): void {
    const answered = this.connection.probes.onResponse(this.nowMs, token);
    if (answered !== undefined) this.connection.onProbeAnswered(this.nowMs, answered.route, answered.rttMs);
  }

  onPathStatus(path: number, _sequence: number, status: number): void {
    if (status !== pathStatus.abandoned) return;
    this.connection.spaces.delete(path);
    this.retired.insert(path, path + 1);
  }

  onObservedAddress(_sequence: number, address: SocketAddress): void {
    this.connection.emit({ type: "observed-address", route: this.route, address });
  }

  onCandidates(sequence: number, body: Uint8Array): void {
    if (this.connection.candidates.isNews(sequence))
      this.connection.emit({ type: "candidates", body: new Uint8Array(body) });
  }

  onPunch(sequence: number, body: Uint8Array): void {
    if (this.connection.punch.isNews(sequence)) this.connection.emit({ type: "punch", body: new Uint8Array(body) });
  }

  onDatagram(data: Uint8Array): void {
    this.connection.emit({ type: "datagram", data: new Uint8Array(data) });
  }

  onClose(code: number, reason: string): void {
    this.connection.onPeerClose(code, reason);
  }
}
