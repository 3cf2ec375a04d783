// What all streams of a connection hold for sending, written and not acknowledged, and when writers have to wait until it is less. A stream has a bound
// of its own for what it has not sent yet; thousands of streams before a peer that reads none of them would still take
// hundreds of megabytes. Whatever the others hold, a stream that holds nothing may write: those that stand still must not hold up
// those that move, and whoever holds something is looked at again when it is acknowledged.

import {
  CONNECTION_WINDOW_BYTES,
  SEND_HELD_BYTES_MAX,
  SEND_TARGET_BYTES_BLOCKED,
  SEND_TARGET_BYTES_MAX,
  SEND_TARGET_BYTES_MIN,
  WRITE_CHUNK_BYTES,
  WRITE_CHUNK_BYTES_MIN,
} from "../base/limits.ts";
import type { MemoryShare } from "./buffer-memory.ts";
import type { SendHalf } from "./send-half.ts";

export class SendMemory {
  private readonly share: MemoryShare;
  private bytes = 0;

  constructor(share: MemoryShare) {
    this.share = share;
  }

  get heldBytes(): number {
    return this.bytes;
  }

  private get boundBytes(): number {
    return Math.min(SEND_HELD_BYTES_MAX, Math.max(CONNECTION_WINDOW_BYTES, this.share.bytes));
  }

  get isFull(): boolean {
    return this.bytes >= this.boundBytes;
  }

  /**
   * The most that a writer should bring at a time, when any of so many streams may: whole batches where there is memory for as many as
   * WRITE_CHUNK_BYTES hold, else a power of two, so that a reader meets with few different lengths.
   * @param batchBytes what of a stream fits one batch on the present path; 0 where there is none.
   */
  chunkBytes(streams: number, batchBytes: number): number {
    const evenBytes = (this.boundBytes - this.bytes) / Math.max(1, streams);
    const wholeBytes = batchBytes > 0 ? Math.floor(WRITE_CHUNK_BYTES / batchBytes) * batchBytes : 0;
    if (wholeBytes > 0 && evenBytes >= wholeBytes) return wholeBytes;
    const bytes = Math.min(WRITE_CHUNK_BYTES, Math.max(WRITE_CHUNK_BYTES_MIN, evenBytes));
    return 2 ** Math.floor(Math.log2(bytes));
  }

  /** @param windowShareBytes of the path's window, what falls to one stream. @returns whether the writer may write more than it has. */
  mayWrite(half: SendHalf, windowShareBytes: number): boolean {
    return half.buffer.unsentBytes < targetBytes(half, windowShareBytes) && !this.isFull;
  }

  /** @returns whether a writer that had to pause may go on: once half of what may wait has been sent. */
  mayGoOn(half: SendHalf, windowShareBytes: number): boolean {
    const { unsentBytes, heldBytes } = half.buffer;
    return unsentBytes <= targetBytes(half, windowShareBytes) / 2 && (heldBytes === 0 || !this.isFull);
  }

  /** @param bytes how many more are held than before; below 0 where they are fewer. */
  change(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > CONNECTION_WINDOW_BYTES) this.share.claim();
  }

  clear(): void {
    this.bytes = 0;
  }
}

/**
 * How many bytes of a stream may wait to be sent before its writer pauses. A window of the path, besides the one that is under way, keeps the
 * path full; those of a stream whose credit is used up wait for its reader, perhaps for ever.
 */
function targetBytes({ credit }: SendHalf, windowShareBytes: number): number {
  if (credit.availableBytes === 0) return SEND_TARGET_BYTES_BLOCKED;
  return Math.min(Math.max(windowShareBytes, SEND_TARGET_BYTES_MIN), SEND_TARGET_BYTES_MAX);
}
