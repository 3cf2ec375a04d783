// Whose queue it is that a loss-based flow waits in. Such a flow fills whatever buffer there is, and after a loss leaves most of it
// filled: seven tenths of a window that was twice what the link holds are still too much, and all that is over only waits. So after a
// loss the window is cut to what the link holds, as a trial. Where the round trip falls to its least by that, the queue was the flow's
// own, and CUBIC may have its plateau there, where the link is just full, instead of where the buffer was. Where it does not, the
// queue is others': the cut is taken back to what CUBIC wants, and some losses pass until the next trial, since each
// costs the flow a round trip of its share.
//
// Two flows that lost together and cut together see the queue go too. Then they grow side by side, from shares that are nearer to each
// other than CUBIC's cut would have left them, and from nearer ones still by what each had to do with the queue's growth (queue-growth.ts).

import {
  GRANULARITY_MS,
  QUEUE_TRIAL_HEADROOM,
  QUEUE_TRIAL_HEADROOM_MS,
  QUEUE_TRIAL_HEADROOM_PACKETS,
  QUEUE_TRIAL_PACKETS_MIN,
  QUEUE_TRIAL_PAUSE_MAX,
  QUEUE_TRIAL_RTT_MS_MIN,
  QUEUE_TRIAL_TOLERANCE,
} from "../base/limits.ts";
import { QueueGrowth } from "./queue-growth.ts";

export class QueueTrial {
  /** The present round trip: when it began, what was acknowledged in it; and what the two before it came to. */
  private roundStartMs = Number.NEGATIVE_INFINITY;
  private roundBytes = 0;
  private lastBytesPerMs = 0;
  private beforeBytesPerMs = 0;
  /** The rate as it was at the cut, or has been since. */
  private rate = 0;
  private fullBytes = 0;
  private readonly growth = new QueueGrowth();
  /** The flow's part in the growth of the queue that the present trial is about. */
  private growthShare = 1;

  private isRunning = false;
  private cutAtMs = 0;
  private judgedAfterMs = 0;
  private leastMs = Number.POSITIVE_INFINITY;
  /** Losses that pass without a trial: how many are left, and how many the next trial that fails will cost. */
  private pause = 0;
  private nextPause = 1;

  /** What the path delivers, in bytes per ms, as far as the present trial knows. */
  get bytesPerMs(): number {
    return this.rate;
  }

  /** What the link just holds. */
  get windowBytes(): number {
    return this.fullBytes;
  }

  /** Where the window goes on when the queue is the flow's own: at what the link holds, or at a fairer part of it. */
  get plateauBytes(): number {
    return this.fullBytes * this.growthShare;
  }

  get isPending(): boolean {
    return this.isRunning;
  }

  /** Counts an acknowledgement. @param sentAtMs when the newest packet in it was sent, whose round trip took so long. */
  count(nowMs: number, bytes: number, sentAtMs: number, rttMs: number): void {
    this.growth.onAck(nowMs, sentAtMs, rttMs);
    this.roundBytes += bytes;
    if (sentAtMs < this.roundStartMs) return;
    this.beforeBytesPerMs = this.lastBytesPerMs;
    this.lastBytesPerMs = this.presentBytesPerMs(nowMs, GRANULARITY_MS);
    this.roundStartMs = nowMs;
    this.roundBytes = 0;
  }

  private presentBytesPerMs(nowMs: number, leastMs: number): number {
    const elapsedMs = nowMs - this.roundStartMs;
    return elapsedMs >= leastMs && elapsedMs !== Number.POSITIVE_INFINITY ? this.roundBytes / elapsedMs : 0;
  }

  /** A round in which much was lost shows less than the link delivers, and so does one of before the link was full: the best of some counts. */
  private measure(nowMs: number, packetBytes: number, minRttMs: number): void {
    const present = this.presentBytesPerMs(nowMs, Math.max(minRttMs / 2, GRANULARITY_MS));
    this.rate = Math.max(this.rate, this.lastBytesPerMs, this.beforeBytesPerMs, present);
    const fullMs = minRttMs * QUEUE_TRIAL_HEADROOM + QUEUE_TRIAL_HEADROOM_MS;
    this.fullBytes = this.rate * fullMs + QUEUE_TRIAL_HEADROOM_PACKETS * packetBytes;
  }

  /**
   * A loss cuts the window, which was so large.
   * @returns whether there is something to try: the window was more than the link holds.
   */
  begin(nowMs: number, windowBytes: number, packetBytes: number, minRttMs: number): boolean {
    this.isRunning = false;
    this.rate = 0;
    this.measure(nowMs, packetBytes, minRttMs);
    this.growthShare = this.growth.shareOf(windowBytes, this.rate);
    this.growth.forget();
    if (minRttMs < QUEUE_TRIAL_RTT_MS_MIN || windowBytes < QUEUE_TRIAL_PACKETS_MIN * packetBytes) return false;
    if (this.rate === 0 || this.fullBytes >= windowBytes) return false;
    if (this.pause > 0) {
      this.pause--;
      return false;
    }
    this.isRunning = true;
    this.cutAtMs = nowMs;
    this.judgedAfterMs = Number.POSITIVE_INFINITY;
    this.leastMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** The cut was for nothing. */
  cancel(): void {
    this.isRunning = false;
    this.growth.forget();
  }

  /** The queue was the flow's own, and its window grows from here on. */
  growFrom(nowMs: number, windowBytes: number): void {
    this.growth.begin(nowMs, windowBytes);
  }

  /**
   * An acknowledgement of what was sent after the cut.
   * @returns whether the queue is the flow's own, as soon as that is known.
   */
  judge(nowMs: number, sentAtMs: number, rttMs: number, packetBytes: number, minRttMs: number): boolean | undefined {
    if (sentAtMs <= this.cutAtMs) return undefined;
    this.measure(nowMs, packetBytes, minRttMs);
    this.leastMs = Math.min(this.leastMs, rttMs);
    if (this.judgedAfterMs === Number.POSITIVE_INFINITY) this.judgedAfterMs = nowMs;
    const expectedMs = this.fullBytes / this.rate + minRttMs * QUEUE_TRIAL_TOLERANCE + GRANULARITY_MS;
    const isOwn = this.leastMs <= expectedMs;
    if (!isOwn && sentAtMs < this.judgedAfterMs) return undefined;
    this.isRunning = false;
    this.nextPause = isOwn ? 1 : Math.min(this.nextPause * 2, QUEUE_TRIAL_PAUSE_MAX);
    this.pause = isOwn ? 0 : this.nextPause;
    return isOwn;
  }
}
