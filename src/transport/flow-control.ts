// Credit in bytes, both ways (RFC 9000 §4). The receiver's window starts small and doubles while the sender uses half of it up
// within four round trips, up to a bound of memory: a fixed window caps the speed of a long path. A window's bytes take one round trip, and
// a second one where some of them were lost and keep those behind them waiting; on a link that loses packets each window is one of those.

import {
  STREAM_WINDOW_PART_OF_FREE,
  WINDOW_UPDATE_BYTES,
  WINDOW_UPDATE_BYTES_LEAST,
  WINDOW_WIDEN_ROUND_TRIPS,
} from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import type { MemoryShare } from "./buffer-memory.ts";

/** @returns how much more credit is worth a frame. */
function worthTelling(windowBytes: number): number {
  return Math.min(windowBytes / 2, Math.max(windowBytes / 8, WINDOW_UPDATE_BYTES));
}

/** What we let the peer send, on one stream or on all. */
abstract class ReceiveWindow {
  protected windowBytes: number;
  private limit: number;
  protected consumed = 0;
  protected received = 0;
  /** From when and from which byte on it is measured how fast the window is used up. */
  private measuredSinceMs: number | undefined;
  private measuredFromBytes = 0;

  constructor(windowBytes: number) {
    this.windowBytes = windowBytes;
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

  get currentWindowBytes(): number {
    return this.windowBytes;
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
    return this.dueLimit - this.limit >= worthTelling(this.windowBytes);
  }

  /** What the limit is to be now, were it not for those told before. */
  protected get dueLimit(): number {
    return this.consumed + this.windowBytes;
  }

  /**
   * Moves the limit on, and widens the window when half of it went within four round trips. An announcement that is repeated
   * because it was lost says nothing about the reader, and widens nothing.
   * @returns the limit to announce.
   */
  update(nowMs: number, rttMs: number): number {
    if (this.wantsUpdate) this.maybeWiden(nowMs, rttMs);
    this.limit = Math.max(this.limit, this.dueLimit);
    return this.limit;
  }

  private maybeWiden(nowMs: number, rttMs: number): void {
    const sinceMs = this.measuredSinceMs;
    if (sinceMs !== undefined && this.consumed - this.measuredFromBytes < this.windowBytes / 2) return;
    if (sinceMs !== undefined && nowMs - sinceMs < WINDOW_WIDEN_ROUND_TRIPS * rttMs) this.atLeast(this.windowBytes * 2);
    this.measuredSinceMs = nowMs;
    this.measuredFromBytes = this.consumed;
  }

  /** How wide the window may be made now. */
  protected abstract get boundBytes(): number;

  /** Widens the window, as far as there is memory for it. */
  atLeast(windowBytes: number): void {
    if (windowBytes <= this.windowBytes) return;
    this.windowBytes = Math.max(this.windowBytes, Math.floor(Math.min(windowBytes, this.boundBytes)));
  }
}

/**
 * What we let the peer send on all streams together. It stays ahead of what was received, not only of what was read: streams that nobody
 * reads must not use up what the others need. Only when unread bytes fill the connection's share of the memory do all streams wait for them.
 */
export class ConnectionWindow extends ReceiveWindow {
  private readonly windowBytesMin: number;
  private readonly windowBytesMax: number;
  private readonly share: MemoryShare;

  /** @param share bounds the unread bytes, beyond the window that every connection has at first. */
  constructor(windowBytes: number, windowBytesMax: number, share: MemoryShare) {
    super(windowBytes);
    this.windowBytesMin = windowBytes;
    this.windowBytesMax = windowBytesMax;
    this.share = share;
  }

  /** What may be unread. Whoever has claimed nothing has no more than everybody. */
  protected override get boundBytes(): number {
    return this.share.isClaimed ? this.claimableBytes : this.windowBytesMin;
  }

  private get claimableBytes(): number {
    return Math.min(this.windowBytesMax, Math.max(this.windowBytesMin, this.share.bytes));
  }

  /** What unread bytes have left of what the connection has or may claim. */
  get freeBytes(): number {
    return Math.max(0, this.claimableBytes - (this.received - this.consumed));
  }

  protected override get dueLimit(): number {
    return Math.min(this.received + this.windowBytes, this.consumed + this.boundBytes);
  }

  /** The share may have become less than the window; and a sender that has little left is told of little. */
  override get wantsUpdate(): boolean {
    const worthBytes = worthTelling(Math.min(this.windowBytes, this.boundBytes));
    const grownBytes = this.dueLimit - this.limitBytes;
    if (grownBytes >= worthBytes) return true;
    return grownBytes >= WINDOW_UPDATE_BYTES_LEAST && this.limitBytes - this.received < worthBytes;
  }

  override onReceived(newBytes: number): void {
    super.onReceived(newBytes);
    if ((this.received - this.consumed) * 2 >= this.windowBytesMin) this.share.claim();
  }

  override atLeast(windowBytes: number): void {
    if (windowBytes > this.windowBytes) this.share.claim();
    super.atLeast(windowBytes);
  }
}

/** What we let the peer send on one stream. */
export class StreamWindow extends ReceiveWindow {
  private readonly windowBytesMax: number;
  private readonly connection: ConnectionWindow;

  constructor(windowBytes: number, windowBytesMax: number, connection: ConnectionWindow) {
    super(windowBytes);
    this.windowBytesMax = windowBytesMax;
    this.connection = connection;
  }

  /** No stream may take all that is left: should its reader stop, there are others. */
  protected override get boundBytes(): number {
    return Math.min(this.windowBytesMax, this.connection.freeBytes * STREAM_WINDOW_PART_OF_FREE);
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
