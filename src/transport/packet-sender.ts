// Builds what a connection sends: packets of the probing space, the CLOSE, and for each path acknowledgements, control
// frames, stream data and probes, packed into batches that the socket can hand over in one call.

import { ByteWriter } from "../base/byte-writer.ts";
import { ecn } from "../base/ecn.ts";
import {
  ACK_ONLY_PACKETS_MAX,
  ACK_RANGES_MAX,
  DATA_HEADER_BYTES,
  DATAGRAM_BYTES_MIN,
  TAG_BYTES,
} from "../base/limits.ts";
import type { Route } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { writeDataHeader } from "../wire/datagram.ts";
import {
  ackRangesThatFit,
  datagramBytes,
  writeAck,
  writeClose,
  writeDatagram,
  writeObservedAddress,
  writePadding,
  writePathChallenge,
  writePathResponse,
  writePing,
} from "../wire/frame-encoder.ts";
import { packetsInBatch } from "./batch-size.ts";
import type { Connection } from "./connection.ts";
import type { PacketKeys } from "./packet-keys.ts";
import type { Path } from "./path.ts";
import type { ProbePacket } from "./path-probes.ts";
import type { ReceiveSpace } from "./receive-space.ts";
import type { SentPacket } from "./sent-packets.ts";

/** Filled and written out at once, so one serves all connections. */
const ackRanges = new Float64Array(ACK_RANGES_MAX * 2);

export class PacketSender {
  private readonly connection: Connection;
  private readonly writer = new ByteWriter(new Uint8Array(0));
  private observedSequence = 0;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** Fills `out` with the next batch. @returns false when nothing may go now. */
  pollTransmit(nowMs: number, keys: PacketKeys, out: Transmit): boolean {
    const { probes, paths } = this.connection;
    const probe = probes.takeNext();
    if (probe !== undefined) {
      this.buildProbe(keys, probe, out);
      return true;
    }
    // What is copied because its own path is in doubt must not go over that path again.
    for (const path of paths.all) {
      if (path.copiesOwed > 0 && path.state !== "failed" && this.fillBatch(nowMs, keys, path, out)) return true;
    }
    for (const path of paths.all) {
      if (path.state !== "failed" && this.fillBatch(nowMs, keys, path, out)) return true;
    }
    const { active } = paths;
    return active !== undefined && this.buildMtuProbe(nowMs, keys, active, out);
  }

  private fillBatch(nowMs: number, keys: PacketKeys, path: Path, out: Transmit): boolean {
    out.begin(path.route);
    path.pacingAtMs = Number.POSITIVE_INFINITY;
    const packets = packetsInBatch(path.datagramBytes);
    for (let count = 0; count < packets; count++) {
      const bytes = this.buildPacket(nowMs, keys, path, out, count === 0);
      if (bytes === 0) break;
      if (count === 0) out.segmentBytes = bytes;
      out.lengthBytes += bytes;
      // Only equal packets may follow one another in a batch, but for the last.
      if (bytes < path.datagramBytes) break;
    }
    return out.lengthBytes > 0;
  }

  /**
   * Builds one packet at the end of the batch. Acknowledgements are all in its first packet.
   * @returns its bytes with the route's prefix, 0 when there is nothing to send.
   */
  private buildPacket(nowMs: number, keys: PacketKeys, path: Path, out: Transmit, isFirst: boolean): number {
    const { paths, control, streams } = this.connection;
    const probing = path.probesOwed > 0 || path.copiesOwed > 0;
    const carriesData = path === paths.active || path.copiesOwed > 0;
    const hasData = carriesData && (control.hasWanted() || this.connection.datagrams.length > 0 || streams.hasToSend);
    const mayElicit = probing || this.mayElicit(nowMs, path, hasData);
    const wantsPing = path.pingWanted || path.probesOwed > 0;
    if (path.copiesOwed > 0) path.copiesOwed--;
    if (!(hasData && mayElicit) && !wantsPing && !(isFirst && this.isAckDue(nowMs, path))) return 0;

    keys.maybeUpdate(nowMs, this.connection.keyHoldMs);
    const headerAt = out.lengthBytes + path.route.prefix.length;
    const framesAt = headerAt + DATA_HEADER_BYTES;
    const writer = this.writer;
    // Probes stay small: a path whose MTU has shrunk must still be able to answer (RFC 9000 §14.4).
    const room = probing ? Math.min(path.frameBytes, PROBE_FRAME_BYTES) : path.frameBytes;
    writer.reset(out.buffer, framesAt, framesAt + room);
    const packet = path.sent.prepare(nowMs);
    packet.keyEpoch = keys.sendEpoch;

    if (isFirst) this.writeAcks(nowMs, path, packet);
    const ackEnd = writer.offset;
    if (hasData && mayElicit) {
      control.fill(writer, nowMs, packet.control);
      this.writeDatagrams();
      streams.fill(writer, packet);
      if (packet.rangeCount > 0) paths.dataSentAtMs = nowMs;
    }
    let eliciting = writer.offset > ackEnd;
    if (!eliciting && (wantsPing || path.ackOnlyPackets >= ACK_ONLY_PACKETS_MAX) && writer.remainingBytes > 0) {
      writePing(writer);
      eliciting = true;
    }
    if (writer.offset === framesAt) return 0;
    if (path.probesOwed > 0 && eliciting) path.probesOwed--;
    this.seal(keys, out.buffer, headerAt, path.id, packet.packetNumber);
    const { prefix } = path.route;
    if (prefix.length > 0) out.buffer.set(prefix, out.lengthBytes);
    const bytes = writer.offset + TAG_BYTES - out.lengthBytes;
    // A batch has one codepoint, which its first packet chooses.
    if (isFirst && path.marks(eliciting)) out.ecn = ecn.ect0;
    packet.marked = out.ecn === ecn.ect0;
    path.onPacketSent(packet, nowMs, bytes, eliciting);
    return bytes;
  }

  /** A padded packet of a size that the path has not been seen to carry (RFC 8899 §4.1); it is lost without harm. */
  private buildMtuProbe(nowMs: number, keys: PacketKeys, path: Path, out: Transmit): boolean {
    const bytes = path.mtuProbeDue(nowMs);
    if (bytes === undefined) return false;
    const headerAt = this.begin(path.route, out);
    this.writer.end = bytes - TAG_BYTES;
    const packet = path.sent.prepare(nowMs);
    packet.keyEpoch = keys.sendEpoch;
    packet.mtuProbe = true;
    writePing(this.writer);
    writePadding(this.writer, this.writer.remainingBytes);
    this.seal(keys, out.buffer, headerAt, path.id, packet.packetNumber);
    this.end(out);
    path.onMtuProbeSent(out.lengthBytes);
    path.onPacketSent(packet, nowMs, out.lengthBytes, true);
    return true;
  }

  /** Whether window and pacer let an ack-eliciting packet go; remembers what held it back. */
  private mayElicit(nowMs: number, path: Path, hasData: boolean): boolean {
    if (!path.hasWindow) {
      path.pacer.stopWaiting();
      path.appLimited = false;
      return false;
    }
    if (!hasData) {
      path.pacer.stopWaiting();
      if (path.active) path.appLimited = true;
      return true;
    }
    if (path.pacer.availableBytes(nowMs) > 0) return true;
    path.appLimited = false;
    path.pacingAtMs = path.pacer.nextSendAtMs(nowMs);
    return false;
  }

  private isAckDue(nowMs: number, path: Path): boolean {
    for (const space of this.connection.spaces.values()) {
      if (space.ackDueAtMs <= nowMs && this.ackPath(space) === path) return true;
    }
    return false;
  }

  /** Acknowledgements go back the way the packets came, so that each path measures its own round trip, while that way works. */
  private ackPath(space: ReceiveSpace): Path | undefined {
    const { paths } = this.connection;
    const path = paths.byRoute(space.route);
    if (path !== undefined && path.state === "working") return path;
    const isOtherBetter = path === undefined || path.state === "failed" || paths.active?.state === "working";
    return isOtherBetter ? paths.active : path;
  }

  private writeAcks(nowMs: number, path: Path, packet: SentPacket): void {
    for (const space of this.connection.spaces.values()) {
      if (!space.hasAckToSend || this.ackPath(space) !== path) continue;
      const delayUs = space.ackDelayUs(nowMs);
      const pairs = space.fillAckRanges(ackRanges, ACK_RANGES_MAX);
      const counts = space.ecnCounts;
      const count = ackRangesThatFit(space.path, delayUs, ackRanges, pairs, counts, this.writer.remainingBytes);
      if (count === 0) return;
      writeAck(this.writer, space.path, delayUs, ackRanges, count, counts);
      space.onAckSent();
      packet.ackPath = space.path;
      packet.ackLargest = ackRanges[0] as number;
    }
  }

  private writeDatagrams(): void {
    const queue = this.connection.datagrams;
    while (queue.length > 0) {
      const data = queue[0] as Uint8Array;
      if (datagramBytes(data.length) > this.writer.remainingBytes) {
        // One that does not fit an otherwise empty packet never will.
        if (datagramBytes(data.length) <= DATAGRAM_FRAME_BYTES_MAX) return;
        queue.shift();
        continue;
      }
      writeDatagram(this.writer, data);
      queue.shift();
    }
  }

  private seal(keys: PacketKeys, buffer: Uint8Array, headerAt: number, pathId: number, packetNumber: number): void {
    const end = this.writer.offset;
    writeDataHeader(
      buffer,
      headerAt,
      keys.sendPhase,
      end + TAG_BYTES - headerAt,
      this.connection.remoteSession,
      pathId,
      packetNumber,
    );
    keys.seal(buffer, headerAt, end, pathId, packetNumber);
  }

  private begin(route: Route, out: Transmit): number {
    out.begin(route);
    out.buffer.set(route.prefix, 0);
    const headerAt = route.prefix.length;
    this.writer.reset(out.buffer, headerAt + DATA_HEADER_BYTES, DATAGRAM_BYTES_MIN - TAG_BYTES);
    return headerAt;
  }

  private end(out: Transmit): void {
    out.lengthBytes = this.writer.offset + TAG_BYTES;
    out.segmentBytes = out.lengthBytes;
  }

  private buildProbe(keys: PacketKeys, probe: ProbePacket, out: Transmit): void {
    const headerAt = this.begin(probe.route, out);
    if (probe.challenge !== undefined) writePathChallenge(this.writer, probe.challenge);
    if (probe.response !== undefined) writePathResponse(this.writer, probe.response);
    if (probe.observed !== undefined) writeObservedAddress(this.writer, ++this.observedSequence, probe.observed);
    const { probes } = this.connection;
    this.seal(keys, out.buffer, headerAt, probes.path, probes.takePacketNumber());
    this.end(out);
    out.hopLimit = probe.hopLimit;
  }

  /** The farewell, on one path. */
  buildClose(nowMs: number, keys: PacketKeys, path: Path, code: number, reason: string, out: Transmit): void {
    const headerAt = this.begin(path.route, out);
    const packet = path.sent.prepare(nowMs);
    writeClose(this.writer, code, reason);
    this.seal(keys, out.buffer, headerAt, path.id, packet.packetNumber);
    this.end(out);
    path.onPacketSent(packet, nowMs, out.lengthBytes, false);
  }
}

/** A datagram that leaves no room for an acknowledgement beside it is not sent. */
const DATAGRAM_FRAME_BYTES_MAX = DATAGRAM_BYTES_MIN - 100;
/** Room for frames in a probe that has to pass any path. */
const PROBE_FRAME_BYTES = DATAGRAM_BYTES_MIN - 12 - DATA_HEADER_BYTES - TAG_BYTES;
