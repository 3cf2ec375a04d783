// Round-trip time of one path: smoothed, its variation, and the minimum (RFC 9002 §5).

import { GRANULARITY_MS, INITIAL_RTT_MS } from "../base/limits.ts";

export class RttEstimator {
  /** A round trip has been measured. */
  hasSample = false;
  latestMs = INITIAL_RTT_MS;
  smoothedMs = INITIAL_RTT_MS;
  variationMs = INITIAL_RTT_MS / 2;
  minMs = INITIAL_RTT_MS;

  /**
   * @param rttMs time from sending to the acknowledgement.
   * @param ackDelayMs how long the peer says that it held the acknowledgement back.
   */
  sample(rttMs: number, ackDelayMs: number): void {
    const rtt = Math.max(rttMs, 0.001);
    this.latestMs = rtt;
    if (!this.hasSample) {
      this.hasSample = true;
      this.minMs = rtt;
      this.smoothedMs = rtt;
      this.variationMs = rtt / 2;
      return;
    }
    this.minMs = Math.min(this.minMs, rtt);
    const adjusted = rtt - ackDelayMs >= this.minMs ? rtt - ackDelayMs : rtt;
    this.variationMs = 0.75 * this.variationMs + 0.25 * Math.abs(this.smoothedMs - adjusted);
    this.smoothedMs = 0.875 * this.smoothedMs + 0.125 * adjusted;
  }

  /** The probe timeout before back-off (RFC 9002 §6.2.1). */
  ptoMs(ackDelayMaxMs: number): number {
    return this.smoothedMs + Math.max(4 * this.variationMs, GRANULARITY_MS) + ackDelayMaxMs;
  }

  /** Forgets everything: the path now leads elsewhere. */
  reset(): void {
    this.hasSample = false;
    this.latestMs = INITIAL_RTT_MS;
    this.smoothedMs = INITIAL_RTT_MS;
    this.variationMs = INITIAL_RTT_MS / 2;
    this.minMs = INITIAL_RTT_MS;
  }
}
