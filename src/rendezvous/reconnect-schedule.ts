// When to try again to reach a rendezvous: soon at first, since most outages are short, then less and less often, and never in
// step with the thousand other agents that lost it at the same moment.

import {
  RENDEZVOUS_PATIENCE_MS,
  RENDEZVOUS_PAUSE_LATE_MAX_MS,
  RENDEZVOUS_PAUSE_MAX_MS,
  RENDEZVOUS_PAUSE_MIN_MS,
} from "../base/limits.ts";
import { type Random, randomFraction } from "../base/random.ts";

/** Exponents beyond this change nothing. */
const FAILURES_MAX = 16;

export class ReconnectSchedule {
  private readonly random: Random;
  private failures = 0;
  private awaySinceMs: number | undefined;

  constructor(random: Random) {
    this.random = random;
  }

  /** The rendezvous works, or the network is another one: the next failure is a first one. */
  reset(): void {
    this.failures = 0;
    this.awaySinceMs = undefined;
  }

  /** Counts a failure. @returns how long to wait before the next attempt, in ms. */
  pauseMs(nowMs: number): number {
    this.awaySinceMs ??= nowMs;
    const late = nowMs - this.awaySinceMs >= RENDEZVOUS_PATIENCE_MS;
    const mostMs = late ? RENDEZVOUS_PAUSE_LATE_MAX_MS : RENDEZVOUS_PAUSE_MAX_MS;
    const pauseMs = Math.min(RENDEZVOUS_PAUSE_MIN_MS * 2 ** this.failures, mostMs);
    this.failures = Math.min(this.failures + 1, FAILURES_MAX);
    return pauseMs * (0.5 + 0.5 * randomFraction(this.random));
  }
}
