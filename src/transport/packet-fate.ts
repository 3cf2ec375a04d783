// What becomes of the frames of a packet when it is acknowledged or lost, whichever path it went over.

import type { ControlQueue } from "./control-queue.ts";
import type { PacketOwner } from "./path.ts";
import type { ReceiveSpace } from "./receive-space.ts";
import type { SentPacket, SentRange } from "./sent-packets.ts";
import type { StreamTable } from "./stream-table.ts";

export interface PacketFateParts {
  readonly streams: StreamTable;
  readonly control: ControlQueue;
  readonly spaces: ReadonlyMap<number, ReceiveSpace>;
  /** A packet sealed in this key epoch has arrived. */
  onEpochAcked(epoch: number, nowMs: number): void;
}

export class PacketFate implements PacketOwner {
  private readonly parts: PacketFateParts;

  constructor(parts: PacketFateParts) {
    this.parts = parts;
  }

  onPacketAcked(packet: SentPacket, nowMs: number): void {
    const { streams, spaces } = this.parts;
    this.parts.onEpochAcked(packet.keyEpoch, nowMs);
    for (let i = 0; i < packet.rangeCount; i++) {
      const range = packet.ranges[i] as SentRange;
      if (range.half !== undefined) streams.onFrameAcked(range.half, range.offset, range.lengthBytes, range.fin);
    }
    for (const frame of packet.control) streams.onControlAcked(frame);
    if (packet.ackPath >= 0) spaces.get(packet.ackPath)?.onAckAcknowledged(packet.ackLargest);
  }

  onPacketLost(packet: SentPacket): void {
    const { streams, control } = this.parts;
    for (let i = 0; i < packet.rangeCount; i++) {
      const range = packet.ranges[i] as SentRange;
      if (range.half !== undefined) streams.onFrameLost(range.half, range.offset, range.lengthBytes, range.fin);
    }
    for (const frame of packet.control) control.add(frame);
  }
}
