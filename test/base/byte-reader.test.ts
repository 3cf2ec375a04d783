// Reading fields: the varints of RFC 9000 §A.1, and that nothing is read past the end.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, OutOfBounds } from "../../src/base/byte-reader.ts";
import { fromHex } from "../wire/arbitrary.ts";

test("integers are read big-endian, the highest bit without a sign", () => {
  const reader = new ByteReader(fromHex("ff fffe fffffffd fffffffffffc"));
  assert.equal(reader.uint8(), 0xff);
  assert.equal(reader.uint16(), 0xfffe);
  assert.equal(reader.uint32(), 0xffff_fffd);
  assert.equal(reader.uint48(), 0xffff_ffff_fffc);
  assert.equal(reader.remainingBytes, 0);
});

test("the varints of RFC 9000 §A.1 are read, in more bytes than they need too", () => {
  for (const [text, value] of [
    ["9d7f3e7d", 494_878_333],
    ["7bbd", 15_293],
    ["25", 37],
    ["4025", 37],
    ["c000000000000025", 37],
    ["bfffffff", 2 ** 30 - 1],
    ["c01fffffffffffff", Number.MAX_SAFE_INTEGER],
  ] as const) {
    const reader = new ByteReader(fromHex(text));
    assert.equal(reader.varint(), value);
    assert.equal(reader.remainingBytes, 0);
  }
});

test("a varint above 2^53 - 1 is refused", () => {
  for (const text of ["c2197c5eff14e88c", "c020000000000000", "ffffffffffffffff"]) {
    assert.throws(() => new ByteReader(fromHex(text)).varint(), OutOfBounds);
  }
});

test("a read past the end throws OutOfBounds, even where the bytes behind it exist", () => {
  const bytes = fromHex("c0ffffff c0ffffff c0ffffff");
  const reads: ((reader: ByteReader) => unknown)[] = [
    (reader) => reader.uint8(),
    (reader) => reader.uint16(),
    (reader) => reader.uint32(),
    (reader) => reader.uint48(),
    (reader) => reader.varint(),
    (reader) => reader.view(1),
    (reader) => reader.copy(Number.MAX_SAFE_INTEGER),
    (reader) => reader.skip(1),
  ];
  for (const read of reads) assert.throws(() => read(new ByteReader(bytes, 4, 4)), OutOfBounds);
  assert.throws(() => new ByteReader(bytes, 0, 7).varint(), OutOfBounds);
});

test("a view shares memory and a copy does not, of a Buffer either", () => {
  const bytes = Buffer.from("01020304", "hex");
  const reader = new ByteReader(bytes);
  reader.skip(1);
  const view = reader.view(1);
  const copy = reader.copy(2);
  bytes.fill(0);
  assert.deepEqual([...view], [0]);
  assert.deepEqual(copy, Uint8Array.of(3, 4));
  reader.reset(bytes, 2, 3);
  assert.equal(reader.remainingBytes, 1);
});

test("no bytes make a read throw anything but OutOfBounds, or leave the bounds", () => {
  const names = ["uint8", "uint16", "uint32", "uint48", "varint"] as const;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.constantFrom(...names)), (bytes, reads) => {
      const reader = new ByteReader(bytes);
      try {
        for (const read of reads) {
          const value = reader[read]();
          assert(Number.isSafeInteger(value) && value >= 0);
        }
      } catch (error) {
        assert(error instanceof OutOfBounds);
      }
      assert(reader.offset <= bytes.length);
    }),
  );
});
