// One packet-number space of the peer, as its receiver sees it: what was seen, what is to be acknowledged, and when
// (RFC 9000 §13.2). Each path of the peer has one.

import { type Ecn, type EcnCounts, ecn } from "../base/ecn.ts";
import { ACK_DELAY_MAX_MS, ACK_ELICITING_THRESHOLD, ACK_RANGES_MAX, PACKET_THRESHOLD_MIN } from "../base/limits.ts";
import { RangeSet } from "../base/range-set.ts";
import type { Route } from "../base/route.ts";
import { AckFrequency } from "./ack-frequency.ts";
import { ReplayWindow } from "./replay-window.ts";

export class ReceiveSpace {
  /** The peer's number for this path. */
  readonly path: number;
  readonly seen = new ReplayWindow();
  readonly frequency = new AckFrequency();
  /** Where the newest packet of this space came from: acknowledgements go back there. */
  route: Route;
  /** Newer packets came from here; it becomes the route when a challenge to it has come back. */
  movedTo: Route | undefined;
  private readonly received = new RangeSet();
  private largestReceivedAtMs = 0;
  private elicitingSinceAck = 0;
  /** The last packet that did not follow the one before. */
  private outOfOrderAt = Number.NEGATIVE_INFINITY;
  /** The lowest packet that came since the last acknowledgement was sent. */
  private lowestUntold = Number.POSITIVE_INFINITY;
  private ackAtMs = Number.POSITIVE_INFINITY;
  /** Packets that came with each codepoint, and that of the last one. */
  private readonly counts = { ect0: 0, ect1: 0, ce: 0 };
  private lastEcn: Ecn = ecn.notEct;

  constructor(path: number, route: Route) {
    this.path = path;
    this.route = route;
  }

  /**
   * Records an authenticated, fresh packet whose frames have been handled.
   * @param threshold how many ack-eliciting packets may wait for one acknowledgement.
   * @param delayMs how long two and more may wait; a single one waits for up to ACK_DELAY_MAX_MS.
   * @param codepoint what its IP header said.
   */
  onReceived(
    nowMs: number,
    packetNumber: number,
    ackEliciting: boolean,
    threshold: number,
    delayMs = ACK_DELAY_MAX_MS,
    codepoint: Ecn = ecn.notEct,
  ): void {
    const inOrder = packetNumber === this.seen.highest + 1 || this.seen.highest < 0;
    if (packetNumber > this.seen.highest) this.largestReceivedAtMs = nowMs;
    this.seen.mark(packetNumber);
    this.received.insert(packetNumber, packetNumber + 1);
    if (this.received.rangeCount > ACK_RANGES_MAX) this.received.removeFirst();
    if (packetNumber < this.lowestUntold) this.lowestUntold = packetNumber;
    const congestionBegins = codepoint === ecn.ce && this.lastEcn !== ecn.ce;
    if (codepoint !== ecn.notEct) this.count(codepoint);
    this.lastEcn = codepoint;
    if (!ackEliciting) return;
    this.elicitingSinceAck++;
    if (!inOrder) this.outOfOrderAt = packetNumber;
    // A gap is news that the sender's loss detection waits for (RFC 9000 §13.2.1), and so are the packets behind it that prove a loss.
    const isBehindGap = packetNumber <= this.outOfOrderAt + PACKET_THRESHOLD_MIN;
    const enough = isBehindGap ? Math.min(threshold, ACK_ELICITING_THRESHOLD) : threshold;
    // So is congestion that begins (§13.2.1); as long as it lasts there is nothing new in it.
    if (!inOrder || congestionBegins || this.elicitingSinceAck >= enough) this.ackAtMs = nowMs;
    else {
      const waitMs = this.elicitingSinceAck >= ACK_ELICITING_THRESHOLD ? delayMs : ACK_DELAY_MAX_MS;
      this.ackAtMs = Math.min(this.ackAtMs, nowMs + waitMs);
    }
  }

  private count(codepoint: Ecn): void {
    if (codepoint === ecn.ect0) this.counts.ect0++;
    else if (codepoint === ecn.ce) this.counts.ce++;
    else this.counts.ect1++;
  }

  /** What an ACK frame tells of ECN: nothing as long as there is nothing, be it that our socket cannot tell. */
  get ecnCounts(): EcnCounts | undefined {
    const { ect0, ect1, ce } = this.counts;
    return ect0 + ect1 + ce === 0 ? undefined : this.counts;
  }

  /** When an acknowledgement has to go out, in ms; Infinity when nothing waits for one. */
  get ackDueAtMs(): number {
    return this.ackAtMs;
  }

  /** An acknowledgement may ride along with another packet. */
  get hasAckToSend(): boolean {
    return this.ackAtMs !== Number.POSITIVE_INFINITY;
  }

  get rangeCount(): number {
    return this.received.rangeCount;
  }

  /**
   * Writes [largest, smallest] pairs from above, as an ACK frame wants them.
   * @returns how many pairs.
   */
  fillAckRanges(into: Float64Array, pairsMax: number): number {
    const count = Math.min(this.received.rangeCount, pairsMax);
    for (let i = 0; i < count; i++) {
      const range = this.received.rangeCount - 1 - i;
      into[i * 2] = this.received.endAt(range) - 1;
      into[i * 2 + 1] = this.received.startAt(range);
    }
    return count;
  }

  /** µs since the largest packet came, for the ACK frame. */
  ackDelayUs(nowMs: number): number {
    return Math.max(0, Math.round((nowMs - this.largestReceivedAtMs) * 1000));
  }

  /** The acknowledgement is on its way. */
  onAckSent(): void {
    this.elicitingSinceAck = 0;
    this.lowestUntold = Number.POSITIVE_INFINITY;
    this.ackAtMs = Number.POSITIVE_INFINITY;
  }

  /**
   * The peer has an acknowledgement that reached up to `largest`: what is below needs no mention any more (RFC 9000 §13.2.4),
   * but for a packet that came late and behind that acknowledgement.
   */
  onAckAcknowledged(largest: number): void {
    this.received.remove(0, Math.min(largest + 1, this.lowestUntold));
  }
}
