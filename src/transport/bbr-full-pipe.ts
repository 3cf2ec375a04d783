// Whether a path delivers all that it can (draft-ietf-ccwg-bbr-04 §5.3.1.2): its rate has not grown by a quarter for three round trips
// in which the sender had enough to send. Startup ends by it, and so does each probe for more.

import { BBR_FULL_BANDWIDTH_GROWTH, BBR_FULL_BANDWIDTH_ROUNDS, BBR_STARTUP_MARKED_ROUNDS } from "../base/limits.ts";
import type { DeliveryRate } from "./delivery-rate.ts";

export class BbrFullPipe {
  /** It was so at least once. */
  wasReached = false;
  /** It is so since it was last looked for. */
  isReached = false;
  private baseBytesPerMs = 0;
  private rounds = 0;
  private markedRounds = 0;

  onAck(rate: DeliveryRate, roundStart: boolean): void {
    if (this.isReached || rate.sampleIsAppLimited || rate.sampleBytesPerMs === 0) return;
    if (rate.sampleBytesPerMs >= this.baseBytesPerMs * BBR_FULL_BANDWIDTH_GROWTH) {
      this.lookAnew(rate.sampleBytesPerMs);
      return;
    }
    if (!roundStart) return;
    this.rounds++;
    this.isReached = this.rounds >= BBR_FULL_BANDWIDTH_ROUNDS;
    if (this.isReached) this.wasReached = true;
  }

  /** A router marked something in this round trip: it holds a queue. Once may be others' burst. */
  onMarked(): void {
    this.markedRounds++;
    if (this.markedRounds >= BBR_STARTUP_MARKED_ROUNDS) this.wasReached = true;
  }

  /** The path may have become another one. */
  forget(): void {
    this.wasReached = false;
    this.markedRounds = 0;
    this.lookAnew(0);
  }

  /** @param baseBytesPerMs the rate from which growth counts. */
  lookAnew(baseBytesPerMs: number): void {
    this.baseBytesPerMs = baseBytesPerMs;
    this.rounds = 0;
    this.isReached = false;
  }
}
