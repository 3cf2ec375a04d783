// What all streams of a connection hold for sending, written and not acknowledged, and when writers have to wait until it is less. A stream has a bound
// of its own for what it has not sent yet; thousands of streams before a peer that reads none of them would still take
// hundreds of megabytes. Whatever the others hold, a stream that holds nothing may write: those that stand still must not hold up
// those that move, and whoever holds something is looked at again when it is acknowledged.

import {
  CONNECTION_WINDOW_BYTES,
  SEND_HELD_BYTES_MAX,
  WRITE_CHUNK_BYTES,
  WRITE_CHUNK_BYTES_MIN,
} from "../base/limits.ts";
import type { MemoryShare } from "./buffer-memory.ts";

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

  /** The most that a writer should bring at a time, when any of so many streams may. */
  chunkBytes(streams: number): number {
    const evenBytes = (this.boundBytes - this.bytes) / Math.max(1, streams);
    return Math.min(WRITE_CHUNK_BYTES, Math.max(WRITE_CHUNK_BYTES_MIN, Math.floor(evenBytes)));
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
