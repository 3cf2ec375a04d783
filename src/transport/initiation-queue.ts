// Initiations that have passed every cheap test and wait to be answered. A handshake takes a millisecond of processor time or more, a
// thousand times what a packet of a connection takes; were each made as it comes, those who have their answer already would wait behind
// all who have not, miss their own answers, and come again. So a few are answered in each turn, and everything else goes first.

import { GRANULARITY_MS, HANDSHAKES_PER_TURN, INITIATION_WAIT_MS, INITIATIONS_WAITING_MAX } from "../base/limits.ts";
import type { Route } from "../base/route.ts";

export interface WaitingInitiation {
  readonly route: Route;
  readonly packet: Uint8Array;
  readonly atMs: number;
}

export class InitiationQueue {
  /** By route and packet: one that is sent again while it waits keeps its place. */
  private readonly waiting = new Map<string, WaitingInitiation>();
  private turnMs = Number.NEGATIVE_INFINITY;
  private takenInTurn = 0;

  /** Takes a copy of the packet. Where there is no room, its sender tries again soon. @param key names the packet. */
  add(nowMs: number, route: Route, key: string, packet: Uint8Array): void {
    const place = `${route.key} ${key}`;
    const known = this.waiting.get(place);
    if (known === undefined && this.waiting.size >= INITIATIONS_WAITING_MAX) return;
    this.waiting.set(place, { route, packet: known?.packet ?? new Uint8Array(packet), atMs: nowMs });
  }

  /** @returns the next one to be answered in this turn, which is a moment of `nowMs`. */
  take(nowMs: number): WaitingInitiation | undefined {
    if (nowMs !== this.turnMs) {
      this.turnMs = nowMs;
      this.takenInTurn = 0;
    }
    for (const [place, initiation] of this.waiting) {
      if (this.takenInTurn >= HANDSHAKES_PER_TURN) return undefined;
      this.waiting.delete(place);
      // Nobody waits for the answer any more, or it would have been sent again.
      if (nowMs - initiation.atMs > INITIATION_WAIT_MS) continue;
      this.takenInTurn++;
      return initiation;
    }
    return undefined;
  }

  /** When the next turn is due, in ms; asked when `take` has returned undefined. */
  pollTimeout(): number {
    return this.waiting.size > 0 ? this.turnMs + GRANULARITY_MS : Number.POSITIVE_INFINITY;
  }
}
