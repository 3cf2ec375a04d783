// What a link loses by itself, whatever is in flight: radio, a bad cable, a policer elsewhere. BBR bounds a flight of which too much
// was lost, and has to know how much of that is its own doing. Only rounds in which nothing waited tell, and which follow one
// in which nothing waited: a full queue's losses are found a round later, when it may have drained. Where something always waits,
// nothing is known, and no loss is taken for the link's own.

import { BBR_LINK_LOSS_BYTES, BBR_LINK_LOSS_BYTES_MIN, BBR_QUEUE_NONE } from "../base/limits.ts";

export class BbrLinkLoss {
  private lostBytes = 0;
  private sentBytes = 0;
  private hasWaited = true;
  private hadWaited = true;

  /** The least round trip of an ACK frame, and of the path. */
  onAck(rttMs: number, minRttMs: number): void {
    if (rttMs > minRttMs * BBR_QUEUE_NONE) this.hasWaited = true;
  }

  /** A round is over that brought so much and lost so much. */
  endRound(deliveredBytes: number, lostBytes: number): void {
    if (!this.hasWaited && !this.hadWaited) {
      this.lostBytes += lostBytes;
      this.sentBytes += lostBytes + deliveredBytes;
      if (this.sentBytes > BBR_LINK_LOSS_BYTES) {
        this.lostBytes /= 2;
        this.sentBytes /= 2;
      }
    }
    this.hadWaited = this.hasWaited;
    this.hasWaited = false;
  }

  /** Of what is sent, 0 to 1; little while little is known. */
  get share(): number {
    return this.lostBytes / Math.max(this.sentBytes, BBR_LINK_LOSS_BYTES_MIN);
  }
}
