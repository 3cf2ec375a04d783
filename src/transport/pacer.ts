// Spreads what is sent over time (RFC 9002 §7.7) as a bucket that fills at the congestion controller's rate. Timers are
// good to about a millisecond, so the bucket holds two milliseconds of the rate, and never less than a few packets.

import { PACING_BURST_MS, PACING_BURST_PACKETS_MIN, PACING_BYTES_PER_MS_MAX } from "../base/limits.ts";

export class Pacer {
  private tokensBytes = Number.POSITIVE_INFINITY;
  private filledAtMs = 0;
  private rateBytesPerMs = Number.POSITIVE_INFINITY;
  private burstBytes = 0;

  /** Sets the rate; called whenever it may have changed. */
  update(rateBytesPerMs: number, packetBytes: number): void {
    this.rateBytesPerMs = Math.min(rateBytesPerMs, PACING_BYTES_PER_MS_MAX);
    this.burstBytes = Math.max(this.rateBytesPerMs * PACING_BURST_MS, PACING_BURST_PACKETS_MIN * packetBytes);
  }

  private fill(nowMs: number): void {
    const elapsedMs = nowMs - this.filledAtMs;
    this.filledAtMs = nowMs;
    this.tokensBytes = Math.min(this.tokensBytes + elapsedMs * this.rateBytesPerMs, this.burstBytes);
  }

  /** @returns how many bytes may go now; a packet goes whenever this is positive. */
  availableBytes(nowMs: number): number {
    this.fill(nowMs);
    return this.tokensBytes;
  }

  onSent(bytes: number): void {
    this.tokensBytes -= bytes;
  }

  /** @returns when the next packet may go, in ms, provided that availableBytes was not positive. */
  nextSendAtMs(nowMs: number): number {
    // Waiting for a part of the burst rather than for one byte keeps the number of wake-ups low.
    const wanted = Math.min(this.burstBytes / 2, this.rateBytesPerMs * 1) - this.tokensBytes;
    return nowMs + Math.max(wanted, 1) / this.rateBytesPerMs;
  }

  reset(): void {
    this.tokensBytes = Number.POSITIVE_INFINITY;
  }
}
