// The bytes of one stream that were written and are not acknowledged. They are copied into blocks, which are used again when
// all in them is settled: the writer keeps its memory, and however fast it writes there is nothing to collect. What is lost is
// remembered as ranges of the stream, not as packets.

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/byte-copy.ts";
import { SEND_BLOCK_BYTES, SEND_BLOCK_BYTES_MIN } from "../base/limits.ts";
import { RangeSet } from "../base/range-set.ts";
import { type BlockPool, sendBlocks, smallSendBlocks } from "./block-pool.ts";

export class SendBuffer {
  private readonly pool: BlockPool;
  private readonly smallPool: BlockPool;
  private blocks: Uint8Array[] = [];
  /** Stream offset at which each block starts; each but the last is full. */
  private starts: number[] = [];
  /** How many blocks there are; the two arrays are not made shorter for each keystroke that was acknowledged. */
  private count = 0;
  /** Blocks before this index are settled; they are cut off now and then, not one by one. */
  private head = 0;
  /** Bytes of the last block that are free. */
  private room = 0;
  private end = 0;
  private unsent = 0;
  private ackedEnd = 0;
  private readonly acked = new RangeSet();
  private readonly lost = new RangeSet();
  /** Block of the last copy: most copies go on where the last one stopped. */
  private cursor = 0;

  constructor(pool: BlockPool = sendBlocks, smallPool: BlockPool = smallSendBlocks) {
    this.pool = pool;
    this.smallPool = smallPool;
  }

  /** Bytes ever written. */
  get endOffset(): number {
    return this.end;
  }

  /** Everything below was sent at least once. */
  get sentOffset(): number {
    return this.unsent;
  }

  /** Bytes that are held: written and not acknowledged in order. */
  get heldBytes(): number {
    return this.end - this.ackedEnd;
  }

  /** Bytes that are held and have never been sent. */
  get unsentBytes(): number {
    return this.end - this.unsent;
  }

  get isAllAcked(): boolean {
    return this.ackedEnd === this.end;
  }

  get hasLost(): boolean {
    return !this.lost.isEmpty;
  }

  /** Lowest offset that has to be sent again. */
  get lostStart(): number {
    return this.lost.startAt(0);
  }

  /** @returns how much of the lowest lost range a packet with room for `bytesMax` can take. */
  lostLength(bytesMax: number): number {
    return Math.min(this.lost.endAt(0) - this.lost.startAt(0), bytesMax);
  }

  /** Copies the chunk. */
  write(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.room === 0) this.addBlock(chunk.length - at);
      const block = this.blocks[this.count - 1] as Uint8Array;
      const count = Math.min(this.room, chunk.length - at);
      copyBytes(chunk, at, count, block, block.length - this.room);
      this.room -= count;
      this.end += count;
      at += count;
    }
  }

  /** A stream that holds little takes little memory: a block is no larger than what is held and written. */
  private addBlock(wantedBytes: number): void {
    const bytes = Math.max(SEND_BLOCK_BYTES_MIN, this.heldBytes + wantedBytes);
    // Keystrokes and requests fit the smallest block: a fresh one for each took 2 µs, and memory outside the collected heap.
    const pool = bytes === SEND_BLOCK_BYTES_MIN ? this.smallPool : this.pool;
    const block = pool.take(Math.min(bytes, SEND_BLOCK_BYTES));
    this.blocks[this.count] = block;
    this.starts[this.count++] = this.end;
    this.room = block.length;
  }

  /** The range is on its way. */
  onSent(offset: number, lengthBytes: number): void {
    const end = offset + lengthBytes;
    if (end > this.unsent) this.unsent = end;
    if (!this.lost.isEmpty) this.lost.remove(offset, end);
  }

  /** @returns whether held bytes became fewer. */
  onAcked(offset: number, lengthBytes: number): boolean {
    const end = offset + lengthBytes;
    if (!this.lost.isEmpty) this.lost.remove(offset, end);
    if (offset > this.ackedEnd) {
      this.acked.insert(offset, end);
      return false;
    }
    if (end <= this.ackedEnd) return false;
    this.ackedEnd = end;
    if (!this.acked.isEmpty) {
      this.ackedEnd = this.acked.firstMissing(end);
      this.acked.remove(0, this.ackedEnd);
    }
    this.dropSettled();
    return true;
  }

  /** The range has to be sent again, but for what has been acknowledged meanwhile. */
  onLost(offset: number, lengthBytes: number): void {
    const end = offset + lengthBytes;
    let at = this.acked.firstMissing(Math.max(offset, this.ackedEnd));
    while (at < end) {
      const stop = Math.min(this.acked.firstPresent(at), end);
      this.lost.insert(at, stop);
      at = this.acked.firstMissing(stop);
    }
  }

  /** Copies `lengthBytes` bytes of the stream from `offset` to `target[at…]`. */
  copy(offset: number, lengthBytes: number, target: Uint8Array, at: number): void {
    assert(offset >= this.ackedEnd && offset + lengthBytes <= this.end, "send buffer: copy out of range");
    let i = this.find(offset);
    let from = offset;
    let to = at;
    let left = lengthBytes;
    while (left > 0) {
      const block = this.blocks[i] as Uint8Array;
      const start = from - (this.starts[i] as number);
      const count = Math.min(block.length - start, left);
      copyBytes(block, start, count, target, to);
      from += count;
      to += count;
      left -= count;
      if (left > 0) i++;
    }
    this.cursor = i;
  }

  private find(offset: number): number {
    const near = Math.max(this.cursor, this.head);
    for (let i = near; i < Math.min(near + 2, this.count); i++) {
      const start = this.starts[i] as number;
      if (offset >= start && offset < start + (this.blocks[i] as Uint8Array).length) return i;
    }
    let low = this.head;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private dropSettled(): void {
    while (this.head < this.count) {
      const block = this.blocks[this.head] as Uint8Array;
      if (Math.min((this.starts[this.head] as number) + block.length, this.end) > this.ackedEnd) break;
      this.drop(block);
      this.blocks[this.head] = EMPTY;
      this.head++;
    }
    if (this.head === this.count) {
      // The last block may have had room left.
      this.count = 0;
      this.cursor = 0;
      this.head = 0;
      this.room = 0;
    } else if (this.head > 64 && this.head * 2 > this.count) {
      this.blocks = this.blocks.slice(this.head, this.count);
      this.starts = this.starts.slice(this.head, this.count);
      this.count -= this.head;
      this.cursor = Math.max(0, this.cursor - this.head);
      this.head = 0;
    }
  }

  private drop(block: Uint8Array): void {
    if (block.length === SEND_BLOCK_BYTES) this.pool.give(block);
    else if (block.length === SEND_BLOCK_BYTES_MIN) this.smallPool.give(block);
  }

  /** Lets all bytes go: the stream was reset. */
  clear(): void {
    for (let i = this.head; i < this.count; i++) this.drop(this.blocks[i] as Uint8Array);
    this.blocks = [];
    this.starts = [];
    this.count = 0;
    this.head = 0;
    this.room = 0;
    this.cursor = 0;
    this.acked.clear();
    this.lost.clear();
    this.ackedEnd = this.end;
  }
}

const EMPTY = new Uint8Array(0);
