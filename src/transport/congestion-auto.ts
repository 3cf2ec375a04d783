// The controller that is used unless told: CUBIC, and BBR on a path that loses packets by itself.
//
// CUBIC takes each loss for a full queue and makes room for others. That is right where queues lose packets, and others are treated as they
// treat us. Where radio or a bad cable loses them it is wrong each time, and a hundredth of the packets lost leaves a fiftieth of the rate. BBR
// pays little heed to losses, at the price of longer queues and of a little of a clean link's rate.
//
//     CUBIC   until cuts of the window that had no queue behind them (link-loss.ts) are too many for chance, then BBR on trial
//     trial   as long as it loses about as much as CUBIC did, for what a link loses by itself does not depend on us, or is many times
//             as fast, and a queue is seen to grow where BBR probes for one. Otherwise the queue was only too short to be seen: back to
//             CUBIC, and no trial for a while, longer each time
//     review  back to CUBIC as well when the link has been well for so long that CUBIC would hardly have been disturbed

import {
  AUTO_BAD_TRIALS,
  AUTO_EVIDENCE,
  AUTO_LOSS_FACTOR,
  AUTO_LOSS_FOR_GAIN,
  AUTO_OWN_LOSSES,
  AUTO_PAUSE_MS,
  AUTO_PAUSE_MS_MAX,
  AUTO_QUEUE_PACKETS,
  AUTO_REVIEW_MS,
  AUTO_SHARE_DIVISOR,
  AUTO_SHARE_MIN,
  AUTO_TRIAL_BYTES,
  AUTO_TRIAL_ROUNDS,
  INITIAL_WINDOW_PACKETS,
} from "../base/limits.ts";
import { BbrModel } from "./bbr-model.ts";
import { CongestionBbr } from "./congestion-bbr.ts";
import type { CongestionController, PacketsInFlight } from "./congestion-controller.ts";
import type { CongestionCubic } from "./congestion-cubic.ts";
import { DeliveryRate } from "./delivery-rate.ts";
import { LinkLoss } from "./link-loss.ts";
import type { RttEstimator } from "./rtt-estimator.ts";

/** A stretch of a path's life: how fast it was, and what of it was lost. */
class Span {
  private readonly rate: DeliveryRate;
  private startMs = 0;
  private lostBytes = 0;
  private deliveredBytes = 0;

  constructor(rate: DeliveryRate) {
    this.rate = rate;
  }

  begin(nowMs: number): void {
    this.startMs = nowMs;
    this.lostBytes = this.rate.lostBytes;
    this.deliveredBytes = this.rate.deliveredBytes;
  }

  get bytes(): number {
    return this.rate.deliveredBytes - this.deliveredBytes;
  }

  bytesPerMs(nowMs: number): number {
    return this.bytes / Math.max(nowMs - this.startMs, 1);
  }

  /** 0 to 1. */
  get lostShare(): number {
    const lostBytes = this.rate.lostBytes - this.lostBytes;
    return lostBytes / Math.max(lostBytes + this.bytes, 1);
  }
}

export class CongestionAuto implements CongestionController {
  private readonly rate = new DeliveryRate();
  private readonly linkLoss = new LinkLoss();
  private readonly makeCubic: (packetBytes: number) => CongestionCubic;
  private packetBytes: number;
  private cubic: CongestionCubic;
  private bbr: CongestionBbr | undefined;

  // While CUBIC is at work.
  private roundEndsAtBytes = 0;
  /** The link's own losses that have been counted already. */
  private seenOwnBytes = 0;
  /** That the link loses packets by itself, as a logarithm of odds; what the last cut had of it, and the time since there is any. */
  private evidence = 0;
  private lastEvidence = 0;
  private readonly span = new Span(this.rate);
  private pausedUntilMs = 0;
  private pauseMs = AUTO_PAUSE_MS;

  // While BBR is at work.
  private reviewAtMs = 0;
  private reviewedOwnLosses = 0;
  /** What CUBIC lost before, and how fast it was. */
  private lostShareBefore = 0;
  private bytesPerMsBefore = 0;
  /** The round in which the present part of the trial began, −1 while BBR is still finding the path's rate; and bad parts in a row. */
  private trialRound = -1;
  private badTrials = 0;

  constructor(packetBytes: number, makeCubic: (packetBytes: number) => CongestionCubic) {
    this.packetBytes = packetBytes;
    this.makeCubic = makeCubic;
    this.cubic = makeCubic(packetBytes);
  }

  /** That of the one that is at work. */
  get name(): string {
    return this.current.name;
  }

  get windowBytes(): number {
    return this.current.windowBytes;
  }

  private get current(): CongestionController {
    return this.bbr ?? this.cubic;
  }

  pacingBytesPerMs(rtt: RttEstimator): number {
    return this.current.pacingBytesPerMs(rtt);
  }

  onPacketSent(nowMs: number, packetNumber: number, bytes: number, sent: PacketsInFlight, appLimited: boolean): void {
    if (this.bbr !== undefined) this.bbr.onPacketSent(nowMs, packetNumber, bytes, sent, appLimited);
    else this.rate.onSent(nowMs, packetNumber, bytes, sent.bytesInFlight, sent.lowestRemembered);
  }

  onPacketAcked(nowMs: number, packetNumber: number, bytes: number): void {
    if (this.bbr !== undefined) {
      this.bbr.onPacketAcked(nowMs, packetNumber, bytes);
      return;
    }
    this.rate.onAcked(nowMs, packetNumber, bytes);
    this.linkLoss.onAcked(this.rate.packetRttMs, bytes);
  }

  onPacketLost(nowMs: number, packetNumber: number, bytes: number): void {
    if (this.bbr !== undefined) {
      this.bbr.onPacketLost(nowMs, packetNumber, bytes);
      return;
    }
    this.rate.onLost(packetNumber, bytes);
    this.linkLoss.onLost(this.rate.neighboursRttMs(packetNumber), bytes);
  }

  onAck(
    nowMs: number,
    bytes: number,
    sentAtMs: number,
    rtt: RttEstimator,
    appLimited: boolean,
    bytesInFlight: number,
  ): void {
    if (this.bbr !== undefined) {
      this.bbr.onAck(nowMs, bytes, sentAtMs, rtt, appLimited, bytesInFlight);
      this.judge(nowMs, this.bbr);
      return;
    }
    this.rate.endAck(rtt.minMs);
    if (this.rate.samplePriorBytes >= this.roundEndsAtBytes) {
      this.roundEndsAtBytes = this.rate.deliveredBytes;
      this.linkLoss.endRound(rtt.minMs);
    }
    this.rate.beginAck();
    this.cubic.onAck(nowMs, bytes, sentAtMs, rtt, appLimited);
  }

  onLoss(nowMs: number, bytes: number, sentAtMs: number, persistent: boolean): void {
    if (this.bbr !== undefined) {
      this.bbr.onLoss(nowMs, bytes, sentAtMs, persistent);
      return;
    }
    const beforeBytes = this.cubic.windowBytes;
    this.cubic.onLoss(nowMs, bytes, sentAtMs, persistent);
    const ownBytes = this.linkLoss.ownLostBytes - this.seenOwnBytes;
    this.seenOwnBytes = this.linkLoss.ownLostBytes;
    if (this.cubic.windowBytes === beforeBytes) return;
    if (persistent) {
      // Where nothing comes through any more the path is not a bad one: it is cut.
      this.evidence = 0;
      return;
    }
    if (this.evidence === 0) this.span.begin(nowMs);
    this.weigh(ownBytes >= bytes);
    if (this.evidence >= AUTO_EVIDENCE && nowMs >= this.pausedUntilMs) this.beginBbr(nowMs);
  }

  /** Wald's sequential test: whether losses are as often the link's own as they would be if all of them were, or a fifth of that. */
  private weigh(isOwn: boolean): void {
    const share = Math.min(Math.max(this.linkLoss.tellableShare, AUTO_SHARE_MIN), 1 - AUTO_SHARE_MIN);
    const other = share / AUTO_SHARE_DIVISOR;
    const evidence = isOwn ? Math.log(share / other) : Math.log((1 - share) / (1 - other));
    this.evidence = Math.max(0, this.evidence + evidence);
    this.lastEvidence = evidence;
  }

  onCongestionExperienced(nowMs: number, sentAtMs: number): void {
    if (this.bbr !== undefined) this.bbr.onCongestionExperienced(nowMs);
    else this.cubic.onCongestionExperienced(nowMs, sentAtMs);
  }

  onSpuriousLoss(): void {
    this.current.onSpuriousLoss();
    // Packets that overtake one another are no loss.
    this.evidence = Math.max(0, this.evidence - Math.max(0, this.lastEvidence));
    this.lastEvidence = 0;
  }

  setPacketBytes(bytes: number): void {
    this.packetBytes = bytes;
    this.current.setPacketBytes(bytes);
  }

  // ---- changing hands

  private beginBbr(nowMs: number): void {
    const model = new BbrModel(this.rate, this.linkLoss);
    this.bbr = new CongestionBbr(this.packetBytes, model, this.cubic.windowBytes);
    this.lostShareBefore = this.span.lostShare;
    this.bytesPerMsBefore = this.span.bytesPerMs(nowMs);
    this.trialRound = -1;
    this.badTrials = 0;
    this.linkLoss.longestRoundMs = 0;
    this.beginReview(nowMs);
  }

  private judge(nowMs: number, bbr: CongestionBbr): void {
    const { roundCount } = bbr.model;
    if (this.trialRound < 0) {
      // What it loses while it finds the path's rate is its own doing.
      if (bbr.state !== "startup" && bbr.state !== "drain") this.beginTrial(nowMs, roundCount);
    } else if (roundCount >= this.trialRound + AUTO_TRIAL_ROUNDS && this.span.bytes >= AUTO_TRIAL_BYTES) {
      const isBad = this.losesTooMuch(nowMs) || !this.hasRoomForQueue(bbr);
      this.badTrials = isBad ? this.badTrials + 1 : 0;
      if (this.badTrials >= AUTO_BAD_TRIALS) {
        this.pausedUntilMs = nowMs + this.pauseMs;
        this.pauseMs = Math.min(2 * this.pauseMs, AUTO_PAUSE_MS_MAX);
        this.beginCubic(bbr);
        return;
      }
      this.beginTrial(nowMs, roundCount);
    }
    if (nowMs < this.reviewAtMs) return;
    if (this.linkLoss.ownLosses - this.reviewedOwnLosses < AUTO_OWN_LOSSES) this.beginCubic(bbr);
    else this.beginReview(nowMs);
    this.pauseMs = AUTO_PAUSE_MS;
  }

  private losesTooMuch(nowMs: number): boolean {
    const gain = this.span.bytesPerMs(nowMs) / this.bytesPerMsBefore;
    return this.span.lostShare > AUTO_LOSS_FACTOR * this.lostShareBefore + AUTO_LOSS_FOR_GAIN * gain;
  }

  /** Where a queue never held more than a few packets, what it drops cannot be told from what the link loses. */
  private hasRoomForQueue({ model }: CongestionBbr): boolean {
    const longestMs = this.linkLoss.longestRoundMs - model.minRttMs;
    return longestMs * model.maxBytesPerMs >= AUTO_QUEUE_PACKETS * this.packetBytes;
  }

  private beginTrial(nowMs: number, round: number): void {
    this.trialRound = round;
    this.span.begin(nowMs);
  }

  private beginReview(nowMs: number): void {
    this.reviewAtMs = nowMs + AUTO_REVIEW_MS;
    this.reviewedOwnLosses = this.linkLoss.ownLosses;
  }

  private beginCubic({ model }: CongestionBbr): void {
    const pathBytes = model.bdpBytes(model.bytesPerMs, 1);
    this.bbr = undefined;
    this.cubic = this.makeCubic(this.packetBytes);
    this.cubic.startAt(Math.max(pathBytes, INITIAL_WINDOW_PACKETS * this.packetBytes));
    this.evidence = 0;
    this.lastEvidence = 0;
    this.seenOwnBytes = this.linkLoss.ownLostBytes;
    this.roundEndsAtBytes = this.rate.deliveredBytes;
  }
}
