// Credit in bytes, both ways (RFC 9000 §4). The receiver's window starts small and doubles while the sender uses half of it up
// within four round trips, up to a bound of memory: a fixed window caps the speed of a long path. A window's bytes take one round trip, and
// a second one where some of them were lost and keep those behind them waiting; on a link that loses packets each window is one of those.

import { WINDOW_UPDATE_BYTES, WINDOW_WIDEN_ROUND_TRIPS } from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";

/** What we let the peer send, for one stream or for the whole connection. */
export class ReceiveWindow {
  private windowBytes: number;
  private readonly windowBytesMax: number;
  private limit: number;
  private consumed = 0;
  private received = 0;
  /** From when and from which byte on it is measured how fast the window is used up. */
  private measuredSinceMs: number | undefined;
  private measuredFromBytes = 0;

  constructor(windowBytes: number, windowBytesMax: number) {
    this.windowBytes = windowBytes;
    this.windowBytesMax = windowBytesMax;
    this.limit = windowBytes;
  }

  /** The limit that the peer was last told, or will be told next; it never shrinks. */
  get limitBytes(): number {
    return this.limit;
  }

  get receivedBytes(): number {
    return this.received;
  }

  get consumedBytes(): number {
    return this.consumed;
  }

  /** Counts new bytes. @throws ProtocolError beyond the limit. */
  onReceived(newBytes: number): void {
    this.received += newBytes;
    if (this.received > this.limit) {
      throw new ProtocolError(closeCode.flowControl, `${this.received} bytes received, ${this.limit} allowed`);
    }
  }

  /** The application took bytes, or gave them up unread. */
  onConsumed(bytes: number): void {
    this.consumed += bytes;
  }

  /**
   * @returns whether a new limit is worth telling: half of the window is used up, or an eighth of a large one. A sender that gets a large
   * window in halves sends one half a round trip, and never both.
   */
  get wantsUpdate(): boolean {
    const worthBytes = Math.min(this.windowBytes / 2, Math.max(this.windowBytes / 8, WINDOW_UPDATE_BYTES));
    return this.consumed + this.windowBytes - this.limit >= worthBytes;
  }

  /**
   * Moves the limit on, and widens the window when half of it went within four round trips. An announcement that is repeated
   * because it was lost says nothing about the reader, and widens nothing.
   * @returns the limit to announce.
   */
  update(nowMs: number, rttMs: number): number {
    if (this.wantsUpdate) this.maybeWiden(nowMs, rttMs);
    this.limit = Math.max(this.limit, this.consumed + this.windowBytes);
    return this.limit;
  }

  private maybeWiden(nowMs: number, rttMs: number): void {
    const sinceMs = this.measuredSinceMs;
    if (sinceMs !== undefined && this.consumed - this.measuredFromBytes < this.windowBytes / 2) return;
    if (sinceMs !== undefined && nowMs - sinceMs < WINDOW_WIDEN_ROUND_TRIPS * rttMs) {
      this.windowBytes = Math.min(this.windowBytes * 2, this.windowBytesMax);
    }
    this.measuredSinceMs = nowMs;
    this.measuredFromBytes = this.consumed;
  }

  /** Keeps the connection's window ahead of a stream's, lest the connection be what limits a single stream. */
  atLeast(windowBytes: number): void {
    this.windowBytes = Math.max(this.windowBytes, Math.min(windowBytes, this.windowBytesMax));
  }

  get currentWindowBytes(): number {
    return this.windowBytes;
  }
}

/** What the peer lets us send. */
export class SendCredit {
  private limit: number;
  private used = 0;

  constructor(limitBytes: number) {
    this.limit = limitBytes;
  }

  get availableBytes(): number {
    return this.limit - this.used;
  }

  get limitBytes(): number {
    return this.limit;
  }

  /** @returns whether the limit grew; a smaller one is an old announcement. */
  raise(limitBytes: number): boolean {
    if (limitBytes <= this.limit) return false;
    this.limit = limitBytes;
    return true;
  }

  use(bytes: number): void {
    this.used += bytes;
  }
}
