// The losses of one path as its congestion controller has to see them: what was found lost at once is one report, what was sent before
// a reduction belongs to that reduction, and when all of it has arrived after all the reduction was for nothing. Also tells persistent
// congestion (RFC 9002 §7.6): nothing at all came through for three probe timeouts.

import { PERSISTENT_CONGESTION_THRESHOLD } from "../base/limits.ts";
import { packetState, type SentPacket, type SentPackets } from "./sent-packets.ts";

export class LossEvent {
  /** Of the present report. */
  bytes = 0;
  /** The oldest that may tell persistent congestion. */
  private first: SentPacket | undefined;
  private last: SentPacket | undefined;
  private count = 0;
  /** When the last reduction was made: packets sent before and found lost since then are what it was for. */
  private startMs = Number.NEGATIVE_INFINITY;
  /** Those of them that have not arrived after all. */
  private missing = 0;
  private firstSampleAtMs = Number.POSITIVE_INFINITY;

  begin(): void {
    this.first = undefined;
    this.last = undefined;
    this.bytes = 0;
    this.count = 0;
  }

  /** A packet was found lost; the oldest comes first. */
  add(packet: SentPacket): void {
    // Persistent congestion is told by packets that left when there was a round-trip time already (RFC 9002 §7.6.2).
    if (packet.sentAtMs > this.firstSampleAtMs) this.first ??= packet;
    this.last = packet;
    this.bytes += packet.bytes;
    this.count++;
  }

  /** When the newest of the report was sent; undefined where nothing was lost. */
  get newestSentAtMs(): number | undefined {
    return this.last?.sentAtMs;
  }

  /** The report is complete. */
  end(nowMs: number, newestSentAtMs: number): void {
    if (newestSentAtMs > this.startMs) {
      this.startMs = nowMs;
      this.missing = 0;
    }
    this.missing += this.count;
  }

  /** Whether the report shows persistent congestion: losses before there was a round-trip time do not. */
  isPersistent(ptoMs: number, sent: SentPackets): boolean {
    const { first, last } = this;
    if (first === undefined || last === undefined) return false;
    if (last.sentAtMs - first.sentAtMs <= ptoMs * PERSISTENT_CONGESTION_THRESHOLD) return false;
    for (let n = first.packetNumber; n <= last.packetNumber; n++) {
      if (sent.get(n)?.state === packetState.acked) return false;
    }
    return true;
  }

  onRttSample(nowMs: number): void {
    if (nowMs < this.firstSampleAtMs) this.firstSampleAtMs = nowMs;
  }

  /** A packet that was found lost has arrived. @returns whether it was the last one missing of what the reduction was for. */
  onArrived(packet: SentPacket): boolean {
    const isOfEvent = packet.sentAtMs <= this.startMs && packet.lostAtMs >= this.startMs;
    return isOfEvent && !packet.mtuProbe && --this.missing === 0;
  }

  reset(): void {
    this.startMs = Number.NEGATIVE_INFINITY;
    this.missing = 0;
    this.firstSampleAtMs = Number.POSITIVE_INFINITY;
  }
}
