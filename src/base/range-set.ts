// A set of whole numbers kept as sorted, disjoint, non-adjacent half-open ranges: packet numbers to acknowledge,
// bytes received out of order, bytes to send again. It holds few ranges at a time, so a flat array and a
// binary search beat any tree. The array never shrinks, and nothing of the language's own moves its elements: each
// splice makes an array of what it took out, which was an eighth of all that a packet left to the garbage collector.

import { assert } from "./assert.ts";

export class RangeSet {
  /** start, end, start, end …; what stands behind the ranges is left over. */
  private readonly bounds: number[] = [];
  private ranges = 0;

  get rangeCount(): number {
    return this.ranges;
  }

  get isEmpty(): boolean {
    return this.ranges === 0;
  }

  /** The i-th range from below starts here. */
  startAt(i: number): number {
    return this.bounds[i * 2] as number;
  }

  /** The i-th range from below ends before this. */
  endAt(i: number): number {
    return this.bounds[i * 2 + 1] as number;
  }

  /** How many numbers the set holds. */
  get size(): number {
    let size = 0;
    for (let i = 0; i < this.ranges; i++) size += this.endAt(i) - this.startAt(i);
    return size;
  }

  /** Index of the first range whose end is at or above `value`. */
  private search(value: number): number {
    let low = 0;
    let high = this.ranges;
    // Most questions are about the top: packets and bytes arrive nearly in order.
    if (high > 0 && this.endAt(high - 1) < value) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.endAt(middle) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  contains(value: number): boolean {
    const i = this.search(value + 1);
    return i < this.rangeCount && this.startAt(i) <= value;
  }

  /** Adds [start, end). @returns whether the set grew. */
  insert(start: number, end: number): boolean {
    if (start >= end) return false;
    const first = this.search(start);
    if (first < this.rangeCount && this.startAt(first) <= start && this.endAt(first) >= end) return false;
    let last = first;
    let newStart = start;
    let newEnd = end;
    while (last < this.rangeCount && this.startAt(last) <= end) {
      newStart = Math.min(newStart, this.startAt(last));
      newEnd = Math.max(newEnd, this.endAt(last));
      last++;
    }
    if (last === first) this.makeRoom(first);
    else if (last > first + 1) this.drop(first + 1, last);
    this.bounds[first * 2] = newStart;
    this.bounds[first * 2 + 1] = newEnd;
    return true;
  }

  /** Moves the i-th range and all above it up by one. */
  private makeRoom(i: number): void {
    const { bounds } = this;
    const end = this.ranges * 2;
    if (bounds.length === end) bounds.push(0, 0);
    for (let at = end - 1; at >= i * 2; at--) bounds[at + 2] = bounds[at] as number;
    this.ranges++;
  }

  /** Takes the ranges from the first-th to before the last-th out. */
  private drop(first: number, last: number): void {
    const { bounds } = this;
    const end = this.ranges * 2;
    const shift = (last - first) * 2;
    for (let at = last * 2; at < end; at++) bounds[at - shift] = bounds[at] as number;
    this.ranges -= last - first;
  }

  /** Takes [start, end) out. */
  remove(start: number, end: number): void {
    if (start >= end) return;
    let i = this.search(start + 1);
    if (i === this.ranges || this.startAt(i) >= end) return;
    if (this.startAt(i) < start) {
      if (this.endAt(i) > end) {
        // Cut in two.
        this.makeRoom(i);
        this.bounds[i * 2 + 1] = start;
        this.bounds[i * 2 + 2] = end;
        return;
      }
      this.bounds[i * 2 + 1] = start;
      i++;
    }
    let last = i;
    while (last < this.ranges && this.endAt(last) <= end) last++;
    if (last < this.ranges && this.startAt(last) < end) this.bounds[last * 2] = end;
    if (last > i) this.drop(i, last);
  }

  /** Takes the lowest range out. */
  removeFirst(): void {
    assert(!this.isEmpty, "range set: nothing to remove");
    this.drop(0, 1);
  }

  /** @returns the lowest number at or above `from` that the set lacks. */
  firstMissing(from: number): number {
    const i = this.search(from + 1);
    return i < this.rangeCount && this.startAt(i) <= from ? this.endAt(i) : from;
  }

  /** @returns the lowest number at or above `from` that the set holds, or Infinity. */
  firstPresent(from: number): number {
    const i = this.search(from + 1);
    return i < this.rangeCount ? Math.max(from, this.startAt(i)) : Number.POSITIVE_INFINITY;
  }

  clear(): void {
    this.ranges = 0;
  }
}
