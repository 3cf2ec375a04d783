// The earliest deadline of many: a binary heap whose entries know their place, so that a changed deadline costs log n
// and thousands of connections are not looked through after every datagram.

/** What the heap keeps in each entry; the entry itself does not touch it. */
export interface DeadlineEntry {
  heapIndex: number;
  heapDeadlineMs: number;
}

export class DeadlineHeap<T extends DeadlineEntry> {
  private readonly entries: T[] = [];

  /** @returns the earliest deadline in ms, or Infinity. */
  get earliestMs(): number {
    return this.entries[0]?.heapDeadlineMs ?? Number.POSITIVE_INFINITY;
  }

  /** @returns the entry with the earliest deadline. */
  get first(): T | undefined {
    return this.entries[0];
  }

  /** Adds, moves, or with Infinity takes out an entry. A new entry has heapIndex −1. */
  set(entry: T, deadlineMs: number): void {
    if (deadlineMs === Number.POSITIVE_INFINITY) {
      this.delete(entry);
      return;
    }
    const before = entry.heapDeadlineMs;
    entry.heapDeadlineMs = deadlineMs;
    if (entry.heapIndex < 0) {
      entry.heapIndex = this.entries.length;
      this.entries.push(entry);
      this.up(entry.heapIndex);
    } else if (deadlineMs < before) {
      this.up(entry.heapIndex);
    } else if (deadlineMs > before) {
      this.down(entry.heapIndex);
    }
  }

  delete(entry: T): void {
    const at = entry.heapIndex;
    if (at < 0) return;
    entry.heapIndex = -1;
    const last = this.entries.pop() as T;
    if (last === entry) return;
    this.entries[at] = last;
    last.heapIndex = at;
    this.up(at);
    this.down(last.heapIndex);
  }

  private up(from: number): void {
    let i = from;
    const entry = this.entries[i] as T;
    while (i > 0) {
      const parentIndex = (i - 1) >> 1;
      const parent = this.entries[parentIndex] as T;
      if (parent.heapDeadlineMs <= entry.heapDeadlineMs) break;
      this.entries[i] = parent;
      parent.heapIndex = i;
      i = parentIndex;
    }
    this.entries[i] = entry;
    entry.heapIndex = i;
  }

  private down(from: number): void {
    let i = from;
    const entry = this.entries[i] as T;
    for (;;) {
      let childIndex = i * 2 + 1;
      if (childIndex >= this.entries.length) break;
      let child = this.entries[childIndex] as T;
      const right = this.entries[childIndex + 1];
      if (right !== undefined && right.heapDeadlineMs < child.heapDeadlineMs) {
        child = right;
        childIndex++;
      }
      if (child.heapDeadlineMs >= entry.heapDeadlineMs) break;
      this.entries[i] = child;
      child.heapIndex = i;
      i = childIndex;
    }
    this.entries[i] = entry;
    entry.heapIndex = i;
  }
}
