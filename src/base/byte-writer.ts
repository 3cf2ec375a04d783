// Writes the fields of a byte format from front to back, big-endian, with the varints of RFC 9000 §16.
// Running out of room is a bug of the caller, who asks `varintBytes` and `remainingBytes` first.

import { assert } from "./assert.ts";

/** @returns how many bytes `value` takes as a varint: 1, 2, 4 or 8. */
export function varintBytes(value: number): number {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x4000_0000) return 4;
  return 8;
}

export class ByteWriter {
  bytes: Uint8Array;
  offset: number;
  end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.offset = start;
    this.end = end;
  }

  /** Points the writer at other bytes, so that a hot path needs no new writer a packet. */
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
    assert(count <= this.end - at, "byte writer: out of room");
    this.offset = at + count;
    return at;
  }

  uint8(value: number): void {
    this.bytes[this.take(1)] = value;
  }

  uint16(value: number): void {
    const at = this.take(2);
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  uint32(value: number): void {
    const at = this.take(4);
    const b = this.bytes;
    b[at] = value >>> 24;
    b[at + 1] = value >>> 16;
    b[at + 2] = value >>> 8;
    b[at + 3] = value;
  }

  /** 48 bits, as packet numbers have. */
  uint48(value: number): void {
    this.uint16(Math.floor(value / 0x1_0000_0000));
    this.uint32(value % 0x1_0000_0000);
  }

  /** RFC 9000 §16, in the fewest bytes. */
  varint(value: number): void {
    assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, "varint out of range");
    if (value < 0x40) {
      this.uint8(value);
    } else if (value < 0x4000) {
      this.uint16(value | 0x4000);
    } else if (value < 0x4000_0000) {
      this.uint32((value | 0x8000_0000) >>> 0);
    } else {
      const high = Math.floor(value / 0x1_0000_0000);
      this.uint32(high + 0xc000_0000);
      this.uint32(value % 0x1_0000_0000);
    }
  }

  copy(source: Uint8Array): void {
    const at = this.take(source.length);
    this.bytes.set(source, at);
  }

  /** The bytes written since `start`. */
  written(start = 0): Uint8Array {
    return this.bytes.subarray(start, this.offset);
  }
}
