// What BBR knows of its path (draft-ietf-ccwg-bbr-04 §5.5): round trips counted in packets, the bandwidth, the least round trip, how
// much acknowledgements come in bunches, and, from losses, how much in flight is too much. The state machine that
// makes use of it, and that makes these measurements possible, is congestion-bbr.ts.

import {
  BBR_BETA,
  BBR_EXTRA_ACKED_ROUNDS,
  BBR_LOSS_THRESHOLD,
  BBR_LOSS_THRESHOLD_NO_QUEUE,
  BBR_LOSSES_NO_QUEUE,
  BBR_MIN_RTT_MS,
  BBR_PROBE_RTT_INTERVAL_MS,
  BBR_QUEUE_SAMPLES,
  BBR_QUEUE_SEEN,
  BBR_QUEUE_SEEN_BYTES,
  BBR_QUEUE_SHARE,
  LINK_LOSS_DEVIATIONS,
} from "../base/limits.ts";
import type { DeliveryRate } from "./delivery-rate.ts";
import { LinkLoss } from "./link-loss.ts";

export class BbrModel {
  readonly rate: DeliveryRate;

  /** Round trips so far, and whether the latest acknowledgement began one. */
  roundCount = 0;
  roundStart = false;
  private roundEndsAtBytes = 0;

  /** The greatest rate of the present probing cycle and of the one before, in bytes per ms. */
  private cycleBytesPerMs = 0;
  private lastCycleBytesPerMs = 0;
  /** Short-term bounds, from losses since the last probe. */
  shortTermBytesPerMs = Number.POSITIVE_INFINITY;
  shortTermInFlightBytes = Number.POSITIVE_INFINITY;
  /** Long-term bound: what probing has found to be more than the path takes. */
  longTermInFlightBytes = Number.POSITIVE_INFINITY;

  minRttMs = Number.POSITIVE_INFINITY;
  private minRttAtMs = Number.NEGATIVE_INFINITY;
  /** By how much the packet with the least round trip was shorter than a full one, which a slow link needs longer for. */
  private minRttShortBytes = 0;
  private probeRttShortBytes = 0;
  private probeRttMinMs = Number.POSITIVE_INFINITY;
  private probeRttMinAtMs = Number.NEGATIVE_INFINITY;
  /** No round trip as short as the least one has been seen for a while: it is time to look again. */
  probeRttExpired = false;

  /** Acknowledged beyond what the bandwidth explains: the most of the latest rounds. */
  private extraAckedSlots = [0, 0];
  private extraAckedSlotRound = 0;
  private extraAckedFromMs = 0;
  private extraAckedBytes = 0;

  readonly linkLoss: LinkLoss;
  /** The least round trips of this round and of the one before: what all of a round has waited is a queue, and not a process that was late. */
  private roundRttMs = Number.POSITIVE_INFINITY;
  private roundSamples = 0;
  private lastRoundRttMs = Number.POSITIVE_INFINITY;
  /** The same before the present probe, and the round in which that began. */
  private probeBaseRttMs = 0;
  private probeStartRound = 0;
  private lastRoundSamples = 0;
  /** Of so many acknowledgements the packet has waited: in a short buffer beside others a queue comes and goes within a round. */
  private roundWaited = 0;
  private lastRoundWaited = 0;
  /** A round by which losses are judged; it lasts for a round trip behind its first loss. */
  private lossRoundEndsAtBytes = 0;
  private lossRoundStart = false;
  lossInRound = false;
  /** A router marked something in it. */
  private markedInLossRound = false;
  private lossRoundLostBytes = 0;
  private lossRoundDeliveredBytes = 0;
  private latestBytesPerMs = 0;
  private latestDeliveredBytes = 0;

  private savedBytesPerMs = 0;
  private savedShortTermBytes = 0;
  private savedLongTermBytes = 0;

  /** @param linkLoss knows the path already where it is not a new one. */
  constructor(linkLoss = new LinkLoss()) {
    this.linkLoss = linkLoss;
    this.rate = linkLoss.rate;
  }

  get maxBytesPerMs(): number {
    return Math.max(this.cycleBytesPerMs, this.lastCycleBytesPerMs);
  }

  /** The bandwidth to send at. */
  get bytesPerMs(): number {
    return Math.min(this.maxBytesPerMs, this.shortTermBytesPerMs);
  }

  /** Bandwidth-delay product, of full packets, times `gain`; Infinity before there is a round trip. */
  bdpBytes(bytesPerMs: number, gain: number): number {
    return (bytesPerMs * this.minRttMs + this.minRttShortBytes) * gain;
  }

  get extraAckedMaxBytes(): number {
    return Math.max(this.extraAckedSlots[0] as number, this.extraAckedSlots[1] as number);
  }

  /** A new round begins now, whatever is in flight. */
  startRound(): void {
    this.roundEndsAtBytes = this.rate.deliveredBytes;
  }

  /** Takes in the sample of an ACK frame. @param probing losses are what the present state looks for. */
  onAck(
    nowMs: number,
    probing: boolean,
    fullBandwidthReached: boolean,
    windowBytes: number,
    packetBytes: number,
  ): void {
    const { rate } = this;
    this.latestBytesPerMs = Math.max(this.latestBytesPerMs, rate.sampleBytesPerMs);
    this.latestDeliveredBytes = Math.max(this.latestDeliveredBytes, rate.sampleDeliveredBytes);
    this.lossRoundStart = rate.samplePriorBytes >= this.lossRoundEndsAtBytes;

    this.roundStart = rate.samplePriorBytes >= this.roundEndsAtBytes;
    if (this.roundStart) {
      this.startRound();
      this.roundCount++;
      this.linkLoss.endRound(this.minRttMs);
      this.lastRoundRttMs = this.roundRttMs;
      this.lastRoundSamples = this.roundSamples;
      this.lastRoundWaited = this.roundWaited;
      this.roundRttMs = Number.POSITIVE_INFINITY;
      this.roundSamples = 0;
      this.roundWaited = 0;
    }
    this.roundSamples++;
    if (this.isQueue(rate.latestRttMs)) this.roundWaited++;
    this.roundRttMs = Math.min(this.roundRttMs, rate.latestRttMs);
    const sample = rate.sampleBytesPerMs;
    if (sample > this.cycleBytesPerMs && (sample >= this.maxBytesPerMs || !rate.sampleIsAppLimited)) {
      this.cycleBytesPerMs = sample;
    }
    if (this.lossRoundStart) {
      if (this.lossInRound && !probing) this.adaptShortTerm(windowBytes, packetBytes);
      this.lossInRound = false;
      this.beginLossRound();
    }
    this.updateAggregation(nowMs, fullBandwidthReached, windowBytes);
  }

  /** Behind everything that looks at the latest round. */
  endAck(): void {
    if (!this.lossRoundStart) return;
    this.latestBytesPerMs = this.rate.sampleBytesPerMs;
    this.latestDeliveredBytes = this.rate.sampleDeliveredBytes;
  }

  // ---- bandwidth

  /** A probing cycle is over: its greatest rate counts for one cycle more. */
  advanceCycle(): void {
    if (this.cycleBytesPerMs === 0) return;
    this.lastCycleBytesPerMs = this.cycleBytesPerMs;
    this.cycleBytesPerMs = 0;
  }

  /** The greatest rate of the latest round. */
  get latestRoundBytesPerMs(): number {
    return this.latestBytesPerMs;
  }

  get latestRoundDeliveredBytes(): number {
    return this.latestDeliveredBytes;
  }

  // ---- round trip

  updateMinRtt(nowMs: number, packetBytes: number): void {
    const rttMs = this.rate.sampleRttMs;
    const isFirst = this.probeRttMinMs === Number.POSITIVE_INFINITY;
    this.probeRttExpired = !isFirst && nowMs > this.probeRttMinAtMs + BBR_PROBE_RTT_INTERVAL_MS;
    if (rttMs < this.probeRttMinMs || (this.probeRttExpired && rttMs !== Number.POSITIVE_INFINITY)) {
      this.probeRttMinMs = rttMs;
      this.probeRttMinAtMs = nowMs;
      this.probeRttShortBytes = Math.max(0, packetBytes - this.rate.sampleRttBytes);
    }
    const isOld = nowMs > this.minRttAtMs + BBR_MIN_RTT_MS;
    if (this.probeRttMinMs < this.minRttMs || isOld) {
      this.minRttMs = this.probeRttMinMs;
      this.minRttAtMs = this.probeRttMinAtMs;
      this.minRttShortBytes = this.probeRttShortBytes;
    }
  }

  /** The path has been looked at with little in flight. */
  onProbeRttDone(nowMs: number): void {
    this.probeRttMinAtMs = nowMs;
  }

  // ---- acknowledgements in bunches

  private updateAggregation(nowMs: number, fullBandwidthReached: boolean, windowBytes: number): void {
    let expectedBytes = this.bytesPerMs * (nowMs - this.extraAckedFromMs);
    if (this.extraAckedBytes <= expectedBytes) {
      this.extraAckedBytes = 0;
      this.extraAckedFromMs = nowMs;
      expectedBytes = 0;
    }
    this.extraAckedBytes += this.rate.newlyAckedBytes;
    const extraBytes = Math.min(this.extraAckedBytes - expectedBytes, windowBytes);
    const slots = this.extraAckedSlots;
    // Two slots of half the time each; before the bandwidth is known one round trip is remembered.
    if (this.roundCount - this.extraAckedSlotRound >= (fullBandwidthReached ? BBR_EXTRA_ACKED_ROUNDS / 2 : 1)) {
      this.extraAckedSlotRound = this.roundCount;
      slots[1] = fullBandwidthReached ? (slots[0] as number) : 0;
      slots[0] = 0;
    }
    slots[0] = Math.max(slots[0] as number, extraBytes);
  }

  onIdleRestart(nowMs: number): void {
    this.extraAckedFromMs = nowMs;
    this.extraAckedBytes = 0;
  }

  // ---- losses

  private beginLossRound(): void {
    const { rate } = this;
    this.lossRoundEndsAtBytes = rate.deliveredBytes;
    this.markedInLossRound = false;
    this.lossRoundLostBytes = rate.lostBytes;
    this.lossRoundDeliveredBytes = rate.deliveredBytes;
  }

  onLost(): void {
    if (!this.lossInRound) this.lossRoundEndsAtBytes = this.rate.deliveredBytes;
    this.lossInRound = true;
  }

  /** A router marked a packet: the round counts as one that lost too much. */
  onMarked(): void {
    if (!this.lossInRound) this.lossRoundEndsAtBytes = this.rate.deliveredBytes;
    this.lossInRound = true;
    this.markedInLossRound = true;
  }

  /** The least round trip of the latest one or two rounds, in ms. */
  private get standingRttMs(): number {
    return Math.min(this.roundRttMs, this.lastRoundRttMs);
  }

  /** A probe for more bandwidth begins. */
  beginProbe(): void {
    this.probeBaseRttMs = this.standingRttMs;
    this.probeStartRound = this.roundCount;
  }

  /**
   * A queue where there was none before this probe is all that there is to learn: three round trips without growth, as Startup takes them,
   * would make it three times as long.
   */
  get hasQueueOfProbe(): boolean {
    const isAnswered = this.roundCount > this.probeStartRound + 1 && this.roundSamples >= BBR_QUEUE_SAMPLES;
    return isAnswered && !this.hasWaited(this.probeBaseRttMs) && this.hasWaited(this.roundRttMs);
  }

  /** Whether nearly all that was acknowledged of late has waited on its way. */
  private get isQueueSeen(): boolean {
    const samples = this.roundSamples + this.lastRoundSamples;
    return this.roundWaited + this.lastRoundWaited > BBR_QUEUE_SHARE * samples;
  }

  private isQueue(rttMs: number): boolean {
    return this.hasWaited(rttMs) && this.waitedBytes(rttMs) > BBR_QUEUE_SEEN_BYTES;
  }

  private hasWaited(rttMs: number): boolean {
    return this.waitedBytes(rttMs) > this.minRttMs * BBR_QUEUE_SEEN * this.maxBytesPerMs;
  }

  /** What stood before a full packet with this round trip. */
  private waitedBytes(rttMs: number): number {
    return (rttMs - this.minRttMs) * this.maxBytesPerMs - this.minRttShortBytes;
  }

  /** Of so much in flight may be lost: behind a queue what the link loses in any case and a little, and more where it has no luck. */
  private allowedLossBytes(inFlightBytes: number, packetBytes: number): number {
    const { share } = this.linkLoss;
    const luckBytes = LINK_LOSS_DEVIATIONS * Math.sqrt(share * inFlightBytes * packetBytes);
    const most = BBR_LOSS_THRESHOLD_NO_QUEUE;
    const threshold = this.isQueueSeen ? Math.min(share + BBR_LOSS_THRESHOLD, most) : most;
    return threshold * inFlightBytes + luckBytes;
  }

  /** Whether more was lost of what the sample's packet left behind in flight than may be. */
  isInFlightTooHigh(packetBytes: number): boolean {
    const { sampleLostBytes, sampleInFlightBytes } = this.rate;
    if (!this.isQueueSeen && sampleLostBytes < BBR_LOSSES_NO_QUEUE * packetBytes) return false;
    return sampleLostBytes > this.allowedLossBytes(sampleInFlightBytes, packetBytes);
  }

  /** How much was in flight when the losses passed the threshold: the sample's packet overshot it by a part of itself. */
  inFlightAtLossBytes(packetBytes: number): number {
    const { sampleLostBytes, sampleInFlightBytes } = this.rate;
    const before = sampleInFlightBytes - packetBytes;
    const allowed = this.allowedLossBytes(before, packetBytes);
    const missing = allowed - (sampleLostBytes - packetBytes);
    return before + Math.max(missing, 0) / (1 - allowed / Math.max(before, packetBytes));
  }

  private adaptShortTerm(windowBytes: number, packetBytes: number): void {
    const lost = this.rate.lostBytes - this.lossRoundLostBytes;
    const delivered = this.rate.deliveredBytes - this.lossRoundDeliveredBytes;
    const marked = this.markedInLossRound;
    if (!marked && lost <= this.allowedLossBytes(lost + delivered, packetBytes)) return;
    if (this.shortTermBytesPerMs === Number.POSITIVE_INFINITY) this.shortTermBytesPerMs = this.maxBytesPerMs;
    if (this.shortTermInFlightBytes === Number.POSITIVE_INFINITY) this.shortTermInFlightBytes = windowBytes;
    this.shortTermBytesPerMs = Math.max(this.latestBytesPerMs, BBR_BETA * this.shortTermBytesPerMs);
    // A round trip through a standing queue delivers the queue as well. Of what was marked no more is kept than fills the path itself.
    const pathBytes = this.bdpBytes(this.maxBytesPerMs, 1);
    const least = marked ? Math.min(this.latestDeliveredBytes, pathBytes) : this.latestDeliveredBytes;
    this.shortTermInFlightBytes = Math.max(least, BBR_BETA * this.shortTermInFlightBytes);
  }

  resetShortTerm(): void {
    this.shortTermBytesPerMs = Number.POSITIVE_INFINITY;
    this.shortTermInFlightBytes = Number.POSITIVE_INFINITY;
  }

  /** The path may have become another one. */
  forgetBounds(): void {
    this.resetShortTerm();
    this.longTermInFlightBytes = Number.POSITIVE_INFINITY;
    this.resetLatest();
  }

  /** Losses begin that may prove spurious. */
  saveBounds(): void {
    this.savedBytesPerMs = this.shortTermBytesPerMs;
    this.savedShortTermBytes = this.shortTermInFlightBytes;
    this.savedLongTermBytes = this.longTermInFlightBytes;
  }

  /** They were. */
  restoreBounds(): void {
    this.lossInRound = false;
    this.shortTermBytesPerMs = Math.max(this.shortTermBytesPerMs, this.savedBytesPerMs);
    this.shortTermInFlightBytes = Math.max(this.shortTermInFlightBytes, this.savedShortTermBytes);
    this.longTermInFlightBytes = Math.max(this.longTermInFlightBytes, this.savedLongTermBytes);
  }

  /** What was lost and had waited before now belongs to another state. */
  resetLatest(): void {
    this.lossInRound = false;
    this.beginLossRound();
    this.latestBytesPerMs = 0;
    this.latestDeliveredBytes = 0;
  }
}
