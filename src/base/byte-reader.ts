// Reads the fields of a byte format from front to back, big-endian, with the varints of RFC 9000 §16.
// A read past the end throws OutOfBounds, which each decoder turns into its own kind of failure.

/** A field reaches past the end of the bytes, or a number is above 2^53 − 1. */
export class OutOfBounds extends Error {
  override readonly name = "OutOfBounds";
}

export class ByteReader {
  bytes: Uint8Array;
  offset: number;
  end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = start;
    this.end = end;
  }

  /** Points the reader at other bytes, so that a hot path needs no new reader a packet. */
  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.offset = start;
    this.end = end;
  }

  get remainingBytes(): number {
    return this.end - this.offset;
  }

  private take(count: number): number {
    const at = this.offset;
    if (count > this.end - at) throw new OutOfBounds(`${count} bytes wanted at ${at}, ${this.end - at} left`);
    this.offset = at + count;
    return at;
  }

  uint8(): number {
    return this.bytes[this.take(1)] as number;
  }

  uint16(): number {
    const at = this.take(2);
    const b = this.bytes;
    return ((b[at] as number) << 8) | (b[at + 1] as number);
  }

  uint32(): number {
    const at = this.take(4);
    const b = this.bytes;
    return (
      (b[at] as number) * 0x1000000 +
      (((b[at + 1] as number) << 16) | ((b[at + 2] as number) << 8) | (b[at + 3] as number))
    );
  }

  /** 48 bits, as packet numbers have. */
  uint48(): number {
    const high = this.uint16();
    return high * 0x1_0000_0000 + this.uint32();
  }

  /** RFC 9000 §16. @throws OutOfBounds also for values above 2^53 − 1, which no field of ours needs. */
  varint(): number {
    const first = this.uint8();
    switch (first >> 6) {
      case 0:
        return first;
      case 1:
        return ((first & 0x3f) << 8) | this.uint8();
      case 2:
        return ((first & 0x3f) << 24) | (this.uint8() << 16) | this.uint16();
      default: {
        const high = (first & 0x3f) * 0x1000000 + ((this.uint8() << 16) | this.uint16());
        if (high > 0x1f_ffff) throw new OutOfBounds("varint above 2^53 - 1");
        return high * 0x1_0000_0000 + this.uint32();
      }
    }
  }

  /** A view of the next `count` bytes; nothing is copied. */
  view(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }

  /** A copy of the next `count` bytes, also where they are a Buffer's, whose `slice` copies nothing. */
  copy(count: number): Uint8Array {
    const at = this.take(count);
    return new Uint8Array(this.bytes.subarray(at, at + count));
  }

  skip(count: number): void {
    this.take(count);
  }
}
