// The memory of an endpoint for what its streams hold, and how connections share it. Each has from the start what a fast answer to a
// small question needs; those that have ever wanted more share the rest evenly. A share gets smaller as others come: what was
// promised to a peer by then is not taken back (RFC 9000 §4.1), but no more is promised until it is used up.

/** For one direction; both have as much. */
export class BufferMemory {
  private readonly bytes: number;
  private claimants = 0;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** What each of those that want more may have. */
  get shareBytes(): number {
    return this.bytes / Math.max(1, this.claimants);
  }

  onClaim(): void {
    this.claimants++;
  }

  onRelease(): void {
    this.claimants--;
  }
}

/** A connection's part in it. */
export class MemoryShare {
  private readonly memory: BufferMemory;
  private claimed = false;

  constructor(memory: BufferMemory) {
    this.memory = memory;
  }

  /** In one direction, the connection's part; what it would be, while none was claimed. */
  get bytes(): number {
    return this.memory.shareBytes;
  }

  /** The connection wants more than it has from the start. */
  claim(): void {
    if (this.claimed) return;
    this.claimed = true;
    this.memory.onClaim();
  }

  /** The connection is over. */
  release(): void {
    if (!this.claimed) return;
    this.claimed = false;
    this.memory.onRelease();
  }
}
