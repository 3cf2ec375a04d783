// How often a connection's deadlines may be seen to at one moment. A few can fall due together; were there no end to them, a deadline
// that stays in the past by a fault of ours would keep the process busy for ever.

import { TIMEOUTS_AT_ONCE_MAX } from "../base/limits.ts";

export class TimeoutBurst {
  private lastMs = Number.NEGATIVE_INFINITY;
  private count = 0;

  /** Deadlines are being seen to. */
  onTimeout(nowMs: number): void {
    this.count = nowMs > this.lastMs ? 1 : this.count + 1;
    this.lastMs = nowMs;
  }

  /** Whether they may be seen to once more at this moment. */
  hasRoom(nowMs: number): boolean {
    return nowMs > this.lastMs || this.count < TIMEOUTS_AT_ONCE_MAX;
  }
}
