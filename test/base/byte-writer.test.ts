// Writing fields: the varints of RFC 9000 §A.1, and that nothing is written past the end.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { ByteReader } from "../../src/base/byte-reader.ts";
import { ByteWriter, varintBytes } from "../../src/base/byte-writer.ts";
import { hex, uint32, varintValue } from "../wire/arbitrary.ts";

function written(write: (writer: ByteWriter) => void): string {
  const writer = new ByteWriter(new Uint8Array(64));
  write(writer);
  return hex(writer.written());
}

test("integers are written big-endian", () => {
  assert.equal(
    written((writer) => {
      writer.uint8(0xff);
      writer.uint16(0xfffe);
      writer.uint32(0xffff_fffd);
      writer.uint48(0xffff_ffff_fffc);
      writer.copy(Uint8Array.of(1, 2));
    }),
    "fffffefffffffdfffffffffffc0102",
  );
});

test("the varints of RFC 9000 §A.1 are written in the fewest bytes", () => {
  for (const [value, expected] of [
    [0, "00"],
    [37, "25"],
    [63, "3f"],
    [64, "4040"],
    [15_293, "7bbd"],
    [16_383, "7fff"],
    [16_384, "80004000"],
    [494_878_333, "9d7f3e7d"],
    [2 ** 30 - 1, "bfffffff"],
    [2 ** 30, "c000000040000000"],
    [2 ** 32, "c000000100000000"],
    [Number.MAX_SAFE_INTEGER, "c01fffffffffffff"],
  ] as const) {
    assert.equal(
      written((writer) => writer.varint(value)),
      expected,
    );
    assert.equal(varintBytes(value), expected.length / 2);
  }
});

test("what is written is read back", () => {
  const uint48 = fc.integer({ min: 0, max: 2 ** 48 - 1 });
  fc.assert(
    fc.property(uint32, uint48, fc.array(varintValue, { maxLength: 4 }), (word, long, varints) => {
      const writer = new ByteWriter(new Uint8Array(64));
      writer.uint32(word);
      writer.uint48(long);
      for (const value of varints) writer.varint(value);
      const reader = new ByteReader(writer.written());
      assert.equal(reader.uint32(), word);
      assert.equal(reader.uint48(), long);
      for (const value of varints) assert.equal(reader.varint(), value);
      assert.equal(reader.remainingBytes, 0);
    }),
  );
});

test("running out of room is an assertion, and nothing is written behind the end", () => {
  const bytes = new Uint8Array(8);
  const writer = new ByteWriter(bytes, 0, 3);
  assert.throws(() => writer.uint32(0xffff_ffff), AssertionError);
  assert.throws(() => writer.copy(new Uint8Array(4).fill(255)), AssertionError);
  assert.throws(() => writer.varint(20_000), AssertionError);
  assert.deepEqual(bytes, new Uint8Array(8));
  assert.equal(writer.remainingBytes, 3);
});

test("a varint that no peer could read is an assertion", () => {
  const writer = new ByteWriter(new Uint8Array(8));
  for (const value of [-1, 2 ** 53, Number.NaN]) assert.throws(() => writer.varint(value), AssertionError);
});

test("a writer that is reset writes elsewhere", () => {
  const writer = new ByteWriter(new Uint8Array(1));
  const bytes = new Uint8Array(4);
  writer.reset(bytes, 1, 3);
  writer.uint16(0x0102);
  assert.deepEqual(bytes, Uint8Array.of(0, 1, 2, 0));
  assert.deepEqual(writer.written(1), Uint8Array.of(1, 2));
});
