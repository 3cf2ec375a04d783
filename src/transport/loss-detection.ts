// Which packets of one path are lost (RFC 9002 §6.1): by packet number and by time, with thresholds that widen when a loss
// proves to have been reordering.

import { GRANULARITY_MS, PACKET_THRESHOLD_MAX, PACKET_THRESHOLD_MIN, TIME_THRESHOLD } from "../base/limits.ts";
import type { RttEstimator } from "./rtt-estimator.ts";
import { packetState, type SentPacket, type SentPackets } from "./sent-packets.ts";

export class LossDetection {
  private packetThreshold = PACKET_THRESHOLD_MIN;
  private timeThreshold = TIME_THRESHOLD;
  largestAcked = -1;
  /** When the oldest packet that is overdue but not yet late enough will be lost, in ms. */
  lossAtMs = Number.POSITIVE_INFINITY;
  private scanFrom = 0;

  private delayMs(rtt: RttEstimator): number {
    return Math.max(this.timeThreshold * Math.max(rtt.smoothedMs, rtt.latestMs), GRANULARITY_MS);
  }

  /** Calls `lost` for each packet that is lost now, from the oldest on. */
  detect(nowMs: number, sent: SentPackets, rtt: RttEstimator, lost: (packet: SentPacket) => void): void {
    this.lossAtMs = Number.POSITIVE_INFINITY;
    const delayMs = this.delayMs(rtt);
    let settled = true;
    let n = sent.firstUnacknowledged(this.scanFrom);
    while (n < this.largestAcked) {
      const packet = sent.get(n);
      if (packet !== undefined && packet.state === packetState.inFlight) {
        const dueAtMs = packet.sentAtMs + delayMs;
        if (this.largestAcked >= n + this.packetThreshold || dueAtMs <= nowMs) {
          sent.settle(packet, packetState.lost);
          packet.lostAtMs = nowMs;
          lost(packet);
        } else {
          settled = false;
          this.lossAtMs = Math.min(this.lossAtMs, dueAtMs);
        }
      }
      if (settled) this.scanFrom = n + 1;
      n = sent.firstUnacknowledged(n + 1);
    }
  }

  /** A packet that was declared lost has been acknowledged: wait longer from now on. */
  onSpurious(packet: SentPacket, nowMs: number, rtt: RttEstimator): void {
    this.packetThreshold = Math.min(
      PACKET_THRESHOLD_MAX,
      Math.max(this.packetThreshold, this.largestAcked - packet.packetNumber + 1),
    );
    const lateBy = (nowMs - packet.sentAtMs) / Math.max(rtt.smoothedMs, GRANULARITY_MS);
    this.timeThreshold = Math.min(2, Math.max(this.timeThreshold, lateBy * 1.125));
  }

  reset(): void {
    this.packetThreshold = PACKET_THRESHOLD_MIN;
    this.timeThreshold = TIME_THRESHOLD;
  }
}
