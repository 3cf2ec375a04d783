// Writing frames: the bytes of each as SPEC.md draws them, and the sizes that a packet builder is told before.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { ByteWriter } from "../../src/base/byte-writer.ts";
import { ACK_FRAME_RANGES_MAX, CLOSE_REASON_BYTES_MAX } from "../../src/base/limits.ts";
import {
  ackBytes,
  ackRangesThatFit,
  closeBytes,
  streamHeaderBytes,
  writeAck,
  writeClose,
  writePadding,
  writePathChallenge,
  writePathResponse,
  writeStreamHeader,
} from "../../src/wire/frame-encoder.ts";
import { counting, hex, varintValue } from "./arbitrary.ts";
import { ackRanges, ecnCounts, frame } from "./frame-arbitrary.ts";
import { decodeFrames, type Frame, frameBytes, writeFrame } from "./frame-recorder.ts";

function encode(...frames: Frame[]): Uint8Array {
  const writer = new ByteWriter(new Uint8Array(8192));
  for (const each of frames) writeFrame(writer, each);
  return writer.written();
}

test("every frame has the bytes that the specification draws", () => {
  const token = counting(0xa0, 8);
  const cases: [Frame, string][] = [
    [{ type: "ping" }, "01"],
    [{ type: "ack", path: 1, delayUs: 300, ranges: [10, 8] }, "02 01 0a 412c 00 02"],
    [{ type: "ack", path: 70, delayUs: 0, ranges: [100, 100, 98, 90, 63, 0] }, "02 4046 4064 00 02 00 00 08 19 3f"],
    [
      { type: "ack", path: 1, delayUs: 300, ranges: [10, 8], counts: { ect0: 11, ect1: 0, ce: 300 } },
      "03 01 0a 412c 00 02 0b 00 412c",
    ],
    [
      { type: "ack", path: 1, delayUs: 0, ranges: [9, 9, 6, 5], counts: { ect0: 0, ect1: 2, ce: 2 ** 30 } },
      "03 01 09 00 01 00 01 01 00 02 c000000040000000",
    ],
    [{ type: "reset-stream", id: 4, code: 1, finalSize: 70_000 }, "04 04 01 80011170"],
    [{ type: "stop-sending", id: 5, code: 6 }, "05 05 06"],
    [{ type: "stream", id: 0, offset: 0, fin: false, data: counting(1, 3) }, "0a 00 00 03 010203"],
    [{ type: "stream", id: 2, offset: 2 ** 32, fin: true, data: new Uint8Array(0) }, "0b 02 c000000100000000 00"],
    [{ type: "max-data", max: 16_777_216 }, "10 81000000"],
    [{ type: "max-stream-data", id: 64, max: 1 }, "11 4040 01"],
    [{ type: "max-streams", max: 100 }, "12 4064"],
    [{ type: "path-challenge", token }, "1a a0a1a2a3a4a5a6a7"],
    [{ type: "path-response", token }, "1b a0a1a2a3a4a5a6a7"],
    [{ type: "path-status", path: 3, sequence: 300, status: 2 }, "1c 03 412c 02"],
    [
      { type: "observed-address", sequence: 1, address: { family: 4, host: "192.0.2.1", port: 4700 } },
      "1d 01 04 c0000201 125c",
    ],
    [
      { type: "observed-address", sequence: 2, address: { family: 6, host: "2001:db8::1", port: 443 } },
      "1d 02 06 20010db8000000000000000000000001 01bb",
    ],
    [{ type: "candidates", sequence: 7, body: counting(1, 4) }, "20 07 04 01020304"],
    [{ type: "punch", sequence: 8, body: counting(1, 2) }, "21 08 02 0102"],
    [{ type: "datagram", data: counting(1, 2) }, "30 02 0102"],
    [{ type: "close", code: 0x10, reason: "tschüs" }, "3c 10 07 74736368c3bc73"],
  ];
  for (const [value, expected] of cases) {
    const bytes = encode(value);
    assert.equal(hex(bytes), expected.replaceAll(" ", ""), value.type);
    assert.equal(frameBytes(value), bytes.length, value.type);
    assert.deepEqual(decodeFrames(bytes).frames, [value]);
  }
});

test("a STREAM without a length reaches to the packet's end", () => {
  const writer = new ByteWriter(new Uint8Array(16));
  writeStreamHeader(writer, 1, 64, undefined, false);
  assert.equal(hex(writer.written()), "08014040");
  assert.equal(writer.offset, streamHeaderBytes(1, 64, undefined));
  writer.reset(writer.bytes, 0, 16);
  writeStreamHeader(writer, 1, 64, undefined, true);
  writer.copy(counting(1, 2));
  assert.equal(hex(writer.written()), "090140400102");
  const expected: Frame = { type: "stream", id: 1, offset: 64, fin: true, data: counting(1, 2) };
  assert.deepEqual(decodeFrames(writer.written()).frames, [expected]);
});

test("padding is zeros, over whatever was in the buffer", () => {
  const writer = new ByteWriter(new Uint8Array(6).fill(0xee), 1, 5);
  writePadding(writer, 3);
  assert.equal(hex(writer.bytes), "ee000000eeee");
  assert.equal(writer.offset, 4);
  assert.throws(() => writePadding(writer, 2), AssertionError);
});

test("a frame takes as many bytes as was said before", () => {
  fc.assert(
    fc.property(frame, (value) => {
      assert.equal(frameBytes(value), encode(value).length);
    }),
    { numRuns: 500 },
  );
});

test("an ACK is cut to the newest ranges that fit, and not one fewer", () => {
  fc.assert(
    fc.property(varintValue, ackRanges, fc.option(ecnCounts), fc.nat(700), (delayUs, list, told, roomBytes) => {
      const counts = told ?? undefined;
      const ranges = Float64Array.from(list);
      const count = list.length / 2;
      const fit = ackRangesThatFit(1, delayUs, ranges, count, counts, roomBytes);
      if (fit > 0) {
        const writer = new ByteWriter(new Uint8Array(roomBytes));
        writeAck(writer, 1, delayUs, ranges, fit, counts);
        assert.equal(writer.offset, ackBytes(1, delayUs, ranges, fit, counts));
      }
      if (fit < count) assert(ackBytes(1, delayUs, ranges, fit + 1, counts) > roomBytes);
    }),
    { numRuns: 1000 },
  );
});

test("an ACK is cut right where the count of its ranges takes a second byte", () => {
  const ranges = new Float64Array(200);
  for (let i = 0; i < 100; i++) ranges.fill(1000 - 3 * i, 2 * i, 2 * i + 2);
  for (let roomBytes = 0; roomBytes < 300; roomBytes++) {
    const fit = ackRangesThatFit(1, 0, ranges, 100, undefined, roomBytes);
    if (fit > 0) assert(ackBytes(1, 0, ranges, fit, undefined) <= roomBytes);
    if (fit < 100) assert(ackBytes(1, 0, ranges, fit + 1, undefined) > roomBytes);
  }
});

test("an ACK without ranges, or with more than a peer would read, is an assertion", () => {
  const writer = new ByteWriter(new Uint8Array(8192));
  const ranges = new Float64Array(2 * ACK_FRAME_RANGES_MAX + 2);
  for (let i = 0; i <= ACK_FRAME_RANGES_MAX; i++) ranges.fill(10_000 - 3 * i, 2 * i, 2 * i + 2);
  assert.throws(() => writeAck(writer, 1, 0, ranges, 0, undefined), AssertionError);
  assert.throws(() => writeAck(writer, 1, 0, ranges, ACK_FRAME_RANGES_MAX + 1, undefined), AssertionError);
});

test("a path token has eight bytes", () => {
  const writer = new ByteWriter(new Uint8Array(32));
  assert.throws(() => writePathChallenge(writer, new Uint8Array(7)), AssertionError);
  assert.throws(() => writePathResponse(writer, new Uint8Array(9)), AssertionError);
});

test("a long reason is cut between two characters", () => {
  const reason = `${"x".repeat(CLOSE_REASON_BYTES_MAX - 1)}ü and more`;
  const writer = new ByteWriter(new Uint8Array(1024));
  writeClose(writer, 0, reason);
  assert.equal(writer.offset, closeBytes(0, reason));
  const kept = reason.slice(0, CLOSE_REASON_BYTES_MAX - 1);
  assert.deepEqual(decodeFrames(writer.written()).frames, [{ type: "close", code: 0, reason: kept }]);
});
