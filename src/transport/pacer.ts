// Spreads what is sent over time (RFC 9002 §7.7) as a bucket that fills at the congestion controller's rate. Timers are late, so the
// bucket holds two milliseconds of the rate, and never less than a few packets: fewer where timers are finer.

import {
  PACING_BURST_MS,
  PACING_BURST_PACKETS_MIN,
  PACING_BYTES_PER_MS_MAX,
  PACING_FINE_PACKETS_MIN,
  TIMER_MS,
} from "../base/limits.ts";

export class Pacer {
  private tokensBytes = Number.POSITIVE_INFINITY;
  private filledAtMs = 0;
  private rateBytesPerMs = Number.POSITIVE_INFINITY;
  private burstBytes = 0;
  private readonly timerMs: number;
  private readonly burstPacketsMin: number;

  /** @param timerMs what the timers are good to that wait for the next packet. */
  constructor(timerMs: number = TIMER_MS) {
    this.timerMs = timerMs;
    this.burstPacketsMin = timerMs < TIMER_MS ? PACING_FINE_PACKETS_MIN : PACING_BURST_PACKETS_MIN;
  }

  /** Sets the rate; called whenever it may have changed. */
  update(rateBytesPerMs: number, packetBytes: number): void {
    this.rateBytesPerMs = Math.min(rateBytesPerMs, PACING_BYTES_PER_MS_MAX);
    this.burstBytes = Math.max(this.rateBytesPerMs * PACING_BURST_MS, this.burstPacketsMin * packetBytes);
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
    const wanted = Math.min(this.burstBytes / 2, this.rateBytesPerMs * this.timerMs) - this.tokensBytes;
    return nowMs + Math.max(wanted, 1) / this.rateBytesPerMs;
  }

  reset(): void {
    this.tokensBytes = Number.POSITIVE_INFINITY;
  }
}
