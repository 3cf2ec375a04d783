// Whether data fare well on a path. A path may answer every ping and still lose what it is given: throttled, broken in one direction,
// worse than the relay. It is judged by the share of its packets that are lost, demoted for a while when that is high, and tried
// again later, each time after a longer while.

import {
  PATH_DEMOTE_MAX_MS,
  PATH_DEMOTE_MS,
  PATH_LOSS_SHARE_MAX,
  PATH_QUALITY_PACKETS,
  PATH_QUALITY_WINDOW_MS,
} from "../base/limits.ts";

export class PathQuality {
  private acked = 0;
  private lost = 0;
  private windowStartMs: number;
  private badWindows = 0;
  private goodWindows = 0;
  private demoteMs = PATH_DEMOTE_MS;
  private demotedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(nowMs: number) {
    this.windowStartMs = nowMs;
  }

  onAcked(): void {
    this.acked++;
  }

  onLost(): void {
    this.lost++;
  }

  /** Judges what has happened since the last time, once that is enough. @returns whether other paths are to be preferred. */
  review(nowMs: number): boolean {
    const count = this.acked + this.lost;
    if (count >= PATH_QUALITY_PACKETS && nowMs - this.windowStartMs >= PATH_QUALITY_WINDOW_MS) {
      if (this.lost > count * PATH_LOSS_SHARE_MAX) this.onBadWindow(nowMs);
      else this.onGoodWindow();
      this.acked = 0;
      this.lost = 0;
      this.windowStartMs = nowMs;
    }
    return nowMs < this.demotedUntilMs;
  }

  private onBadWindow(nowMs: number): void {
    this.goodWindows = 0;
    // One bad window is a burst; two in a row are the path's nature.
    if (++this.badWindows < 2) return;
    this.badWindows = 0;
    this.demotedUntilMs = nowMs + this.demoteMs;
    this.demoteMs = Math.min(this.demoteMs * 2, PATH_DEMOTE_MAX_MS);
  }

  private onGoodWindow(): void {
    this.badWindows = 0;
    if (++this.goodWindows >= 20) this.demoteMs = PATH_DEMOTE_MS;
  }
}
