// Reading frames: order, bounds, the probing space, and that only frameEncoding is ever thrown.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "../../src/base/byte-writer.ts";
import { ACK_FRAME_RANGES_MAX } from "../../src/base/limits.ts";
import { closeCode, ProtocolError } from "../../src/base/protocol-error.ts";
import { frameType } from "../../src/wire/frame.ts";
import { FrameDecoder } from "../../src/wire/frame-decoder.ts";
import { fromHex, mutated } from "./arbitrary.ts";
import { frame } from "./frame-arbitrary.ts";
import { decodeFrames, type Frame, FrameRecorder, writeFrame } from "./frame-recorder.ts";

function encode(frames: readonly Frame[]): Uint8Array {
  const writer = new ByteWriter(new Uint8Array(32_768));
  for (const each of frames) writeFrame(writer, each);
  return writer.written();
}

function isFrameEncoding(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === closeCode.frameEncoding;
}

const probingTypes = new Set<Frame["type"]>(["path-challenge", "path-response", "observed-address"]);

test("the frames of a packet are visited in their order, whatever padding lies between", () => {
  const packet = fc.array(fc.tuple(frame, fc.nat(3)), { maxLength: 8 });
  fc.assert(
    fc.property(packet, (list) => {
      const frames = list.map(([each]) => each);
      const bytes: number[] = [0];
      for (const [each, padding] of list) bytes.push(...encode([each]), ...new Array<number>(padding).fill(0));
      assert.deepEqual(decodeFrames(Uint8Array.from(bytes)).frames, frames);
    }),
    { numRuns: 300 },
  );
});

test("only the bytes from start to end are looked at", () => {
  const bytes = fromHex("ff 01 08 00 00 aabb ff");
  const recorder = new FrameRecorder();
  assert.equal(new FrameDecoder().decode(bytes, 1, 7, recorder), true);
  assert.deepEqual(recorder.frames, [
    { type: "ping" },
    { type: "stream", id: 0, offset: 0, fin: false, data: fromHex("aabb") },
  ]);
});

test("a packet asks for an acknowledgement unless it holds PADDING, ACK and CLOSE only", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 4 }), (frames) => {
      const silent = frames.every(({ type }) => type === "ack" || type === "close");
      assert.equal(decodeFrames(encode(frames)).eliciting, !silent);
    }),
  );
  assert.equal(decodeFrames(fromHex("00 00 00")).eliciting, false);
  assert.equal(decodeFrames(new Uint8Array(0)).eliciting, false);
});

test("a STREAM names its data by position and copies nothing", () => {
  const bytes = fromHex("0a 04 4100 02 aabb 01");
  let seen: unknown[] = [];
  const recorder = new FrameRecorder();
  recorder.onStream = (...visit) => {
    seen = visit;
  };
  new FrameDecoder().decode(bytes, 0, bytes.length, recorder);
  assert.deepEqual(seen, [4, 256, false, bytes, 5, 7]);
  assert.equal(seen[3], bytes);
});

test("one array carries the ranges of every ACK, and one object its ECN counts", () => {
  const seen = new Set<unknown>();
  const recorder = new FrameRecorder();
  recorder.onAck = (_path, _delayUs, ranges, _rangeCount, counts) => seen.add(ranges).add(counts);
  const decoder = new FrameDecoder();
  const bytes = fromHex("03 01 0a 00 00 02 01 00 00 03 01 0b 00 00 00 02 00 00");
  decoder.decode(bytes, 0, bytes.length, recorder);
  decoder.decode(bytes, 0, bytes.length, recorder);
  assert.equal(seen.size, 2);
});

test("an ACK holds up to the bound of ranges, and no more", () => {
  const ranges: number[] = [];
  for (let i = 0; i < ACK_FRAME_RANGES_MAX; i++) ranges.push(100_000 - 2 * i, 100_000 - 2 * i);
  const ack: Frame = { type: "ack", path: 1, delayUs: 0, ranges };
  assert.deepEqual(decodeFrames(encode([ack])).frames, [ack]);
  const head = fromHex("02 01 800186a0 00 4100 00");
  const tooMany = Uint8Array.of(...head, ...new Uint8Array(2 * ACK_FRAME_RANGES_MAX));
  assert.throws(() => decodeFrames(tooMany), isFrameEncoding);
});

test("what cannot be read closes the connection with frameEncoding", () => {
  const broken: Record<string, string> = {
    "an unknown type": "06",
    "a type that needs two bytes": "4001",
    "an ACK of the probing space": "02 00 0a 00 00 00",
    "an ACK of a path above 65535": "02 80010000 0a 00 00 00",
    "an ACK whose first range starts below 0": "02 01 05 00 00 06",
    "an ACK whose gap goes below 0": "02 01 05 00 01 00 04 00",
    "an ACK whose second range goes below 0": "02 01 05 00 01 00 02 02",
    "an ACK that ends in its ranges": "02 01 05 00 01 00 00",
    "an ACK whose ECN counts are cut": "03 01 05 00 00 00 01 00",
    "an ACK of an ECN count above 2^53 - 1": "03 01 05 00 00 00 01 00 c020000000000000",
    "a STREAM without an offset": "08 01",
    "a STREAM whose data reach past the packet": "0a 00 00 03 aabb",
    "a STREAM that ends above 2^53 - 1": "08 00 c01fffffffffffff aa",
    "a STREAM with an id above 2^53 - 1": "08 c020000000000000 00 aa",
    "a RESET_STREAM that is cut": "04 00 00",
    "a MAX_DATA that is cut": "10 80",
    "a PATH_CHALLENGE that is cut": "1a 00000000000000",
    "a PATH_STATUS of the probing space": "1c 00 00 00",
    "a PATH_STATUS of no known status": "1c 01 00 03",
    "an OBSERVED_ADDRESS of no known family": "1d 00 05 c0000201 125c",
    "an OBSERVED_ADDRESS with port 0": "1d 00 04 c0000201 0000",
    "a CANDIDATES that is cut": "20 00 02 aa",
    "a PUNCH of a length above 2^53 - 1": "21 00 ffffffffffffffff",
    "a DATAGRAM that is cut": "30 01",
    "a CLOSE that is cut": "3c 00 05 61",
  };
  for (const [name, text] of Object.entries(broken)) {
    assert.throws(() => decodeFrames(fromHex(text)), isFrameEncoding, name);
    assert.throws(() => decodeFrames(fromHex(`01 ${text}`)), isFrameEncoding, name);
  }
});

test("a type that is not in the table is refused, whatever follows it", () => {
  const known = new Set([...Object.values(frameType), 0x03, 0x09, 0x0a, 0x0b] as number[]);
  for (let type = 0; type < 256; type++) {
    if (!known.has(type))
      assert.throws(() => decodeFrames(Uint8Array.of(type, ...new Uint8Array(64))), isFrameEncoding);
  }
});

test("a STREAM may end at 2^53 - 1 exactly", () => {
  assert.equal(decodeFrames(fromHex("08 00 c01ffffffffffffe aa")).frames.length, 1);
});

test("what is no UTF-8 in a reason is replaced", () => {
  assert.deepEqual(decodeFrames(fromHex("3c 00 02 61ff")).frames, [{ type: "close", code: 0, reason: "a\ufffd" }]);
});

test("the probing space takes its four frames and refuses the others", () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 3 }), (frames) => {
      const bytes = Uint8Array.of(0, ...encode(frames), 0);
      const recorder = new FrameRecorder();
      const decode = () => new FrameDecoder().decodeProbing(bytes, 0, bytes.length, recorder);
      const firstForeign = frames.findIndex(({ type }) => !probingTypes.has(type));
      if (firstForeign < 0) decode();
      else assert.throws(decode, isFrameEncoding);
      assert.deepEqual(recorder.frames, firstForeign < 0 ? frames : frames.slice(0, firstForeign));
    }),
    { numRuns: 500 },
  );
  const cut = fromHex("1a 00");
  assert.throws(() => new FrameDecoder().decodeProbing(cut, 0, cut.length, new FrameRecorder()), isFrameEncoding);
});

test("an error of the visitor passes through, and the decoder works on", () => {
  const recorder = new FrameRecorder();
  const refusal = new ProtocolError(closeCode.flowControl, "too much");
  recorder.onMaxData = () => {
    throw refusal;
  };
  const decoder = new FrameDecoder();
  const bytes = fromHex("01 10 05 01");
  assert.throws(
    () => decoder.decode(bytes, 0, bytes.length, recorder),
    (error) => error === refusal,
  );
  decoder.decode(bytes, 3, 4, recorder);
  assert.deepEqual(recorder.frames, [{ type: "ping" }, { type: "ping" }]);
});

test("no bytes make the decoder throw anything but frameEncoding, or show what is not there", () => {
  const packet = fc.array(frame, { maxLength: 4 }).map(encode);
  const decoder = new FrameDecoder();
  fc.assert(
    fc.property(mutated(packet), fc.boolean(), (bytes, probing) => {
      const recorder = new FrameRecorder();
      recorder.onStream = (id, offset, _fin, data, start, end) => {
        assert(data === bytes && start <= end && end <= bytes.length);
        assert(Number.isSafeInteger(id) && Number.isSafeInteger(offset + end - start));
      };
      recorder.onAck = (path, _delayUs, ranges, rangeCount) => {
        assert(path >= 1 && path <= 65_535 && rangeCount >= 1 && rangeCount <= ACK_FRAME_RANGES_MAX);
        let below = Number.POSITIVE_INFINITY;
        for (let i = 0; i < 2 * rangeCount; i += 2) {
          const [largest, smallest] = ranges.subarray(i, i + 2) as unknown as [number, number];
          assert(largest < below - 1 && smallest <= largest && smallest >= 0);
          below = smallest;
        }
      };
      try {
        if (probing) decoder.decodeProbing(bytes, 0, bytes.length, recorder);
        else decoder.decode(bytes, 0, bytes.length, recorder);
      } catch (error) {
        assert(isFrameEncoding(error), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
