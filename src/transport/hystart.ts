// HyStart++ (RFC 9406): leaves slow start when the round trip grows, before the bottleneck's queue overflows. A first sign only slows the
// growth down (conservative slow start); should the round trip shrink again, it was jitter and slow start goes on.

import {
  HYSTART_CSS_GROWTH_DIVISOR,
  HYSTART_CSS_ROUNDS,
  HYSTART_RTT_SAMPLES,
  HYSTART_RTT_THRESHOLD_MAX_MS,
  HYSTART_RTT_THRESHOLD_MIN_MS,
} from "../base/limits.ts";

export class Hystart {
  /** Packets sent after this belong to the next round. */
  private roundStartMs = Number.NEGATIVE_INFINITY;
  private lastRoundMinMs = Number.POSITIVE_INFINITY;
  private roundMinMs = Number.POSITIVE_INFINITY;
  private samples = 0;
  /** In conservative slow start: the least round trip when it began, and the rounds since. */
  private cssBaselineMs: number | undefined;
  private cssRounds = 0;

  /** What the window's growth is divided by. */
  get growthDivisor(): number {
    return this.cssBaselineMs === undefined ? 1 : HYSTART_CSS_GROWTH_DIVISOR;
  }

  /**
   * An acknowledgement came in slow start.
   * @param sentAtMs when the newest packet in it was sent.
   * @param rttMs its round trip.
   * @returns whether slow start is over.
   */
  onAck(nowMs: number, sentAtMs: number, rttMs: number): boolean {
    let isOver = false;
    if (sentAtMs >= this.roundStartMs) isOver = this.beginRound(nowMs);
    this.roundMinMs = Math.min(this.roundMinMs, rttMs);
    this.samples++;
    if (this.samples < HYSTART_RTT_SAMPLES) return isOver;
    if (this.cssBaselineMs === undefined) this.lookForGrowth();
    else if (this.roundMinMs < this.cssBaselineMs) this.cssBaselineMs = undefined;
    return isOver;
  }

  private lookForGrowth(): void {
    const thresholdMs = Math.min(
      Math.max(this.lastRoundMinMs / 8, HYSTART_RTT_THRESHOLD_MIN_MS),
      HYSTART_RTT_THRESHOLD_MAX_MS,
    );
    if (this.roundMinMs < this.lastRoundMinMs + thresholdMs) return;
    this.cssBaselineMs = this.roundMinMs;
    this.cssRounds = 0;
  }

  private beginRound(nowMs: number): boolean {
    this.roundStartMs = nowMs;
    this.lastRoundMinMs = this.roundMinMs;
    this.roundMinMs = Number.POSITIVE_INFINITY;
    this.samples = 0;
    return this.cssBaselineMs !== undefined && ++this.cssRounds >= HYSTART_CSS_ROUNDS;
  }
}
