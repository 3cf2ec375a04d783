// An endless pattern of bytes, of which any piece can be had and checked at the price of looking at memory.

/** What is asked for at a time is no longer than this; the pattern repeats itself after as much. */
const PERIOD_BYTES = 131_072;

export class Pattern {
  private readonly bytes = Buffer.alloc(2 * PERIOD_BYTES);

  /** @param byteAt the lowest eight bits of a byte by its place, which repeat after PERIOD_BYTES. */
  constructor(byteAt: (place: number) => number) {
    for (let i = 0; i < this.bytes.length; i++) this.bytes[i] = byteAt(i);
  }

  /** @returns a view of memory that stays as it is. */
  piece(start: number, lengthBytes: number): Uint8Array {
    const from = start % PERIOD_BYTES;
    return this.bytes.subarray(from, from + lengthBytes);
  }

  /** @returns whether the bytes are those from `start` on. */
  has(bytes: Uint8Array, start: number): boolean {
    return Buffer.compare(this.piece(start, bytes.length), bytes) === 0;
  }
}
