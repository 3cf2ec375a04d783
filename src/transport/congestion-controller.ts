// What a congestion controller is to the path that it serves. One controller belongs to one path and never
// hears of another: moving between relay and direct mixes no windows.

import type { RttEstimator } from "./rtt-estimator.ts";

/** What a controller may ask about the packets of its path. */
export interface PacketsInFlight {
  readonly bytesInFlight: number;
  /** No packet below this number is in flight or will be told of. */
  readonly lowestRemembered: number;
}

export interface CongestionController {
  readonly name: string;
  /** Bytes that may be in flight; never below two packets. */
  readonly windowBytes: number;
  /** The rate at which packets may leave, in bytes per ms. */
  pacingBytesPerMs(rtt: RttEstimator): number;
  /** Whether that is well above what the window brings in a round trip, so that a part of it may be missed; not unless told. */
  readonly paceHasSlack?: boolean;

  /**
   * An ack-eliciting packet was sent.
   * @param sent what is in flight, this packet included.
   * @param appLimited before it there was room in the window and nothing to send.
   */
  onPacketSent(nowMs: number, packetNumber: number, bytes: number, sent: PacketsInFlight, appLimited: boolean): void;

  /** One packet was newly acknowledged, be it that it had been taken for lost; `onAck` follows when all of the ACK frame are told. */
  onPacketAcked(nowMs: number, packetNumber: number, bytes: number): void;

  /** One packet was found lost; `onLoss` follows. */
  onPacketLost(nowMs: number, packetNumber: number, bytes: number): void;

  /**
   * Bytes newly acknowledged by one ACK frame; losses that it shows have been told before.
   * @param sentAtMs when the newest of them was sent.
   * @param appLimited the sender had less to send than the window allows: such a flow must not grow its window.
   * @param bytesInFlight what is in flight now.
   */
  onAck(
    nowMs: number,
    bytes: number,
    sentAtMs: number,
    rtt: RttEstimator,
    appLimited: boolean,
    bytesInFlight: number,
  ): void;

  /**
   * Packets were declared lost.
   * @param sentAtMs when the newest of them was sent: a loss of packets that were sent before the last reduction is the same event.
   * @param persistent persistent congestion (RFC 9002 §7.6).
   */
  onLoss(nowMs: number, bytes: number, sentAtMs: number, persistent: boolean): void;

  /**
   * A router marked a packet instead of dropping it (ECN, RFC 3168): told of once a round trip, before the `onAck` of the same frame.
   * @param sentAtMs when the newest packet that the frame acknowledges was sent.
   */
  onCongestionExperienced(nowMs: number, sentAtMs: number): void;

  /** All that the last reduction was for has arrived after all: take it back. */
  onSpuriousLoss(): void;

  /** The largest packet of the path changed. */
  setPacketBytes(bytes: number): void;
}

export type CongestionControllerFactory = (packetBytes: number) => CongestionController;
