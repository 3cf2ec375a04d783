// The controller that is used unless told: CUBIC, and BBR on a path that loses packets by itself.
//
// CUBIC takes each loss for a full queue and makes room for others. That is right where queues lose packets, and others are treated as they
// treat us. Where radio or a bad cable loses them it is wrong each time, and a hundredth of the packets lost leaves a fiftieth of the rate. BBR
// pays little heed to losses, at the price of longer queues and of a little of a clean link's rate.
//
//     CUBIC   until cuts of the window that had no queue behind them are too many for chance (link-loss.ts, loss-evidence.ts), then BBR on trial
//     trial   as long as it loses about as much as CUBIC did, for what a link loses by itself does not depend on us, or is many times
//             as fast, and a queue is seen to grow where BBR probes for one. Otherwise the queue was only too short to be seen: back to
//             CUBIC, and no trial for a while, longer each time
//     review  back to CUBIC as well when the link has been well for so long that CUBIC would hardly have been disturbed

import {
  AUTO_BAD_TRIALS,
  AUTO_DEVIATIONS,
  AUTO_DEVIATIONS_BEFORE,
  AUTO_EVIDENCE_MS,
  AUTO_GAIN_FREE,
  AUTO_LOSS_FOR_GAIN,
  AUTO_LOSS_FOR_GAIN_MAX,
  AUTO_OWN_LOSSES,
  AUTO_PAUSE_MS,
  AUTO_PAUSE_MS_MAX,
  AUTO_QUEUE_PACKETS,
  AUTO_REVIEW_MS,
  AUTO_SPAN_BYTES,
  AUTO_TRIAL_BYTES,
  AUTO_TRIAL_ROUNDS,
  INITIAL_WINDOW_PACKETS,
} from "../base/limits.ts";
import { BbrModel } from "./bbr-model.ts";
import { CongestionBbr } from "./congestion-bbr.ts";
import type { CongestionController, PacketsInFlight } from "./congestion-controller.ts";
import type { CongestionCubic } from "./congestion-cubic.ts";
import { LinkLoss } from "./link-loss.ts";
import { LossEvidence } from "./loss-evidence.ts";
import { LossSpan } from "./loss-span.ts";
import type { RttEstimator } from "./rtt-estimator.ts";

export class CongestionAuto implements CongestionController {
  private readonly linkLoss = new LinkLoss();
  private readonly rate = this.linkLoss.rate;
  private readonly makeCubic: (packetBytes: number) => CongestionCubic;
  private packetBytes: number;
  private cubic: CongestionCubic;
  private bbr: CongestionBbr | undefined;

  // While CUBIC is at work.
  private roundEndsAtBytes = 0;
  /** Losses that have been counted already. */
  private seenOwn = 0;
  private seenQueue = 0;
  /** That the link loses packets by itself, as the cuts of the window have it. */
  private readonly evidence = new LossEvidence();
  private lastCutMs = Number.NEGATIVE_INFINITY;
  private isAppLimited = false;
  /** What CUBIC has lost and carried since its slow start, or BBR in this part of its trial. */
  private readonly span = new LossSpan(this.rate);
  private pausedUntilMs = 0;
  private pauseMs = AUTO_PAUSE_MS;

  // While BBR is at work.
  private reviewAtMs = 0;
  private reviewedOwnLosses = 0;
  /** What CUBIC lost before, at the most, and how fast it was. */
  private lostShareBefore = 0;
  private bytesPerMsBefore = 0;
  /** The round in which the present part of the trial began, −1 while BBR is still finding the path's rate; and bad parts in a row. */
  private trialRound = -1;
  private badTrials = 0;
  /** A queue has been seen to grow in this trial. */
  private queueSeen = false;

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

  get paceHasSlack(): boolean {
    return this.current.paceHasSlack === true;
  }

  onPacketSent(nowMs: number, packetNumber: number, bytes: number, sent: PacketsInFlight, appLimited: boolean): void {
    if (this.bbr !== undefined) this.bbr.onPacketSent(nowMs, packetNumber, bytes, sent, appLimited);
    else this.rate.onSent(nowMs, packetNumber, bytes, sent.bytesInFlight, sent.lowestRemembered);
  }

  onPacketAcked(nowMs: number, packetNumber: number, bytes: number): void {
    if (this.bbr !== undefined) this.bbr.onPacketAcked(nowMs, packetNumber, bytes);
    else this.linkLoss.onPacketAcked(nowMs, packetNumber, bytes);
  }

  onPacketLost(nowMs: number, packetNumber: number, bytes: number): void {
    if (this.bbr !== undefined) this.bbr.onPacketLost(nowMs, packetNumber, bytes);
    else this.linkLoss.onPacketLost(packetNumber, bytes);
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
    this.isAppLimited = appLimited;
    this.cubic.onAck(nowMs, bytes, sentAtMs, rtt, appLimited);
  }

  onLoss(nowMs: number, bytes: number, sentAtMs: number, persistent: boolean): void {
    if (this.bbr !== undefined) {
      this.bbr.onLoss(nowMs, bytes, sentAtMs, persistent);
      return;
    }
    const beforeBytes = this.cubic.windowBytes;
    this.cubic.onLoss(nowMs, bytes, sentAtMs, persistent);
    const { ownLosses, queueLosses } = this.linkLoss;
    const own = ownLosses - this.seenOwn;
    const queue = queueLosses - this.seenQueue;
    this.seenOwn = ownLosses;
    this.seenQueue = queueLosses;
    if (this.cubic.windowBytes === beforeBytes) return;
    const sinceCutMs = nowMs - this.lastCutMs;
    this.lastCutMs = nowMs;
    // What is long ago says nothing. And where nothing comes through any more the path is not a bad one: it is cut.
    if (persistent || sinceCutMs > AUTO_EVIDENCE_MS) this.forgetEvidence(nowMs);
    else if (own + queue > 0 && !this.isAppLimited) this.weigh(nowMs, own > 0 && queue === 0);
  }

  private forgetEvidence(nowMs: number): void {
    this.evidence.forget();
    this.span.begin(nowMs);
  }

  private weigh(nowMs: number, isOwn: boolean): void {
    const { evidence, span } = this;
    evidence.weigh(isOwn, this.linkLoss.tellableShare);
    if (isOwn && evidence.isEnough && nowMs >= this.pausedUntilMs) this.beginBbr(nowMs);
    else if (evidence.isNone && span.bytes > AUTO_SPAN_BYTES) span.begin(nowMs);
  }

  onCongestionExperienced(nowMs: number, sentAtMs: number): void {
    if (this.bbr !== undefined) this.bbr.onCongestionExperienced(nowMs);
    else this.cubic.onCongestionExperienced(nowMs, sentAtMs);
  }

  onSpuriousLoss(): void {
    this.current.onSpuriousLoss();
    this.evidence.takeBack();
  }

  setPacketBytes(bytes: number): void {
    this.packetBytes = bytes;
    this.current.setPacketBytes(bytes);
  }

  // ---- changing hands

  private beginBbr(nowMs: number): void {
    const model = new BbrModel(this.linkLoss);
    this.bbr = new CongestionBbr(this.packetBytes, model, this.cubic.windowBytes);
    this.lostShareBefore = this.span.lostShare(AUTO_DEVIATIONS_BEFORE, this.packetBytes);
    this.bytesPerMsBefore = this.span.bytesPerMs(nowMs);
    this.trialRound = -1;
    this.badTrials = 0;
    this.queueSeen = false;
    this.beginReview(nowMs);
  }

  private judge(nowMs: number, bbr: CongestionBbr): void {
    const { roundCount } = bbr.model;
    if (this.trialRound < 0) {
      // What it loses while it finds the path's rate is its own doing.
      if (bbr.state !== "startup" && bbr.state !== "drain") this.beginTrial(nowMs, roundCount);
    } else if (roundCount >= this.trialRound + AUTO_TRIAL_ROUNDS && this.span.bytes >= AUTO_TRIAL_BYTES) {
      this.queueSeen ||= this.hasRoomForQueue(bbr);
      const isBad = this.losesTooMuch(nowMs) || !this.queueSeen;
      this.badTrials = isBad ? this.badTrials + 1 : 0;
      if (this.badTrials >= AUTO_BAD_TRIALS) {
        this.pausedUntilMs = nowMs + this.pauseMs;
        this.pauseMs = Math.min(2 * this.pauseMs, AUTO_PAUSE_MS_MAX);
        this.beginCubic(nowMs, bbr);
        return;
      }
      this.beginTrial(nowMs, roundCount);
    }
    if (nowMs < this.reviewAtMs) return;
    const isWell = this.linkLoss.ownLosses - this.reviewedOwnLosses < AUTO_OWN_LOSSES;
    if (isWell || !this.hasRoomForQueue(bbr)) this.beginCubic(nowMs, bbr);
    else this.beginReview(nowMs);
    this.pauseMs = AUTO_PAUSE_MS;
  }

  private losesTooMuch(nowMs: number): boolean {
    const gain = this.span.bytesPerMs(nowMs) / Math.max(this.bytesPerMsBefore, 1);
    const forGain = Math.min(Math.max(0, gain - AUTO_GAIN_FREE) * AUTO_LOSS_FOR_GAIN, AUTO_LOSS_FOR_GAIN_MAX);
    return this.span.lostShare(-AUTO_DEVIATIONS, this.packetBytes) > this.lostShareBefore + forGain;
  }

  /** Where a queue never held more than a few packets, what it drops cannot be told from what the link loses. */
  private hasRoomForQueue({ model }: CongestionBbr): boolean {
    const queuedMs = this.linkLoss.longRoundMs - model.minRttMs;
    return queuedMs * model.maxBytesPerMs >= AUTO_QUEUE_PACKETS * this.packetBytes;
  }

  private beginTrial(nowMs: number, round: number): void {
    this.trialRound = round;
    this.span.begin(nowMs);
  }

  private beginReview(nowMs: number): void {
    this.reviewAtMs = nowMs + AUTO_REVIEW_MS;
    this.reviewedOwnLosses = this.linkLoss.ownLosses;
    this.linkLoss.forgetRounds();
  }

  private beginCubic(nowMs: number, { model }: CongestionBbr): void {
    const pathBytes = model.bdpBytes(model.bytesPerMs, 1);
    this.bbr = undefined;
    this.cubic = this.makeCubic(this.packetBytes);
    this.cubic.startAt(Math.max(pathBytes, INITIAL_WINDOW_PACKETS * this.packetBytes));
    this.forgetEvidence(nowMs);
    this.lastCutMs = nowMs;
    this.seenOwn = this.linkLoss.ownLosses;
    this.seenQueue = this.linkLoss.queueLosses;
    this.roundEndsAtBytes = this.rate.deliveredBytes;
  }
}
