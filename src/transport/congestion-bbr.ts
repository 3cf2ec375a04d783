// BBR, version 3 (draft-ietf-ccwg-bbr-04): sends at the rate that the path has been seen to deliver, and keeps in flight what that rate
// needs over the least round trip. A loss by itself means little; how much of a flight was lost does.
//
//   Startup     doubles the rate each round trip until the path delivers no more
//   Drain       lets the queue go that this has left
//   ProbeBW     Down    a little slower than the path, until no queue is left and room for others
//               Cruise  as fast as the path
//               Refill  one round trip more of that, without the bounds that losses had set
//               Up      faster, until losses or a queue show where the bound is; then Down
//   ProbeRTT    every few seconds without a short round trip: little in flight for 200 ms, to see how long the way is
//
// bbr-model.ts measures; this decides. Its only randomness, so that flows do not probe in step, comes of the times of its packets.

import {
  BBR_BETA,
  BBR_DOWN_GAIN,
  BBR_DRAIN_GAIN,
  BBR_PROBE_RTT_GAIN,
  BBR_PROBE_RTT_MS,
  BBR_PROBE_WAIT_MS,
  BBR_PROBE_WAIT_SPREAD_MS,
  BBR_RENO_ROUNDS_MAX,
  BBR_STARTUP_GAIN,
  BBR_STARTUP_LOSSES,
  BBR_UP_GAIN,
  BBR_UP_WINDOW_GAIN,
  BBR_WINDOW_GAIN,
} from "../base/limits.ts";
import { BbrFullPipe } from "./bbr-full-pipe.ts";
import { BbrModel } from "./bbr-model.ts";
import { BbrSendLimits, type BbrState } from "./bbr-send-limits.ts";
import type { CongestionController, PacketsInFlight } from "./congestion-controller.ts";
import type { RttEstimator } from "./rtt-estimator.ts";

/** What acknowledgements of the present round belong to. */
type AckPhase = "none" | "refilling" | "starting" | "feedback" | "stopping";

export class CongestionBbr implements CongestionController {
  readonly name = "bbr";
  readonly model: BbrModel;
  private readonly fullPipe = new BbrFullPipe();
  private readonly limits: BbrSendLimits;
  state: BbrState = "startup";
  private priorWindow = 0;
  private lossesInRound = 0;
  private drainStartRound = 0;
  private ackPhase: AckPhase = "none";
  /** Samples of the present probe are under way, whose losses say that it went too far. */
  private probeSamples = false;
  private cycleStartMs = 0;
  private probeWaitMs = 0;
  private roundsSinceProbe = 0;
  private upRounds = 0;
  /** The window was full in this round, and in the one before. */
  private windowFull = false;
  private windowWasFull = false;
  private probeRttDoneAtMs = 0;
  private probeRttRoundDone = false;
  private idleRestart = false;
  /** Losses of packets sent before this belong together; the state in which they began, while there is something to take back. */
  private lossesSinceMs = Number.NEGATIVE_INFINITY;
  private stateBeforeLoss: BbrState | undefined;
  private seed = 1;

  /** @param model of a path that is known already, and what may be in flight there; a new path unless given. */
  constructor(packetBytes: number, model = new BbrModel(), windowBytes?: number) {
    this.model = model;
    this.limits = new BbrSendLimits(model, packetBytes, windowBytes);
  }

  get windowBytes(): number {
    return this.limits.windowBytes;
  }

  pacingBytesPerMs(rtt: RttEstimator): number {
    return this.limits.pacingBytesPerMs(rtt);
  }

  // ---- what happens

  onPacketSent(nowMs: number, packetNumber: number, bytes: number, sent: PacketsInFlight, appLimited: boolean): void {
    const { rate } = this.model;
    const inFlightBytes = sent.bytesInFlight;
    if (appLimited) rate.markAppLimited(inFlightBytes);
    if (inFlightBytes <= bytes && rate.isAppLimited) this.restartFromIdle(nowMs);
    if (inFlightBytes + this.limits.packetBytes > this.limits.windowBytes) this.windowFull = true;
    rate.onSent(nowMs, packetNumber, bytes, inFlightBytes, sent.lowestRemembered);
  }

  private restartFromIdle(nowMs: number): void {
    this.idleRestart = true;
    this.model.onIdleRestart(nowMs);
    if (this.isProbingBandwidth) this.limits.setRate(1, this.fullPipe.wasReached);
    else if (this.state === "probe-rtt") this.checkProbeRttDone(nowMs);
  }

  onPacketAcked(nowMs: number, packetNumber: number, bytes: number): void {
    this.model.linkLoss.onPacketAcked(nowMs, packetNumber, bytes);
  }

  onPacketLost(nowMs: number, packetNumber: number, bytes: number): void {
    const { model } = this;
    model.linkLoss.onPacketLost(packetNumber, bytes);
    if (model.rate.sampleSentAtMs > this.lossesSinceMs) {
      this.lossesSinceMs = nowMs;
      this.stateBeforeLoss = this.state;
      model.saveBounds();
    }
    model.onLost();
    this.lossesInRound++;
    if (this.probeSamples && model.isInFlightTooHigh(this.limits.packetBytes))
      this.onInFlightTooHigh(nowMs, model.inFlightAtLossBytes(bytes));
  }

  onLoss(_nowMs: number, _bytes: number, _sentAtMs: number, persistent: boolean): void {
    if (!persistent) return;
    this.saveWindow();
    this.limits.windowBytes = this.limits.minWindowBytes;
    this.stateBeforeLoss = undefined;
    // Nothing came through for a while: what was measured before, and above all meanwhile, is not the path's any more.
    this.fullPipe.forget();
    this.probeSamples = false;
    this.ackPhase = "none";
    this.lossesInRound = 0;
    this.limits.wasSilent = true;
    this.model.forgetBounds();
    this.enterStartup();
  }

  /** Taken for a round trip that lost too much; a router tells the truth of its queue, so Startup believes it sooner. */
  onCongestionExperienced(nowMs: number): void {
    this.model.onMarked();
    this.fullPipe.onMarked();
    if (this.probeSamples) this.onInFlightTooHigh(nowMs, this.model.rate.sampleInFlightBytes);
  }

  onAck(nowMs: number, _bytes: number, _at: number, _rtt: RttEstimator, _idle: boolean, flightBytes: number): void {
    const { model } = this;
    const { rate } = model;
    rate.endAck(model.minRttMs === Number.POSITIVE_INFINITY ? 0 : model.minRttMs);
    const seeksLoss = this.state === "startup" || this.state === "refill" || this.state === "up";
    model.onAck(nowMs, seeksLoss, this.fullPipe.wasReached, this.limits.windowBytes, this.limits.packetBytes);
    if (model.roundStart) {
      this.roundsSinceProbe++;
      this.windowWasFull = this.windowFull;
      this.windowFull = false;
    }
    this.fullPipe.onAck(rate, model.roundStart);
    this.checkStartupDone();
    if (this.state === "drain") this.checkDrainDone(nowMs, flightBytes);
    if (this.fullPipe.wasReached) this.updateCycle(nowMs, flightBytes);
    model.updateMinRtt(nowMs, this.limits.packetBytes);
    this.checkProbeRtt(nowMs, flightBytes);
    if (rate.newlyAckedBytes > 0) this.idleRestart = false;
    model.endAck();
    if (model.roundStart) this.lossesInRound = 0;
    this.limits.setRate(this.limits.pacingGain, this.fullPipe.wasReached);
    this.limits.setWindow(this.state, this.fullPipe.wasReached);
    rate.beginAck();
  }

  // ---- Startup and Drain

  private checkStartupDone(): void {
    if (this.state !== "startup") return;
    this.checkStartupLoss();
    if (!this.fullPipe.wasReached) return;
    this.state = "drain";
    this.limits.setGains(BBR_DRAIN_GAIN, BBR_WINDOW_GAIN);
    this.drainStartRound = this.model.roundCount;
  }

  /** Startup ends where a round trip loses much: the queue has overflowed. */
  private checkStartupLoss(): void {
    const { model } = this;
    if (this.fullPipe.wasReached || !model.roundStart) return;
    if (this.lossesInRound < BBR_STARTUP_LOSSES || !model.isInFlightTooHigh(this.limits.packetBytes)) return;
    // What was lost before there was a round trip was lost while nothing came through: that is no queue.
    this.limits.wasSilent ||= model.minRttMs === Number.POSITIVE_INFINITY;
    if (model.minRttMs === Number.POSITIVE_INFINITY) return;
    this.fullPipe.wasReached = true;
    model.longTermInFlightBytes = Math.max(model.bdpBytes(model.maxBytesPerMs, 1), model.latestRoundDeliveredBytes);
  }

  private checkDrainDone(nowMs: number, bytesInFlight: number): void {
    const isLate = this.model.roundCount > this.drainStartRound + 3;
    if (isLate || bytesInFlight <= this.limits.inFlightForBytes(1, this.state)) this.startDown(nowMs);
  }

  // ---- ProbeBW

  private get isProbingBandwidth(): boolean {
    return this.state === "down" || this.state === "cruise" || this.state === "refill" || this.state === "up";
  }

  private updateCycle(nowMs: number, bytesInFlight: number): void {
    // Before the bound is raised: the window follows it only afterwards.
    const isBound = this.isBoundByLongTerm;
    if (this.adaptLongTerm(nowMs)) return;
    const { model } = this;
    switch (this.state) {
      case "down":
        if (this.isTimeToProbe(nowMs)) this.startRefill();
        else if (
          bytesInFlight <= this.limits.inFlightWithHeadroomBytes &&
          bytesInFlight <= this.limits.inFlightForBytes(1, this.state)
        )
          this.startCruise();
        break;
      case "cruise":
        if (this.isTimeToProbe(nowMs)) this.startRefill();
        break;
      case "refill":
        if (model.roundStart) this.startUp();
        break;
      case "up":
        if (this.isTimeToGoDown(isBound)) this.startDown(nowMs);
        break;
    }
  }

  /** Raises the long-term bound while what is in flight does no harm. @returns whether that changed the state. */
  private adaptLongTerm(nowMs: number): boolean {
    const { model } = this;
    const { rate } = model;
    if (this.ackPhase === "starting" && model.roundStart) this.ackPhase = "feedback";
    if (this.ackPhase === "stopping" && model.roundStart) {
      this.probeSamples = false;
      this.ackPhase = "none";
      if (this.isProbingBandwidth && !rate.sampleIsAppLimited) model.advanceCycle();
    }
    if (model.isInFlightTooHigh(this.limits.packetBytes)) {
      if (this.probeSamples) return this.onInFlightTooHigh(nowMs, rate.sampleInFlightBytes);
      return false;
    }
    if (model.longTermInFlightBytes === Number.POSITIVE_INFINITY) return false;
    model.longTermInFlightBytes = Math.max(model.longTermInFlightBytes, rate.sampleInFlightBytes);
    if (this.state === "up") this.probeUpward();
    return false;
  }

  /** @param inFlightBytes what was in flight when too much was lost. @returns whether the state changed. */
  private onInFlightTooHigh(nowMs: number, inFlightBytes: number): boolean {
    const { model } = this;
    this.probeSamples = false;
    if (!model.rate.sampleIsAppLimited) {
      model.longTermInFlightBytes = Math.max(inFlightBytes, this.limits.targetInFlightBytes * BBR_BETA);
    }
    if (this.state !== "up") return false;
    this.startDown(nowMs);
    return true;
  }

  /** Up: the bound rises by one packet in the first round trip, by two in the second, by four … while the window is what limits. */
  private probeUpward(): void {
    const { model } = this;
    if (!this.isBoundByLongTerm) return;
    const growthBytes = this.limits.packetBytes * 2 ** this.upRounds;
    model.longTermInFlightBytes += Math.min(growthBytes / this.limits.windowBytes, 1) * model.rate.newlyAckedBytes;
    if (model.roundStart) this.upRounds = Math.min(this.upRounds + 1, 30);
  }

  private get isBoundByLongTerm(): boolean {
    const isWindowLimited = this.windowFull || this.windowWasFull;
    return isWindowLimited && this.limits.windowBytes >= this.model.longTermInFlightBytes;
  }

  private isTimeToProbe(nowMs: number): boolean {
    // As often as Reno would have grown by what is in flight, so that such flows are not starved on short round trips.
    const renoRounds = Math.min(this.limits.targetInFlightBytes / this.limits.packetBytes, BBR_RENO_ROUNDS_MAX);
    return nowMs > this.cycleStartMs + this.probeWaitMs || this.roundsSinceProbe >= renoRounds;
  }

  private isTimeToGoDown(isBound: boolean): boolean {
    if (this.model.hasQueueOfProbe) return true;
    if (!isBound) return this.fullPipe.isReached;
    // The bound is what limits, not the path: what the path can do is not known yet.
    this.fullPipe.lookAnew(this.model.rate.sampleBytesPerMs);
    return false;
  }

  private startDown(nowMs: number): void {
    const { model } = this;
    model.resetLatest();
    this.pickProbeWait(nowMs);
    this.cycleStartMs = nowMs;
    this.ackPhase = "stopping";
    model.startRound();
    this.state = "down";
    this.limits.setGains(BBR_DOWN_GAIN, BBR_WINDOW_GAIN);
  }

  private startCruise(): void {
    this.state = "cruise";
    this.limits.setGains(1, BBR_WINDOW_GAIN);
  }

  private startRefill(): void {
    this.model.resetShortTerm();
    this.upRounds = 0;
    this.ackPhase = "refilling";
    this.model.startRound();
    this.state = "refill";
    this.limits.setGains(1, BBR_WINDOW_GAIN);
  }

  private startUp(): void {
    this.probeSamples = true;
    this.ackPhase = "starting";
    this.model.startRound();
    this.fullPipe.lookAnew(this.model.rate.sampleBytesPerMs);
    this.model.beginProbe();
    this.state = "up";
    this.limits.setGains(BBR_UP_GAIN, BBR_UP_WINDOW_GAIN);
  }

  private pickProbeWait(nowMs: number): void {
    // Numerical Recipes' linear congruential generator, stirred with what no two flows have in common.
    this.seed =
      (Math.imul(this.seed ^ ((nowMs * 1000) | 0) ^ (this.model.rate.deliveredBytes | 0), 1664525) + 1013904223) >>> 0;
    this.roundsSinceProbe = this.seed >>> 31;
    this.probeWaitMs = BBR_PROBE_WAIT_MS + ((this.seed >>> 8) / 2 ** 24) * BBR_PROBE_WAIT_SPREAD_MS;
  }

  // ---- ProbeRTT

  private checkProbeRtt(nowMs: number, bytesInFlight: number): void {
    const { model } = this;
    if (this.state !== "probe-rtt") {
      if (!model.probeRttExpired || this.idleRestart) return;
      this.saveWindow();
      // A probe that has had an answer counts: on a path that has become slow, with round trips of a second, hardly one would be over in time.
      const isAnswered = this.ackPhase === "feedback" || this.ackPhase === "stopping";
      if (isAnswered && !model.rate.sampleIsAppLimited) model.advanceCycle();
      this.state = "probe-rtt";
      this.limits.setGains(1, BBR_PROBE_RTT_GAIN);
      this.probeRttDoneAtMs = 0;
      this.ackPhase = "stopping";
      model.startRound();
    }
    // What is sent now shows this state's rate.
    model.rate.markAppLimited(bytesInFlight);
    if (this.probeRttDoneAtMs === 0) {
      if (bytesInFlight > this.limits.probeRttWindowBytes) return;
      this.probeRttDoneAtMs = nowMs + BBR_PROBE_RTT_MS;
      this.probeRttRoundDone = false;
      model.startRound();
      return;
    }
    if (model.roundStart) this.probeRttRoundDone = true;
    if (this.probeRttRoundDone) this.checkProbeRttDone(nowMs);
  }

  private checkProbeRttDone(nowMs: number): void {
    if (this.probeRttDoneAtMs === 0 || nowMs <= this.probeRttDoneAtMs) return;
    const { model } = this;
    model.onProbeRttDone(nowMs);
    this.limits.windowBytes = Math.max(this.limits.windowBytes, this.priorWindow);
    model.resetShortTerm();
    if (this.fullPipe.wasReached) {
      this.startDown(nowMs);
      this.startCruise();
    } else {
      this.enterStartup();
    }
  }

  private enterStartup(): void {
    this.state = "startup";
    this.limits.setGains(BBR_STARTUP_GAIN, BBR_WINDOW_GAIN);
  }

  private saveWindow(): void {
    const keepsLarger = this.model.lossInRound || this.state === "probe-rtt";
    this.priorWindow = keepsLarger ? Math.max(this.priorWindow, this.limits.windowBytes) : this.limits.windowBytes;
  }

  // ---- spurious losses

  onSpuriousLoss(): void {
    const before = this.stateBeforeLoss;
    if (before === undefined) return;
    this.stateBeforeLoss = undefined;
    this.model.restoreBounds();
    this.fullPipe.lookAnew(0);
    if (this.state === "probe-rtt" || this.state === before) return;
    if (before === "startup") {
      this.fullPipe.wasReached = false;
      this.enterStartup();
    } else if (before === "up") {
      this.startUp();
    }
  }

  // ---- the path changes

  setPacketBytes(bytes: number): void {
    this.limits.setPacketBytes(bytes);
  }
}
