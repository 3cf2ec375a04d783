// What a congestion controller is to the path that it serves. One controller belongs to one path and never
// hears of another: moving between relay and direct mixes no windows.

import type { RttEstimator } from "./rtt-estimator.ts";

export interface CongestionController {
  readonly name: string;
  /** Bytes that may be in flight; never below two packets. */
  readonly windowBytes: number;
  /** What the pacer multiplies window / RTT with. */
  readonly pacingGain: number;

  onPacketSent(nowMs: number, bytes: number): void;

  /**
   * Bytes newly acknowledged by one ACK frame.
   * @param sentAtMs when the newest of them was sent.
   * @param appLimited the sender had less to send than the window allows: such a flow must not grow its window.
   */
  onAck(nowMs: number, bytes: number, sentAtMs: number, rtt: RttEstimator, appLimited: boolean): void;

  /**
   * Packets were declared lost.
   * @param sentAtMs when the newest of them was sent: a loss of packets that were sent before the last reduction is the same event.
   * @param persistent persistent congestion (RFC 9002 §7.6).
   */
  onLoss(nowMs: number, bytes: number, sentAtMs: number, persistent: boolean): void;

  /** All that the last reduction was for has arrived after all: take it back. */
  onSpuriousLoss(): void;

  /** The largest packet of the path changed. */
  setPacketBytes(bytes: number): void;

  /** The path now leads elsewhere: start anew. */
  reset(): void;
}

export type CongestionControllerFactory = (packetBytes: number) => CongestionController;
