// Packets that are to cross each other. A router that takes unsolicited packets in loses the mapping towards their sender; where both
// routers are such, a pair of ports works only if each side's first packet has left before the other's arrives. So the two send
// between all pairs of some sockets at the same time, one in the opposite order of the other: however far their clocks are apart,
// within the time that it takes there is a pair for which both send at the same moment.

import {
  CROSSING_SOCKETS,
  CROSSING_SPREAD_MAX_MS,
  CROSSING_SPREAD_MIN_MS,
  CROSSING_SPREAD_SHARE,
} from "../base/limits.ts";

/** Which socket of ours sends to which of theirs, by their places in the lists that the sides have told each other. */
export interface CrossingPair {
  readonly ours: number;
  readonly theirs: number;
}

export class Crossing {
  private readonly startAtMs: number;
  private readonly intervalMs: number;
  private readonly pairs: readonly CrossingPair[];
  private sent = 0;

  /**
   * @param isInitiator which side this is: the responder goes through the pairs backwards.
   * @param rttMs between the two over the relay: the uncertainty about when the other side begins is a part of it.
   * @param widening makes it all last longer, where a shorter time has not been enough.
   */
  constructor(startAtMs: number, isInitiator: boolean, ours: number, theirs: number, rttMs: number, widening = 1) {
    this.startAtMs = startAtMs;
    const initiators = Math.min(isInitiator ? ours : theirs, CROSSING_SOCKETS);
    const responders = Math.min(isInitiator ? theirs : ours, CROSSING_SOCKETS);
    const pairs: CrossingPair[] = [];
    for (let i = 0; i < initiators; i++) {
      for (let r = 0; r < responders; r++) pairs.push(isInitiator ? { ours: i, theirs: r } : { ours: r, theirs: i });
    }
    this.pairs = isInitiator ? pairs : pairs.reverse();
    const spreadMs = Math.min(
      Math.max(rttMs * CROSSING_SPREAD_SHARE, CROSSING_SPREAD_MIN_MS) * widening,
      CROSSING_SPREAD_MAX_MS,
    );
    this.intervalMs = pairs.length === 0 ? 0 : spreadMs / pairs.length;
  }

  get isDone(): boolean {
    return this.sent >= this.pairs.length;
  }

  /** When `takeDue` has something, in ms; Infinity when all is sent. */
  pollTimeout(): number {
    return this.isDone ? Number.POSITIVE_INFINITY : this.startAtMs + this.sent * this.intervalMs;
  }

  /** @returns the pairs that are due, in the order in which they have to leave. */
  takeDue(nowMs: number): readonly CrossingPair[] {
    const first = this.sent;
    while (!this.isDone && nowMs >= this.pollTimeout()) this.sent++;
    return this.pairs.slice(first, this.sent);
  }
}
