// How often a receiver acknowledges. RFC 9000 §13.2.1 says every second packet; on a flow of thousands a second each of these
// acknowledgements costs both sides more than the two packets that it tells of, and on a radio link it takes air time from them.
// A sender needs a few in a round trip to keep its window moving and to notice losses early (§13.2.2), so a fast flow gets
// so many for each round trip, and all others one for every second packet.
//
// In the simulator, acknowledgements a megabyte: 350 before and 100 to 160 with this, for 100 Mbit/s to 1 Gbit/s over round trips of 0.4
// to 80 ms; transfers take as long. At 20 Mbit/s and below nothing changes.

import {
  ACK_DELAY_MAX_MS,
  ACK_ELICITING_THRESHOLD,
  ACK_ELICITING_THRESHOLD_MAX,
  ACK_INTERVAL_MS_MAX,
  ACKS_PER_ROUND_TRIP,
  GRANULARITY_MS,
} from "../base/limits.ts";

export class AckFrequency {
  private roundStartMs = Number.NEGATIVE_INFINITY;
  private roundPackets = 0;
  private packets = ACK_ELICITING_THRESHOLD;
  private shareMs = ACK_DELAY_MAX_MS;

  /** So many packets that ask for an acknowledgement may wait for one. */
  get threshold(): number {
    return this.packets;
  }

  /** So long may two packets or more wait for others, in ms. */
  get delayMs(): number {
    return this.shareMs;
  }

  /** A packet came that asks for an acknowledgement. @param rttMs the round trip of its path, as far as it is known. */
  onPacket(nowMs: number, rttMs: number): void {
    const elapsedMs = nowMs - this.roundStartMs;
    if (elapsedMs >= rttMs) {
      // After a silence the flow is slow until it has shown for a round trip that it is not.
      const intervalMs = Math.min(rttMs / ACKS_PER_ROUND_TRIP, ACK_INTERVAL_MS_MAX);
      const share = elapsedMs > 0 ? Math.floor((this.roundPackets * intervalMs) / elapsedMs) : 0;
      this.packets = Math.min(Math.max(share, ACK_ELICITING_THRESHOLD), ACK_ELICITING_THRESHOLD_MAX);
      this.shareMs = Math.max(intervalMs, GRANULARITY_MS);
      this.roundStartMs = nowMs;
      this.roundPackets = 0;
    }
    this.roundPackets++;
  }
}
