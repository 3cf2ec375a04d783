// The memory of an endpoint for what its streams hold, and how connections share it. Each has from the start what a fast answer to a
// small question needs. Beyond that, in each direction, a connection may have half of what the others leave: one alone gets half of
// all, n that are busy get an n+1st part each, and those who come one after the other and never let go can fill it, but not more. What
// counts is memory: blocks, not the bytes in them, and credit from when it is promised, since a peer that was told a limit may use it at
// any time (RFC 9000 §4.1). As others come, no more is promised until what was is used up; nobody ever has less than at the start.
//
// So all connections together hold in one direction no more than twice the memory, once for what they share and once for what they have
// from the start, and in addition for each connection CONNECTION_WINDOW_BYTES_LEAST; for each stream that receives, two of the smallest
// blocks, and for each that sends, what a writer brings at a time when all is full, WRITE_CHUNK_BYTES_MIN. Of both directions
// receiving has two blocks for each connection more, RECEIVE_SLACK_BYTES.

import { CONNECTION_WINDOW_BYTES_LEAST, MEMORY_PART_TOLD } from "../base/limits.ts";

/** Shared by all connections in one direction. */
class SharedMemory {
  readonly bytes: number;
  /** What all of them have taken. */
  taken = 0;
  /** The most that was taken since it was last told that there is more room. */
  private highest = 0;
  private readonly parts: Iterable<MemoryShare>;

  constructor(bytes: number, parts: Iterable<MemoryShare>) {
    this.bytes = bytes;
    this.parts = parts;
  }

  change(bytes: number): void {
    this.taken += bytes;
    if (this.taken > this.highest) this.highest = this.taken;
    else if (this.highest - this.taken >= this.bytes * MEMORY_PART_TOLD) this.tell();
  }

  /** There is more room. A peer that waits for credit would never ask. */
  tell(): void {
    this.highest = this.taken;
    for (const part of this.parts) part.onRoom();
  }
}

/** What a connection has taken of the memory of one direction, beyond what it has from the start. */
export class TakenMemory {
  private readonly memory: SharedMemory;
  private taken = 0;
  private isOver = false;

  constructor(memory: SharedMemory) {
    this.memory = memory;
  }

  /** What the others leave. */
  get leftBytes(): number {
    return Math.max(0, this.memory.bytes - (this.memory.taken - this.taken));
  }

  set(bytes: number): void {
    if (bytes === this.taken || this.isOver) return;
    const change = bytes - this.taken;
    this.taken = bytes;
    this.memory.change(change);
  }

  /** The connection is over; what is still read of it counts for nothing. */
  end(): void {
    this.set(0);
    this.isOver = true;
  }
}

function beyondLeast(firstBytes: number): number {
  return Math.max(0, firstBytes - CONNECTION_WINDOW_BYTES_LEAST);
}

/** Both directions have as much, and what connections have from the start is as much again. */
export class BufferMemory {
  private readonly shares = new Set<MemoryShare>();
  readonly sending: SharedMemory;
  readonly receiving: SharedMemory;
  /** What is left of it, apart from the least, which each connection gets. */
  private firstLeft: number;

  constructor(bytes: number) {
    this.sending = new SharedMemory(bytes, []);
    this.receiving = new SharedMemory(bytes, this.shares);
    this.firstLeft = bytes;
  }

  /** @returns what a new connection has from the start: what it wants as long as there is enough, and after that the least that works. */
  onShare(share: MemoryShare, wantedBytes: number): number {
    this.shares.add(share);
    const moreBytes = beyondLeast(wantedBytes);
    if (moreBytes > this.firstLeft) return wantedBytes - moreBytes;
    this.firstLeft -= moreBytes;
    return wantedBytes;
  }

  onRelease(share: MemoryShare): void {
    if (!this.shares.delete(share)) return;
    this.firstLeft += beyondLeast(share.firstBytes);
    share.sending.end();
    share.receiving.end();
    this.receiving.tell();
  }
}

/** A connection's part in it. */
export class MemoryShare {
  private readonly memory: BufferMemory;
  /** What it has from the start, in each direction. */
  readonly firstBytes: number;
  readonly sending: TakenMemory;
  readonly receiving: TakenMemory;
  /** Others have taken less, or have left: there may be more to promise. */
  readonly onRoom: () => void;

  /** @param wantedBytes what it is to have from the start, where there is enough of it. */
  constructor(memory: BufferMemory, wantedBytes: number, onRoom = (): void => {}) {
    this.memory = memory;
    this.sending = new TakenMemory(memory.sending);
    this.receiving = new TakenMemory(memory.receiving);
    this.onRoom = onRoom;
    this.firstBytes = memory.onShare(this, wantedBytes);
  }

  /** The connection is over. */
  release(): void {
    this.memory.onRelease(this);
  }
}
