// How much a loss-based controller may have in flight where the way is short. It fills whatever buffer there is, and where both ends
// are on one fast network that is no router's but the receiver's socket: megabytes of it, because the processors are slower than the
// network. What is typed then waits for tens of milliseconds on a path of less than one. So the window is held to what the path
// has been seen to deliver in its least round trip, a little queue, and some batches for two ends that work in batches.
//
// Measured on loopback, two processes on two cores with a download between them: a byte there and back beside it, p50 / p99, takes
// 3.6 / 13 ms with the limit and 10 to 14 / 64 to 75 ms without, at 5 Gbit/s either way. With 0.3 ms and three batches of 96 KiB it
// is 1.6 / 7 ms, for a seventh of the rate and as much more CPU.
//
// The queue that is allowed grows fast with the round trip. From a few milliseconds on it is more than most buffers hold: there
// other flows are stood up to, and losses decide, as CUBIC wants it. On a very slow link it is short again: a shell and a file are streams of
// one connection there, and all that the file has in the queue the shell has to wait for.

import {
  QUEUE_LIMIT_BATCH_BYTES_MAX,
  QUEUE_LIMIT_BATCH_MS,
  QUEUE_LIMIT_BATCHES,
  QUEUE_LIMIT_FREE_RTT_MS,
  QUEUE_LIMIT_INTERVAL_MS,
  QUEUE_LIMIT_MEMORY_MS,
  QUEUE_LIMIT_MS,
  QUEUE_LIMIT_MS_MAX,
  QUEUE_LIMIT_RTTS,
  QUEUE_LIMIT_SLOW_BYTES_PER_MS,
  QUEUE_LIMIT_SLOW_MS,
} from "../base/limits.ts";

export class QueueLimit {
  private limit = Number.POSITIVE_INFINITY;
  /** The least round trip of the path, in ms. */
  private baseMs = Number.POSITIVE_INFINITY;

  /** The greatest rate and the least round trip of the present stretch of time, and the rate of the one before. */
  private stretchStartMs = Number.NEGATIVE_INFINITY;
  private stretchBytesPerMs = 0;
  private lastBytesPerMs = 0;
  private stretchRttMs = Number.POSITIVE_INFINITY;

  /** The path was never seen to be what holds the sender up: it may be faster than all that was seen. */
  private isLowerBound = true;

  /** What was delivered since the present interval began. */
  private intervalStartMs = Number.NEGATIVE_INFINITY;
  private intervalBytes = 0;
  private intervalIsLimited = false;

  /** Infinity while the path is not known well enough. */
  get windowBytes(): number {
    return this.limit;
  }

  /** Whether the path has shown itself to be so slow that each packet in its queue is felt. */
  get isSlow(): boolean {
    return !this.isLowerBound && this.bytesPerMs <= QUEUE_LIMIT_SLOW_BYTES_PER_MS;
  }

  /** What the path has lately been seen to deliver. */
  private get bytesPerMs(): number {
    return Math.max(this.stretchBytesPerMs, this.lastBytesPerMs);
  }

  /**
   * An acknowledgement came.
   * @param sentAtMs when the newest packet in it was sent.
   * @param appLimited the application has less to send than it may: the rate shows that, and not the path.
   */
  onAck(nowMs: number, bytes: number, sentAtMs: number, rttMs: number, appLimited: boolean): void {
    this.baseMs = Math.min(this.baseMs, rttMs);
    this.stretchRttMs = Math.min(this.stretchRttMs, rttMs);
    this.intervalBytes += bytes;
    if (appLimited) this.intervalIsLimited = true;
    const elapsedMs = nowMs - this.intervalStartMs;
    // A round trip at the least, and long enough for batches to come out even.
    if (sentAtMs < this.intervalStartMs || elapsedMs < QUEUE_LIMIT_INTERVAL_MS) return;
    if (elapsedMs !== Number.POSITIVE_INFINITY) this.onInterval(nowMs, this.intervalBytes / elapsedMs);
    this.intervalStartMs = nowMs;
    this.intervalBytes = 0;
    this.intervalIsLimited = appLimited;
  }

  /**
   * What an application asks for at its leisure shows only that the path delivers so much or more. Nor does a sender at full speed show
   * more: it runs dry a thousand times a second, for as long as it takes to read on, and hardly any interval is without such a moment.
   */
  private onInterval(nowMs: number, bytesPerMs: number): void {
    if (!this.intervalIsLimited) this.isLowerBound = false;
    else if (bytesPerMs <= this.bytesPerMs) return;
    this.onRate(nowMs, bytesPerMs);
  }

  private onRate(nowMs: number, bytesPerMs: number): void {
    if (nowMs - this.stretchStartMs >= QUEUE_LIMIT_MEMORY_MS) this.beginStretch(nowMs);
    this.stretchBytesPerMs = Math.max(this.stretchBytesPerMs, bytesPerMs);
    const rate = this.bytesPerMs;
    const batchBytes = Math.min(rate * QUEUE_LIMIT_BATCH_MS, QUEUE_LIMIT_BATCH_BYTES_MAX);
    this.limit = rate * (this.baseMs + this.allowanceMs) + QUEUE_LIMIT_BATCHES * batchBytes;
    // Whoever has asked for little may send what goes in batches all the same.
    if (this.isLowerBound) this.limit = Math.max(this.limit, QUEUE_LIMIT_BATCHES * QUEUE_LIMIT_BATCH_BYTES_MAX);
  }

  private get allowanceMs(): number {
    const longerMs = Math.max(0, this.baseMs - QUEUE_LIMIT_FREE_RTT_MS);
    const mostMs = this.isSlow ? QUEUE_LIMIT_SLOW_MS : QUEUE_LIMIT_MS_MAX;
    return Math.min(QUEUE_LIMIT_MS + longerMs * QUEUE_LIMIT_RTTS, mostMs);
  }

  private beginStretch(nowMs: number): void {
    // A queue of ours is never longer than the limit. What waits longer, and all the time, waits elsewhere: the path has changed.
    const longestMs = this.limit / this.bytesPerMs;
    if (this.stretchRttMs > this.baseMs + longestMs) this.baseMs = this.stretchRttMs;
    this.lastBytesPerMs = this.stretchBytesPerMs;
    this.stretchBytesPerMs = 0;
    this.stretchRttMs = Number.POSITIVE_INFINITY;
    this.stretchStartMs = nowMs;
  }
}
