// The bytes of one stream that came and were not read. They are copied out of the datagram into blocks by their
// offset: a stream never holds more memory than its window, rounded up to a block, however small or scattered the
// frames are, and a reader gets long runs instead of packets.

import { copyBytes } from "../base/byte-copy.ts";
import {
  LENT_BLOCKS_MAX,
  RECEIVE_BLOCK_BYTES,
  RECEIVE_BLOCK_BYTES_FIRST,
  RECEIVE_RANGE_BYTES,
  RECEIVE_RANGES_MIN,
  SPARE_BLOCKS_MAX,
} from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import { RangeSet } from "../base/range-set.ts";
import { type BlockPool, receiveBlocks } from "./block-pool.ts";

/** @returns where the block begins that holds a stream's byte at `offset`. Blocks double up to their full size: most streams are short. */
function blockStartOf(offset: number): number {
  if (offset >= RECEIVE_BLOCK_BYTES) return offset - (offset % RECEIVE_BLOCK_BYTES);
  return offset < RECEIVE_BLOCK_BYTES_FIRST ? 0 : 1 << (31 - Math.clz32(offset));
}

/** @param start of a block. */
function blockBytesAt(start: number): number {
  return Math.min(Math.max(start, RECEIVE_BLOCK_BYTES_FIRST), RECEIVE_BLOCK_BYTES);
}

/** A buffer's place in the row of those that keep a block: between the one that came before it and the one that came after. */
interface IdlePlace {
  isIdle: boolean;
  before: ReceiveBuffer | undefined;
  after: ReceiveBuffer | undefined;
}

/**
 * Buffers that were read to the end and keep the block they stopped in for what comes next; those idle for longest give theirs up.
 * A stream comes and goes here with every keystroke, so the row is made of the buffers themselves.
 */
export class SpareBlocks {
  private idlest: ReceiveBuffer | undefined;
  private latest: ReceiveBuffer | undefined;
  private count = 0;

  keep(buffer: ReceiveBuffer): void {
    if (buffer.idle.isIdle) return;
    buffer.idle.isIdle = true;
    buffer.idle.before = this.latest;
    if (this.latest === undefined) this.idlest = buffer;
    else this.latest.idle.after = buffer;
    this.latest = buffer;
    if (++this.count <= SPARE_BLOCKS_MAX) return;
    const { idlest } = this;
    if (idlest === undefined) return;
    this.release(idlest);
    idlest.dropBlocks();
  }

  /** The buffer holds unread bytes again, or nothing at all. */
  release(buffer: ReceiveBuffer): void {
    const { idle } = buffer;
    if (!idle.isIdle) return;
    const { before, after } = idle;
    if (before === undefined) this.idlest = after;
    else before.idle.after = after;
    if (after === undefined) this.latest = before;
    else after.idle.before = before;
    idle.isIdle = false;
    idle.before = undefined;
    idle.after = undefined;
    this.count--;
  }
}

export class ReceiveBuffer {
  /** The spare blocks' own. */
  readonly idle: IdlePlace = { isIdle: false, before: undefined, after: undefined };
  private readonly spare: SpareBlocks | undefined;
  /** By the offset at which each begins. */
  private readonly blocks = new Map<number, Uint8Array>();
  private readonly received = new RangeSet();
  private readonly pool: BlockPool;
  /** Full blocks that were read to their end, by a reader that has not said yet that it is done with them. */
  private lent: Uint8Array[] = [];
  /** The reader may still look at bytes that it has read. */
  private isLookedAt = false;
  private readEnd = 0;
  private highest = 0;

  constructor(spare?: SpareBlocks, pool = receiveBlocks) {
    this.spare = spare;
    this.pool = pool;
  }

  /** Memory that is held, in bytes. */
  get memoryBytes(): number {
    let bytes = 0;
    for (const block of this.blocks.values()) bytes += block.length;
    return bytes;
  }

  /** Everything below was read. */
  get readOffset(): number {
    return this.readEnd;
  }

  /** The highest offset that any byte has reached: what flow control counts. */
  get highestOffset(): number {
    return this.highest;
  }

  get hasReadable(): boolean {
    return this.received.contains(this.readEnd);
  }

  /**
   * Takes stream bytes [offset, offset + end − start). Bytes that came before are passed over.
   * @throws ProtocolError when the peer scatters bytes as no loss does.
   */
  insert(offset: number, bytes: Uint8Array, start: number, end: number): void {
    const last = offset + end - start;
    if (last > this.highest) this.highest = last;
    let at = Math.max(offset, this.readEnd);
    if (at < last && this.received.isEmpty) this.spare?.release(this);
    while (at < last) {
      const blockStart = blockStartOf(at);
      let block = this.blocks.get(blockStart);
      if (block === undefined) {
        block = this.pool.take(blockBytesAt(blockStart));
        this.blocks.set(blockStart, block);
      }
      const stop = Math.min(blockStart + block.length, last);
      const from = start + (at - offset);
      // A byte is written once: the reader may already hold a view of this block.
      if (this.isNew(at, stop)) copyBytes(bytes, from, stop - at, block, at - blockStart);
      else this.insertMissing(block, blockStart, at, stop, bytes, start - offset);
      at = stop;
    }
    this.received.insert(Math.max(offset, this.readEnd), last);
    const rangesMax = RECEIVE_RANGES_MIN + (this.highest - this.readEnd) / RECEIVE_RANGE_BYTES;
    if (this.received.rangeCount > rangesMax) {
      throw new ProtocolError(closeCode.violation, `stream data in ${this.received.rangeCount} pieces`);
    }
  }

  /** Bytes up to `offset` came and are wanted by nobody. */
  skipTo(offset: number): void {
    if (offset > this.highest) this.highest = offset;
  }

  private isNew(start: number, end: number): boolean {
    return this.received.firstPresent(start) >= end;
  }

  private insertMissing(
    block: Uint8Array,
    blockStart: number,
    start: number,
    end: number,
    bytes: Uint8Array,
    shift: number,
  ): void {
    let at = this.received.firstMissing(start);
    while (at < end) {
      const stop = Math.min(this.received.firstPresent(at), end);
      block.set(bytes.subarray(at + shift, stop + shift), at - blockStart);
      at = this.received.firstMissing(stop);
    }
  }

  /**
   * @returns the next bytes in order, up to the end of a block, or undefined. The view is the caller's until it calls `release`, and
   * for good if it never does.
   */
  read(): Uint8Array | undefined {
    const end = this.received.firstMissing(this.readEnd);
    if (end === this.readEnd) return undefined;
    const blockStart = blockStartOf(this.readEnd);
    const block = this.blocks.get(blockStart) as Uint8Array;
    const blockEnd = blockStart + block.length;
    const stop = Math.min(end, blockEnd);
    const view = block.subarray(this.readEnd - blockStart, stop - blockStart);
    this.readEnd = stop;
    this.isLookedAt = true;
    this.received.remove(0, stop);
    if (stop === blockEnd) {
      this.blocks.delete(blockStart);
      if (block.length === RECEIVE_BLOCK_BYTES && this.lent.length < LENT_BLOCKS_MAX) this.lent.push(block);
    } else if (this.received.isEmpty) this.spare?.keep(this);
    return view;
  }

  /** The reader is done with everything that it has read: the memory may be used again, for other streams as well. */
  release(): void {
    this.isLookedAt = false;
    for (let block = this.lent.pop(); block !== undefined; block = this.lent.pop()) this.pool.give(block);
  }

  /** Lets the memory go, for other streams where nobody looks at it; nothing in it is unread. */
  dropBlocks(): void {
    if (!this.isLookedAt) {
      for (const block of this.blocks.values()) if (block.length === RECEIVE_BLOCK_BYTES) this.pool.give(block);
    }
    this.blocks.clear();
  }

  /** Lets all bytes go. */
  clear(): void {
    this.blocks.clear();
    this.received.clear();
    this.spare?.release(this);
  }
}
