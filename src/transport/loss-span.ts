// A stretch of a path's life: how fast it was, and what of it was lost.

import type { DeliveryRate } from "./delivery-rate.ts";

export class LossSpan {
  private readonly rate: DeliveryRate;
  private startMs = 0;
  private lostBytes = 0;
  private deliveredBytes = 0;

  /** @param rate that of the path, which counts. */
  constructor(rate: DeliveryRate) {
    this.rate = rate;
  }

  begin(nowMs: number): void {
    this.startMs = nowMs;
    this.lostBytes = this.rate.lostBytes;
    this.deliveredBytes = this.rate.deliveredBytes;
  }

  /** What has arrived. */
  get bytes(): number {
    return this.rate.deliveredBytes - this.deliveredBytes;
  }

  bytesPerMs(nowMs: number): number {
    return this.bytes / Math.max(nowMs - this.startMs, 1);
  }

  /** What of it was lost, 0 to 1. @param deviations so many standard deviations of what chance makes of it are added. */
  lostShare(deviations: number, packetBytes: number): number {
    const lostBytes = this.rate.lostBytes - this.lostBytes;
    const luckBytes = deviations * Math.sqrt(lostBytes * packetBytes);
    return (lostBytes + luckBytes) / Math.max(lostBytes + this.bytes, 1);
  }
}
