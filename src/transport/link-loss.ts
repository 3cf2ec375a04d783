// What a link loses by itself, whatever is in flight: radio, a bad cable, a policer elsewhere. BBR bounds a flight of which too much
// was lost, and has to know how much of that is its own doing; and whether CUBIC is of any use on a path depends on it.
//
// A full queue drops what comes while it is full, so that the packets before and behind the lost one have waited. A link's own loss
// strikes whatever waits or does not. So only packets count that are in neither case's doubt, on both sides of the fraction: those between
// neighbours that have waited less than half as long as is usual. Where programs are late now and then, what is usual is longer, and the
// division a little blurred; a time that had to be told from noise it does not need.

import {
  LINK_LOSS_BYTES,
  LINK_LOSS_BYTES_MIN,
  LINK_LOSS_NO_WAIT,
  LINK_LOSS_ROUND_PAIRS,
  LINK_LOSS_ROUNDS,
} from "../base/limits.ts";
import { DeliveryRate } from "./delivery-rate.ts";

export class LinkLoss {
  /** Packets that the link has lost by itself, and such as a full queue may have dropped; of others nothing is known. They only grow. */
  ownLosses = 0;
  queueLosses = 0;
  /** The longest mean of a round's pairs since `forgetRounds` but for one, which may be chance, in ms. */
  longRoundMs = 0;
  private longestRoundMs = 0;
  private lostBytes = 0;
  private sentBytes = 0;
  /** What packets remember of the path; each packet is told to both. */
  readonly rate = new DeliveryRate();
  private lastRttMs = 0;
  /** Of the round so far, and of the latest rounds: the longer round trips of pairs of neighbours, in ms. */
  private roundSumMs = 0;
  private roundPairs = 0;
  private roundBelow = 0;
  private belowShare = 0;
  private meanMs = 0;
  /** Between neighbours that were both faster than this a packet has met no queue; 0 before a round is over. */
  private splitMs = 0;

  onPacketAcked(nowMs: number, packetNumber: number, bytes: number): void {
    this.rate.onAcked(nowMs, packetNumber, bytes);
    this.onAcked(this.rate.packetRttMs, bytes);
  }

  onPacketLost(packetNumber: number, bytes: number): void {
    this.rate.onLost(packetNumber, bytes);
    this.onLost(this.rate.neighboursRttMs(packetNumber), bytes);
  }

  onAcked(rttMs: number, bytes: number): void {
    const pairMs = Math.max(rttMs, this.lastRttMs);
    this.lastRttMs = rttMs;
    this.roundSumMs += pairMs;
    this.roundPairs++;
    if (pairMs >= this.splitMs) return;
    this.sentBytes += bytes;
    this.roundBelow++;
  }

  /** @param pairMs the longer round trip of the packets that were sent before and behind the lost one; Infinity where one is not known. */
  onLost(pairMs: number, bytes: number): void {
    if (pairMs === Number.POSITIVE_INFINITY || this.splitMs === 0) return;
    if (pairMs >= this.splitMs) {
      this.queueLosses++;
      return;
    }
    this.ownLosses++;
    this.lostBytes += bytes;
    this.sentBytes += bytes;
  }

  /** @param minRttMs of the path; Infinity before it is known. */
  endRound(minRttMs: number): void {
    if (this.roundPairs === 0 || minRttMs === Number.POSITIVE_INFINITY) return;
    const roundMs = this.roundSumMs / this.roundPairs;
    // An acknowledgement that was held back makes a small round a long one.
    if (this.roundPairs >= LINK_LOSS_ROUND_PAIRS) this.noteRound(roundMs);
    const part = this.meanMs === 0 ? 1 : 1 / LINK_LOSS_ROUNDS;
    this.meanMs += (roundMs - this.meanMs) * part;
    this.belowShare += (this.roundBelow / this.roundPairs - this.belowShare) * part;
    this.splitMs = Math.max((minRttMs + this.meanMs) / 2, minRttMs * LINK_LOSS_NO_WAIT);
    this.roundSumMs = 0;
    this.roundPairs = 0;
    this.roundBelow = 0;
    if (this.sentBytes > LINK_LOSS_BYTES) {
      this.lostBytes /= 2;
      this.sentBytes /= 2;
    }
  }

  private noteRound(roundMs: number): void {
    this.longRoundMs = Math.max(this.longRoundMs, Math.min(roundMs, this.longestRoundMs));
    this.longestRoundMs = Math.max(this.longestRoundMs, roundMs);
  }

  forgetRounds(): void {
    this.longRoundMs = 0;
    this.longestRoundMs = 0;
  }

  /** Of how many packets it would be told if they were lost whatever they have waited, 0 to 1. */
  get tellableShare(): number {
    return this.belowShare;
  }

  /** Of what is sent, 0 to 1; little while little is known. */
  get share(): number {
    return this.lostBytes / Math.max(this.sentBytes, LINK_LOSS_BYTES_MIN);
  }
}
