// What BBR lets out (draft-ietf-ccwg-bbr-04 §5.6): the pacing rate, and the window as a second line where the rate is
// wrong. Both come of the model and of the gains of the present state.

import {
  BBR_HEADROOM,
  BBR_PACING_MARGIN,
  BBR_PROBE_RTT_GAIN,
  BBR_QUANTUM_BYTES_MAX,
  BBR_STARTUP_GAIN,
  BBR_WINDOW_GAIN,
  BBR_WINDOW_PACKETS_MIN,
  INITIAL_WINDOW_PACKETS,
  PACING_BURST_MS,
  WINDOW_BYTES_MAX,
} from "../base/limits.ts";
import type { BbrModel } from "./bbr-model.ts";
import type { RttEstimator } from "./rtt-estimator.ts";

export type BbrState = "startup" | "drain" | "down" | "cruise" | "refill" | "up" | "probe-rtt";

export class BbrSendLimits {
  pacingGain = BBR_STARTUP_GAIN;
  windowGain = BBR_WINDOW_GAIN;
  packetBytes: number;
  windowBytes: number;
  private readonly model: BbrModel;
  private rateBytesPerMs = 0;
  private pipeWasFull = false;
  /**
   * The path was silent for a while, and samples of that time may be all that there is. They show little but the silence: until the path
   * has been filled they hold the rate no lower than a new path's.
   */
  wasSilent = false;

  constructor(model: BbrModel, packetBytes: number, windowBytes = INITIAL_WINDOW_PACKETS * packetBytes) {
    this.model = model;
    this.packetBytes = packetBytes;
    this.windowBytes = Math.max(windowBytes, this.minWindowBytes);
  }

  pacingBytesPerMs(rtt: RttEstimator): number {
    // Before the first sample the window over the round trip is all that is known.
    if (this.rateBytesPerMs === 0) return (BBR_STARTUP_GAIN * this.windowBytes) / rtt.smoothedMs;
    // A packet goes each round trip, however slow the path has seemed: a sample that spans a sleep would hold it for hours.
    let leastBytes = this.packetBytes;
    if (this.wasSilent && !this.pipeWasFull) {
      leastBytes = BBR_STARTUP_GAIN * Math.min(this.windowBytes, INITIAL_WINDOW_PACKETS * this.packetBytes);
    }
    return Math.max(this.rateBytesPerMs, leastBytes / rtt.smoothedMs);
  }

  /** @param wasFull the path has been seen to deliver no more; before that the rate only grows. */
  setRate(gain: number, wasFull: boolean): void {
    this.pipeWasFull = wasFull;
    const bytesPerMs = this.model.bytesPerMs * gain * (1 - BBR_PACING_MARGIN);
    if (wasFull || bytesPerMs > this.rateBytesPerMs) this.rateBytesPerMs = bytesPerMs;
  }

  /** An ACK frame has been taken in. */
  setWindow(state: BbrState, wasFull: boolean): void {
    const { model } = this;
    const acked = model.rate.newlyAckedBytes;
    const most = this.withBatches(
      model.bdpBytes(model.maxBytesPerMs, this.windowGain) + model.extraAckedMaxBytes,
      state,
    );
    let bytes = this.windowBytes;
    if (wasFull) {
      bytes = Math.min(bytes + acked, most);
    } else if (bytes < most || model.rate.deliveredBytes < INITIAL_WINDOW_PACKETS * this.packetBytes) {
      bytes += acked;
    }
    bytes = Math.max(bytes, this.minWindowBytes);
    if (state === "probe-rtt") bytes = Math.min(bytes, this.probeRttWindowBytes);
    this.windowBytes = Math.min(bytes, this.lossBoundBytes(state), WINDOW_BYTES_MAX);
  }

  private lossBoundBytes(state: BbrState): number {
    const { model } = this;
    let bytes = Number.POSITIVE_INFINITY;
    if (state === "cruise" || state === "probe-rtt") bytes = this.inFlightWithHeadroomBytes;
    else if (state !== "startup" && state !== "drain") bytes = model.longTermInFlightBytes;
    return Math.max(Math.min(bytes, model.shortTermInFlightBytes), this.minWindowBytes);
  }

  get minWindowBytes(): number {
    return BBR_WINDOW_PACKETS_MIN * this.packetBytes;
  }

  get targetInFlightBytes(): number {
    return Math.min(this.model.bdpBytes(this.model.bytesPerMs, 1), this.windowBytes);
  }

  /** What is left of the long-term bound when others are given room. */
  get inFlightWithHeadroomBytes(): number {
    const bytes = this.model.longTermInFlightBytes;
    if (bytes === Number.POSITIVE_INFINITY) return bytes;
    return Math.max(bytes - Math.max(this.packetBytes, BBR_HEADROOM * bytes), this.minWindowBytes);
  }

  get probeRttWindowBytes(): number {
    return Math.max(this.model.bdpBytes(this.model.bytesPerMs, BBR_PROBE_RTT_GAIN), this.minWindowBytes);
  }

  /** What `gain` bandwidth-delay products come to, when sender and receiver work in batches. */
  inFlightForBytes(gain: number, state: BbrState): number {
    return this.withBatches(this.model.bdpBytes(this.model.maxBytesPerMs, gain), state);
  }

  private withBatches(bytes: number, state: BbrState): number {
    const batchBytes = Math.max(this.rateBytesPerMs * PACING_BURST_MS, 2 * this.packetBytes);
    const least = Math.max(bytes, 3 * Math.min(batchBytes, BBR_QUANTUM_BYTES_MAX), this.minWindowBytes);
    return state === "up" ? least + 2 * this.packetBytes : least;
  }

  /** What the present state sends at and holds in flight, as parts of the path's bandwidth and of its bandwidth-delay product. */
  setGains(pacingGain: number, windowGain: number): void {
    this.pacingGain = pacingGain;
    this.windowGain = windowGain;
  }

  setPacketBytes(bytes: number): void {
    this.packetBytes = bytes;
    this.windowBytes = Math.max(this.windowBytes, this.minWindowBytes);
  }
}
