// The memory of an endpoint for what its streams hold, and how connections share it. Each has from the start what a fast answer to a
// small question needs; those that have ever wanted more share the rest evenly. A share gets smaller as others come: what was
// promised to a peer by then is not taken back (RFC 9000 §4.1), but no more is promised until it is used up. So what several peers that
// came one after the other may all send at once is more than the memory, by the sum of the shares that they had.

/** For one direction; both have as much. */
export class BufferMemory {
  private readonly bytes: number;
  private readonly claimants = new Set<MemoryShare>();

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** What each of those that want more may have. */
  get shareBytes(): number {
    return Math.floor(this.bytes / Math.max(1, this.claimants.size));
  }

  onClaim(share: MemoryShare): void {
    this.claimants.add(share);
  }

  onRelease(share: MemoryShare): void {
    if (!this.claimants.delete(share)) return;
    for (const other of this.claimants) other.onGrown();
  }
}

/** A connection's part in it. */
export class MemoryShare {
  private readonly memory: BufferMemory;
  private claimed = false;
  private released = false;
  /** Others have left: the share is larger. A peer that waits for credit would never ask. */
  readonly onGrown: () => void;

  constructor(memory: BufferMemory, onGrown = (): void => {}) {
    this.memory = memory;
    this.onGrown = onGrown;
  }

  /** Whether the connection has asked for more than it has from the start. */
  get isClaimed(): boolean {
    return this.claimed;
  }

  /** In one direction, the connection's part; what it would be, while none was claimed. */
  get bytes(): number {
    return this.memory.shareBytes;
  }

  /** The connection wants more than it has from the start. */
  claim(): void {
    if (this.claimed || this.released) return;
    this.claimed = true;
    this.memory.onClaim(this);
  }

  /** The connection is over. */
  release(): void {
    this.claimed = false;
    this.released = true;
    this.memory.onRelease(this);
  }
}
