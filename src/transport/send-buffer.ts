// The bytes of one stream that were written and are not acknowledged. Chunks are kept as they were given, never
// copied until they go into a packet; what is lost is remembered as ranges of the stream, not as packets.

import { assert } from "../base/assert.ts";
import { RangeSet } from "../base/range-set.ts";

export class SendBuffer {
  private chunks: Uint8Array[] = [];
  /** Stream offset at which each chunk starts. */
  private starts: number[] = [];
  /** Chunks before this index are settled; they are cut off now and then, not one by one. */
  private head = 0;
  private end = 0;
  private unsent = 0;
  private ackedEnd = 0;
  private readonly acked = new RangeSet();
  private readonly lost = new RangeSet();
  /** Chunk of the last copy: most copies go on where the last one stopped. */
  private cursor = 0;

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

  /** Keeps the chunk; the caller must not change it. */
  write(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.chunks.push(chunk);
    this.starts.push(this.end);
    this.end += chunk.length;
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
      const chunk = this.chunks[i] as Uint8Array;
      const start = from - (this.starts[i] as number);
      const count = Math.min(chunk.length - start, left);
      if (start === 0 && count === chunk.length) target.set(chunk, to);
      else target.set(chunk.subarray(start, start + count), to);
      from += count;
      to += count;
      left -= count;
      if (left > 0) i++;
    }
    this.cursor = i;
  }

  private find(offset: number): number {
    const near = Math.max(this.cursor, this.head);
    for (let i = near; i < Math.min(near + 2, this.chunks.length); i++) {
      const start = this.starts[i] as number;
      if (offset >= start && offset < start + (this.chunks[i] as Uint8Array).length) return i;
    }
    let low = this.head;
    let high = this.chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private dropSettled(): void {
    while (this.head < this.chunks.length) {
      const chunk = this.chunks[this.head] as Uint8Array;
      if ((this.starts[this.head] as number) + chunk.length > this.ackedEnd) break;
      this.chunks[this.head] = EMPTY;
      this.head++;
    }
    if (this.head > 64 && this.head * 2 > this.chunks.length) {
      this.chunks = this.chunks.slice(this.head);
      this.starts = this.starts.slice(this.head);
      this.cursor = Math.max(0, this.cursor - this.head);
      this.head = 0;
    }
  }

  /** Lets all bytes go: the stream was reset. */
  clear(): void {
    this.chunks = [];
    this.starts = [];
    this.head = 0;
    this.cursor = 0;
    this.acked.clear();
    this.lost.clear();
    this.ackedEnd = this.end;
  }
}

const EMPTY = new Uint8Array(0);
