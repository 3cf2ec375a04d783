// Spreads what is sent over time (RFC 9002 §7.7) as a bucket that fills at the congestion controller's rate. Timers are late, so the
// bucket holds two milliseconds of the rate, and never less than a few packets: fewer where timers are finer.
//
// A program that is later still, because its machine has other things to do, has not chosen to send less. What it has missed by being
// late is owed, up to a bound, and made good at twice the rate rather than at once: the queue of a short path has no room for it.

import {
  PACING_BURST_MS,
  PACING_BURST_PACKETS_MIN,
  PACING_BYTES_PER_MS_MAX,
  PACING_FINE_PACKETS_MIN,
  PACING_OWED_MS_MAX,
  TIMER_MS,
} from "../base/limits.ts";

export class Pacer {
  private tokensBytes = Number.POSITIVE_INFINITY;
  private filledAtMs = 0;
  private rateBytesPerMs = Number.POSITIVE_INFINITY;
  private burstBytes = 0;
  /** When the sender was told to come again, while it waits for that; and what it has missed by coming later. */
  private waitedForMs = Number.POSITIVE_INFINITY;
  private owedBytes = 0;
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
    this.owedBytes = Math.min(this.owedBytes, PACING_OWED_MS_MAX * this.rateBytesPerMs);
  }

  private fill(nowMs: number): void {
    const dueBytes = (nowMs - this.filledAtMs) * this.rateBytesPerMs;
    this.filledAtMs = nowMs;
    const repaidBytes = Math.min(this.owedBytes, dueBytes);
    this.owedBytes -= repaidBytes;
    this.tokensBytes += dueBytes + repaidBytes;
    const overBytes = this.tokensBytes - this.burstBytes;
    if (overBytes > 0) {
      this.tokensBytes = this.burstBytes;
      const lateBytes = Math.max(0, nowMs - this.waitedForMs) * this.rateBytesPerMs;
      const owedBytesMax = PACING_OWED_MS_MAX * this.rateBytesPerMs;
      this.owedBytes = Math.min(this.owedBytes + Math.min(overBytes, lateBytes + repaidBytes), owedBytesMax);
    }
    this.waitedForMs = Number.POSITIVE_INFINITY;
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
    const dueBytes = Math.max(wanted, 1);
    this.waitedForMs = nowMs + (dueBytes - Math.min(this.owedBytes, dueBytes / 2)) / this.rateBytesPerMs;
    return this.waitedForMs;
  }

  /** Something else holds the sender back now: it may be as late as it likes. */
  release(): void {
    this.waitedForMs = Number.POSITIVE_INFINITY;
    this.owedBytes = 0;
  }

  reset(): void {
    this.tokensBytes = Number.POSITIVE_INFINITY;
    this.release();
  }
}
