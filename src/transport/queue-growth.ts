// What part a flow had in the growth of a queue, compared with its part in what the link delivers. Flows that lose together grow side by side
// until they lose again, each by as much as any other, however unequal their windows are. So their parts in the growth are what a fair
// link would deliver to each, while it delivers to each by its window. A flow that is alone has the whole of both.
//
//     window at the start, and its round trip       W₀, T₀
//     window at the loss, and the rate              W, R
//     part in the growth ÷ part in the rate         (W − W₀) ÷ (W − R·T₀)
//
// R·T₀ is what the flow would have had in flight at the start, had its part in the rate been the present one already. The parts of all flows
// that grew over the same time make up the whole of the link, whatever they are: what one gives up another one takes.

import { QUEUE_GROWTH_SHARE_MAX, QUEUE_GROWTH_SHARE_MIN } from "../base/limits.ts";

/** The round trip that shows the queue at the start: in the one before packets still wait, or do not, for what there was before. */
const START_ROUND = 2;

export class QueueGrowth {
  private startBytes = 0;
  /** The least round trip of the start; Infinity where it has not been seen, and with it nothing is known. */
  private startRttMs = Number.POSITIVE_INFINITY;
  private round = 0;
  private roundStartMs = Number.POSITIVE_INFINITY;

  /** The window grows from here on. */
  begin(nowMs: number, windowBytes: number): void {
    this.startBytes = windowBytes;
    this.startRttMs = Number.POSITIVE_INFINITY;
    this.round = 0;
    this.roundStartMs = nowMs;
  }

  /** Where the window grows from is not known. */
  forget(): void {
    this.begin(Number.POSITIVE_INFINITY, 0);
  }

  /** An acknowledgement came. @param sentAtMs when the newest packet in it was sent, whose round trip took so long. */
  onAck(nowMs: number, sentAtMs: number, rttMs: number): void {
    if (sentAtMs > this.roundStartMs) {
      this.round++;
      this.roundStartMs = nowMs;
    }
    if (this.round === START_ROUND) this.startRttMs = Math.min(this.startRttMs, rttMs);
  }

  /**
   * The queue is full.
   * @param bytesPerMs what the link delivers of the flow.
   * @returns the part in the growth, in parts of the flow's part in the rate, within bounds; 1 where it is not known.
   */
  shareOf(windowBytes: number, bytesPerMs: number): number {
    const evenGrowthBytes = windowBytes - bytesPerMs * this.startRttMs;
    if (!(evenGrowthBytes > 0)) return 1;
    const share = (windowBytes - this.startBytes) / evenGrowthBytes;
    return Math.min(Math.max(share, QUEUE_GROWTH_SHARE_MIN), QUEUE_GROWTH_SHARE_MAX);
  }
}
