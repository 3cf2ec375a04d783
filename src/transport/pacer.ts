// Spreads what is sent over time (RFC 9002 §7.7) as a bucket that fills at the congestion controller's rate. A bucket that holds much makes
// good what a late timer has missed, and sends it in one go: to a queue that may have room for twelve packets. So it holds what the
// timers here are seen to need, up to two milliseconds of the rate, and never less than a few packets: fewer where timers are finer.

import {
  PACING_BURST_MS,
  PACING_BURST_PACKETS_MIN,
  PACING_BYTES_PER_MS_MAX,
  PACING_FINE_PACKETS_MIN,
  PACING_LATE_PART,
  PACING_LATE_TIMES,
  PACING_ROOM,
  TIMER_MS,
} from "../base/limits.ts";

export class Pacer {
  private tokensBytes = Number.POSITIVE_INFINITY;
  private filledAtMs = 0;
  private rateBytesPerMs = Number.POSITIVE_INFINITY;
  private burstBytes = 0;
  /** When the next packet may go, while somebody waits for that … */
  private dueAtMs = Number.POSITIVE_INFINITY;
  /** … and how much later than that it did, on a moving average. */
  private lateMs = 0;
  private readonly timerMs: number;
  private readonly burstPacketsMin: number;

  /** @param timerMs what the timers are good to that wait for the next packet. */
  constructor(timerMs: number = TIMER_MS) {
    this.timerMs = timerMs;
    this.burstPacketsMin = timerMs < TIMER_MS ? PACING_FINE_PACKETS_MIN : PACING_BURST_PACKETS_MIN;
  }

  /**
   * Sets the rate; called whenever it may have changed.
   * @param hasSlack the rate is above what is needed: less of it must be made good.
   */
  update(rateBytesPerMs: number, packetBytes: number, hasSlack = false): void {
    this.rateBytesPerMs = Math.min(rateBytesPerMs, PACING_BYTES_PER_MS_MAX);
    const burstMs = Math.min(
      PACING_ROOM * this.timerMs + (hasSlack ? 1 : PACING_LATE_TIMES) * this.lateMs,
      PACING_BURST_MS,
    );
    this.burstBytes = Math.max(this.rateBytesPerMs * burstMs, this.burstPacketsMin * packetBytes);
  }

  private fill(nowMs: number): void {
    const elapsedMs = nowMs - this.filledAtMs;
    this.filledAtMs = nowMs;
    this.tokensBytes = Math.min(this.tokensBytes + elapsedMs * this.rateBytesPerMs, this.burstBytes);
  }

  /** @returns how many bytes may go now; a packet goes whenever this is positive. */
  availableBytes(nowMs: number): number {
    if (nowMs >= this.dueAtMs) {
      const lateMs = Math.min(nowMs - this.dueAtMs, PACING_BURST_MS);
      this.lateMs += (lateMs - this.lateMs) * PACING_LATE_PART;
      this.dueAtMs = Number.POSITIVE_INFINITY;
    }
    this.fill(nowMs);
    return this.tokensBytes;
  }

  onSent(bytes: number): void {
    this.tokensBytes -= bytes;
  }

  /** @returns when the next packet may go, in ms, provided that availableBytes was not positive. */
  nextSendAtMs(nowMs: number): number {
    // Waiting for a part of the burst rather than for one byte keeps the number of wake-ups low.
    const wanted = Math.min(this.burstBytes / PACING_ROOM, this.rateBytesPerMs * this.timerMs) - this.tokensBytes;
    this.dueAtMs = nowMs + Math.max(wanted, 1) / this.rateBytesPerMs;
    return this.dueAtMs;
  }

  /** Something else than the pace holds packets up, or there are none: whenever the next one goes, it is not late. */
  stopWaiting(): void {
    this.dueAtMs = Number.POSITIVE_INFINITY;
  }

  reset(): void {
    this.stopWaiting();
    this.tokensBytes = Number.POSITIVE_INFINITY;
  }
}
