// CUBIC (RFC 9438): after a loss the window returns to where it was along a cubic of time, stays there for a
// while, then probes beyond. Slow start doubles the window every round trip, until a loss or HyStart++ (RFC 9406) ends it.

import {
  CUBIC_BETA,
  CUBIC_BETA_ECN,
  CUBIC_C,
  INITIAL_WINDOW_PACKETS,
  QUEUE_LIMIT_SLOW_PACKETS,
  QUEUE_TRIAL_OWN_GROWTH,
  WINDOW_BYTES_MAX,
  WINDOW_PACKETS_MIN,
} from "../base/limits.ts";
import type { CongestionController } from "./congestion-controller.ts";
import { Hystart } from "./hystart.ts";
import type { QueueLimit } from "./queue-limit.ts";
import type { QueueTrial } from "./queue-trial.ts";
import type { RttEstimator } from "./rtt-estimator.ts";

/** What has to be put back when a loss proves spurious. */
interface Undo {
  readonly windowBytes: number;
  readonly thresholdBytes: number;
  readonly maxBytes: number;
  readonly priorBytes: number;
}

/** Reno's additive increase that gives its share of a link at CUBIC's β (RFC 9438 §4.3). */
const RENO_ALPHA = (3 * (1 - CUBIC_BETA)) / (1 + CUBIC_BETA);

/** Seconds since the epoch's start are clamped to this, so that t³ stays exact (an idle hour would overflow any sense). */
const EPOCH_SECONDS_MAX = 1_000;

export class CongestionCubic implements CongestionController {
  readonly name = "cubic";
  readonly paceHasSlack = true;
  private packetBytes: number;
  private window: number;
  private thresholdBytes = Number.POSITIVE_INFINITY;
  /** W_max: the window before the last reduction. */
  private maxBytes = 0;
  /** cwnd_prior: the window at the last reduction, which W_max is below after fast convergence. */
  private priorBytes = 0;
  /** K: seconds from the epoch's start until the cubic is back at W_max. */
  private kSeconds = 0;
  private epochStartMs: number | undefined;
  /** What Reno would have reached in this epoch (RFC 9438 §4.3). */
  private renoBytes = 0;
  private minRttMs = 0;
  private recoveryStartMs = Number.NEGATIVE_INFINITY;
  private undo: Undo | undefined;
  private readonly hystart = new Hystart();
  private readonly queueLimit: QueueLimit | undefined;
  private readonly queueTrial: QueueTrial | undefined;
  /** What the reduction comes to when the trial says that the queue is others'. */
  private reducedBytes = 0;
  /** The trial after the last reduction has shown that nobody else waits in the queue. */
  private queueIsOwn = false;

  /**
   * @param queueLimit what else holds the window; nothing unless given.
   * @param queueTrial finds out after a loss whose queue it was; each is taken for others' unless given.
   */
  constructor(packetBytes: number, queueLimit?: QueueLimit, queueTrial?: QueueTrial) {
    this.queueLimit = queueLimit;
    this.queueTrial = queueTrial;
    this.packetBytes = packetBytes;
    this.window = INITIAL_WINDOW_PACKETS * packetBytes;
  }

  /** Begins past slow start, with what another controller has found that the path holds. */
  startAt(windowBytes: number): void {
    this.window = Math.min(windowBytes, WINDOW_BYTES_MAX);
    this.thresholdBytes = this.window;
  }

  get windowBytes(): number {
    return this.window;
  }

  get pacingGain(): number {
    return this.window < this.thresholdBytes ? 2 : 1.25;
  }

  pacingBytesPerMs(rtt: RttEstimator): number {
    const byWindow = (this.pacingGain * this.window) / rtt.smoothedMs;
    // The round trip of before the cut says nothing about a window that the link just holds.
    return this.queueTrial?.isPending ? Math.max(byWindow, this.queueTrial.bytesPerMs) : byWindow;
  }

  onPacketSent(): void {}
  onPacketAcked(): void {}
  onPacketLost(): void {}

  onAck(nowMs: number, bytes: number, sentAtMs: number, rtt: RttEstimator, appLimited: boolean): void {
    this.minRttMs = rtt.minMs;
    this.queueTrial?.count(nowMs, bytes, sentAtMs, rtt.latestMs);
    if (sentAtMs <= this.recoveryStartMs) return;
    this.queueLimit?.onAck(nowMs, bytes, sentAtMs, rtt.latestMs, appLimited);
    if (this.queueTrial?.isPending && this.judgeTrial(this.queueTrial, nowMs, sentAtMs, rtt)) return;
    if (appLimited) {
      // The cubic runs on time: time in which nothing was asked of the path does not count.
      this.epochStartMs = undefined;
      return;
    }
    if (this.window < this.thresholdBytes) this.slowStart(nowMs, bytes, sentAtMs, rtt);
    else this.avoidCongestion(nowMs, bytes, rtt);
    this.holdToQueueLimit();
  }

  private holdToQueueLimit(): void {
    if (this.queueLimit === undefined) return;
    const leastPackets = this.queueLimit.isSlow ? QUEUE_LIMIT_SLOW_PACKETS : INITIAL_WINDOW_PACKETS;
    const most = Math.max(this.queueLimit.windowBytes, leastPackets * this.packetBytes);
    if (this.window <= most) return;
    this.window = most;
    // Time in which the window was held does not run along the cubic.
    this.epochStartMs = undefined;
  }

  private slowStart(nowMs: number, ackedBytes: number, sentAtMs: number, rtt: RttEstimator): void {
    const isOver =
      this.thresholdBytes === Number.POSITIVE_INFINITY && this.hystart.onAck(nowMs, sentAtMs, rtt.latestMs);
    this.window = Math.min(this.window + ackedBytes / this.hystart.growthDivisor, WINDOW_BYTES_MAX);
    if (isOver) this.thresholdBytes = this.window;
  }

  private avoidCongestion(nowMs: number, ackedBytes: number, rtt: RttEstimator): void {
    const mss = this.packetBytes;
    if (this.epochStartMs === undefined) {
      this.epochStartMs = nowMs;
      this.renoBytes = this.window;
      this.kSeconds = this.window < this.maxBytes ? Math.cbrt((this.maxBytes - this.window) / mss / CUBIC_C) : 0;
      if (this.window >= this.maxBytes) this.maxBytes = this.window;
    }
    const elapsedMs = nowMs - this.epochStartMs;
    const growth =
      (this.renoBytes >= this.priorBytes ? 1 : RENO_ALPHA) * (this.queueIsOwn ? QUEUE_TRIAL_OWN_GROWTH : 1);
    this.renoBytes += (growth * mss * ackedBytes) / this.window;
    // The target is where the cubic will be one round trip from now.
    const target = Math.min(this.cubicBytes(elapsedMs + rtt.smoothedMs), this.window * 1.5);
    const byCubic = this.window + (Math.max(target - this.window, 0) * ackedBytes) / this.window;
    this.window = Math.min(Math.max(byCubic, this.renoBytes), WINDOW_BYTES_MAX);
  }

  /** W_cubic (RFC 9438 §4.2) this long after the epoch's start. */
  private cubicBytes(elapsedMs: number): number {
    const seconds = Math.min(elapsedMs / 1000, EPOCH_SECONDS_MAX);
    return this.maxBytes + CUBIC_C * (seconds - this.kSeconds) ** 3 * this.packetBytes;
  }

  onLoss(nowMs: number, _bytes: number, sentAtMs: number, persistent: boolean): void {
    const floor = WINDOW_PACKETS_MIN * this.packetBytes;
    if (sentAtMs > this.recoveryStartMs) {
      // Others fill what the trial has left free.
      if (this.queueTrial?.isPending) this.window = this.reducedBytes;
      this.undo = {
        windowBytes: this.window,
        thresholdBytes: this.thresholdBytes,
        maxBytes: this.maxBytes,
        priorBytes: this.priorBytes,
      };
      this.recoveryStartMs = nowMs;
      this.epochStartMs = undefined;
      this.queueIsOwn = false;
      // Fast convergence: a flow that did not reach its last maximum gives room to others.
      this.priorBytes = this.window;
      this.maxBytes = this.window < this.maxBytes ? (this.window * (1 + CUBIC_BETA)) / 2 : this.window;
      this.window = Math.max(this.window * CUBIC_BETA, floor);
      this.tryQueue(nowMs);
      this.thresholdBytes = this.window;
    }
    if (persistent) {
      this.queueTrial?.cancel();
      this.window = floor;
      // Congestion avoidance begins anew where slow start will end (RFC 9438 §4.8).
      this.maxBytes = 0;
      this.epochStartMs = undefined;
      this.recoveryStartMs = Number.NEGATIVE_INFINITY;
      this.undo = undefined;
    }
  }

  /** A cut as after a loss, but a smaller one past slow start (RFC 8511); whose queue it is need not be found out where a router keeps it short. */
  onCongestionExperienced(nowMs: number, sentAtMs: number): void {
    if (sentAtMs <= this.recoveryStartMs) return;
    if (this.queueTrial?.isPending) this.window = this.reducedBytes;
    this.queueTrial?.cancel();
    const beta = this.thresholdBytes === Number.POSITIVE_INFINITY ? CUBIC_BETA : CUBIC_BETA_ECN;
    this.recoveryStartMs = nowMs;
    this.epochStartMs = undefined;
    this.priorBytes = this.window;
    this.maxBytes = this.window < this.maxBytes ? (this.window * (1 + beta)) / 2 : this.window;
    this.window = Math.max(this.window * beta, WINDOW_PACKETS_MIN * this.packetBytes);
    this.thresholdBytes = this.window;
    // Losses that belong to this cut do not take it back when they prove spurious.
    this.undo = undefined;
  }

  /** Cuts the window further, to what the link holds, until it is known whose queue it was. */
  private tryQueue(nowMs: number): void {
    const trial = this.queueTrial;
    if (trial === undefined || !trial.begin(nowMs, this.priorBytes, this.packetBytes, this.minRttMs)) return;
    this.reducedBytes = this.window;
    this.window = Math.max(Math.min(this.window, trial.windowBytes), WINDOW_PACKETS_MIN * this.packetBytes);
  }

  /** An acknowledgement of what was sent behind the cut. @returns whether the trial goes on. */
  private judgeTrial(trial: QueueTrial, nowMs: number, sentAtMs: number, rtt: RttEstimator): boolean {
    const isOwn = trial.judge(nowMs, sentAtMs, rtt.latestMs, this.packetBytes, rtt.minMs);
    if (isOwn === undefined) return true;
    this.queueIsOwn = isOwn;
    if (isOwn) {
      // The plateau of the cubic, where it spends most of its time, lies where the link is full, and not where its queue is. Nobody's
      // fairer part of the link is a reason to leave others less than CUBIC would.
      const plateau = Math.min(trial.plateauBytes, Math.max(trial.windowBytes, this.reducedBytes));
      this.maxBytes = Math.min(this.maxBytes, plateau);
      this.window = Math.max(Math.min(this.reducedBytes, plateau), WINDOW_PACKETS_MIN * this.packetBytes);
      trial.growFrom(nowMs, this.window);
    } else {
      this.window = this.reducedBytes;
    }
    this.thresholdBytes = this.window;
    return false;
  }

  onSpuriousLoss(): void {
    const undo = this.undo;
    if (undo === undefined) return;
    this.queueTrial?.cancel();
    this.undo = undefined;
    this.window = Math.max(this.window, undo.windowBytes);
    this.thresholdBytes = undo.thresholdBytes;
    this.maxBytes = undo.maxBytes;
    this.priorBytes = undo.priorBytes;
    this.recoveryStartMs = Number.NEGATIVE_INFINITY;
    this.epochStartMs = undefined;
  }

  setPacketBytes(bytes: number): void {
    this.packetBytes = bytes;
    this.window = Math.max(this.window, WINDOW_PACKETS_MIN * bytes);
  }
}
