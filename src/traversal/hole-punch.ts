// When to probe which address of a peer, so that both NATs open for each other (RFC 5128 §3.3, RFC 8445 §6.1.4 for the pacing). Both
// sides run this at the same time over the relay's introduction: the first probe of one opens its own NAT, the other's passes it.
// Rounds come fast at first and slow down; after a fruitless series there is silence, longer than a NAT keeps an unanswered
// mapping, since a mapping that went wrong is kept alive by trying again and again.

import type { SocketAddress } from "../base/address.ts";
import {
  PUNCH_FIRST_INTERVAL_MS,
  PUNCH_INTERVAL_MAX_MS,
  PUNCH_PROBES_PER_STEP,
  PUNCH_REST_MAX_MS,
  PUNCH_REST_MS,
  PUNCH_ROUNDS,
} from "../base/limits.ts";

export class HolePunch {
  private targets: readonly SocketAddress[] = [];
  private round = 0;
  /** Index of the next target within the round. */
  private next = 0;
  private series = 0;
  private atMs = Number.POSITIVE_INFINITY;

  /** Fruitless series so far. */
  get failedSeries(): number {
    return this.series;
  }

  /** Whether every target has been probed since the series began. */
  get hasSpoken(): boolean {
    return this.round > 0;
  }

  /** Starts a series at once, or after `delayMs`, towards these addresses. */
  start(nowMs: number, targets: readonly SocketAddress[], delayMs = 0): void {
    this.targets = targets;
    this.round = 0;
    this.next = 0;
    this.atMs = targets.length > 0 ? nowMs + delayMs : Number.POSITIVE_INFINITY;
  }

  /** The network changed: what failed before says nothing now. */
  forgetFailures(): void {
    this.series = 0;
  }

  /** There is a direct path. */
  stop(): void {
    this.atMs = Number.POSITIVE_INFINITY;
    this.series = 0;
  }

  /** When `takeDue` has something, in ms. */
  pollTimeout(): number {
    return this.atMs;
  }

  /** @returns the addresses to probe now, few at a time. */
  takeDue(nowMs: number): readonly SocketAddress[] {
    if (nowMs < this.atMs) return [];
    const due = this.targets.slice(this.next, this.next + PUNCH_PROBES_PER_STEP);
    this.next += due.length;
    if (this.next < this.targets.length) {
      this.atMs = nowMs + 1;
      return due;
    }
    this.next = 0;
    this.round++;
    if (this.round < PUNCH_ROUNDS) {
      this.atMs = nowMs + Math.min(PUNCH_FIRST_INTERVAL_MS * 2 ** (this.round - 1), PUNCH_INTERVAL_MAX_MS);
    } else {
      this.round = 0;
      this.atMs = nowMs + Math.min(PUNCH_REST_MS * 2 ** this.series, PUNCH_REST_MAX_MS);
      this.series++;
    }
    return due;
  }
}
