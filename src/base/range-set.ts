// A set of whole numbers kept as sorted, disjoint, non-adjacent half-open ranges: packet numbers to acknowledge,
// bytes received out of order, bytes to send again. It holds few ranges at a time, so a flat array and a
// binary search beat any tree.

import { assert } from "./assert.ts";

export class RangeSet {
  /** start, end, start, end … */
  private readonly bounds: number[] = [];

  get rangeCount(): number {
    return this.bounds.length / 2;
  }

  get isEmpty(): boolean {
    return this.bounds.length === 0;
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
    for (let i = 0; i < this.bounds.length; i += 2) size += this.endAt(i / 2) - this.startAt(i / 2);
    return size;
  }

  /** Index of the first range whose end is at or above `value`. */
  private search(value: number): number {
    let low = 0;
    let high = this.bounds.length / 2;
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
    if (last === first + 1) {
      this.bounds[first * 2] = newStart;
      this.bounds[first * 2 + 1] = newEnd;
    } else {
      this.bounds.splice(first * 2, (last - first) * 2, newStart, newEnd);
    }
    return true;
  }

  /** Takes [start, end) out. */
  remove(start: number, end: number): void {
    if (start >= end) return;
    let i = this.search(start + 1);
    while (i < this.rangeCount && this.startAt(i) < end) {
      const s = this.startAt(i);
      const e = this.endAt(i);
      if (s < start && e > end) {
        this.bounds.splice(i * 2, 2, s, start, end, e);
        return;
      }
      if (s < start) {
        this.bounds[i * 2 + 1] = start;
        i++;
      } else if (e > end) {
        this.bounds[i * 2] = end;
        return;
      } else {
        this.bounds.splice(i * 2, 2);
      }
    }
  }

  /** Takes the lowest range out. */
  removeFirst(): void {
    assert(!this.isEmpty, "range set: nothing to remove");
    this.bounds.splice(0, 2);
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
    this.bounds.length = 0;
  }
}
