// The send buffer, against a model that keeps the state of every byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SEND_BLOCK_BYTES, SEND_BLOCK_BYTES_MIN } from "../../src/base/limits.ts";
import { RangeSet } from "../../src/base/range-set.ts";
import { BlockPool } from "../../src/transport/block-pool.ts";
import { SendBuffer } from "../../src/transport/send-buffer.ts";

const byteAt = (offset: number): number => (offset * 7 + (offset >> 8)) & 0xff;

function bytesFrom(start: number, lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => byteAt(start + i));
}

const unsent = 0;
const flying = 1;
const lost = 2;
const acked = 3;

type Step =
  | { readonly kind: "write"; readonly bytes: number }
  | { readonly kind: "send"; readonly bytes: number }
  | { readonly kind: "ack"; readonly pick: number }
  | { readonly kind: "lose"; readonly pick: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("write" as const), bytes: fc.integer({ min: 0, max: 40 }) }),
  fc.record({ kind: fc.constant("send" as const), bytes: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant("send" as const), bytes: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constant("ack" as const), pick: fc.nat(1000) }),
  fc.record({ kind: fc.constant("lose" as const), pick: fc.nat(1000) }),
);

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** Sends what the buffer offers, as the packet builder does: lost bytes first. */
function sendFrom(buffer: SendBuffer, bytesMax: number): Range | undefined {
  const again = buffer.hasLost;
  const offset = again ? buffer.lostStart : buffer.sentOffset;
  const length = again ? buffer.lostLength(bytesMax) : Math.min(bytesMax, buffer.endOffset - offset);
  if (length === 0) return undefined;
  const target = new Uint8Array(length + 2);
  buffer.copy(offset, length, target, 1);
  assert.deepEqual(target.subarray(1, 1 + length), bytesFrom(offset, length));
  assert.equal(target[0] || target[length + 1], 0, "nothing is written beside the range");
  buffer.onSent(offset, length);
  return { offset, length };
}

/** Every block that the pool hands out from now on. */
function blocksOf(pool: BlockPool): Set<Uint8Array> {
  const blocks = new Set<Uint8Array>();
  const take = pool.take.bind(pool);
  pool.take = (bytes) => {
    const block = take(bytes);
    blocks.add(block);
    return block;
  };
  return blocks;
}

test("every byte is sent until it is acknowledged, lost ones first, and held no longer", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const buffer = new SendBuffer();
      const model: number[] = [];
      const sent: Range[] = [];
      for (const next of steps) {
        if (next.kind === "write") {
          buffer.write(bytesFrom(model.length, next.bytes));
          for (let i = 0; i < next.bytes; i++) model.push(unsent);
        } else if (next.kind === "send") {
          const range = sendFrom(buffer, next.bytes);
          if (range === undefined) continue;
          sent.push(range);
          for (let i = 0; i < range.length; i++) {
            const at = range.offset + i;
            assert.notEqual(model[at], acked, "an acknowledged byte is not sent again");
            model[at] = flying;
          }
        } else if (sent.length > 0) {
          // The same range may be acknowledged and lost, in any order and several times, as copies of it are.
          const range = sent[next.pick % sent.length] as Range;
          if (next.kind === "ack") {
            buffer.onAcked(range.offset, range.length);
            for (let i = 0; i < range.length; i++) model[range.offset + i] = acked;
          } else {
            buffer.onLost(range.offset, range.length);
            for (let i = 0; i < range.length; i++) {
              if (model[range.offset + i] !== acked) model[range.offset + i] = lost;
            }
          }
        }
        const firstHeld = model.findIndex((state) => state !== acked);
        assert.equal(buffer.heldBytes, firstHeld < 0 ? 0 : model.length - firstHeld);
        assert.equal(buffer.isAllAcked, firstHeld < 0);
        assert.equal(buffer.endOffset, model.length);
        assert.equal(buffer.hasLost, model.includes(lost));
        if (buffer.hasLost) assert.equal(buffer.lostStart, model.indexOf(lost));
        const firstUnsent = model.indexOf(unsent);
        assert.equal(buffer.sentOffset, firstUnsent < 0 ? model.length : firstUnsent);
      }
    }),
    { numRuns: 400 },
  );
});

test("thousands of tiny chunks are joined and let go", () => {
  const buffer = new SendBuffer();
  for (let i = 0; i < 10_000; i++) buffer.write(bytesFrom(i, 1));
  let at = 0;
  while (at < 10_000) {
    const range = sendFrom(buffer, 1100) ?? assert.fail();
    buffer.onAcked(range.offset, range.length);
    at += range.length;
  }
  assert.equal(buffer.heldBytes, 0);
});

test("what is written is copied, in whatever pieces it comes", () => {
  const buffer = new SendBuffer();
  const chunk = new Uint8Array(100_000);
  let at = 0;
  for (const bytes of [1, 700, 5_000, 100_000, 65_535, 3, 100_000]) {
    chunk.set(bytesFrom(at, bytes));
    buffer.write(chunk.subarray(0, bytes));
    at += bytes;
  }
  chunk.fill(0);
  while (sendFrom(buffer, 1_440) !== undefined);
  assert.equal(buffer.sentOffset, at);
});

test("blocks are used again when all in them is acknowledged or reset, and hold nothing of another stream", () => {
  const pool = new BlockPool(SEND_BLOCK_BYTES, 2);
  const fresh = blocksOf(pool);
  const chunk = new Uint8Array(SEND_BLOCK_BYTES);
  for (let round = 0; round < 6; round++) {
    const buffer = new SendBuffer(pool);
    for (let i = 0; i < 2; i++) buffer.write(chunk.fill(16 * round + i));
    const target = new Uint8Array(2 * SEND_BLOCK_BYTES);
    buffer.copy(0, target.length, target, 0);
    buffer.onSent(0, target.length);
    assert.ok(target.every((byte, i) => byte === 16 * round + Math.floor(i / SEND_BLOCK_BYTES)));
    if (round % 2 === 0) buffer.onAcked(0, target.length);
    else buffer.clear();
  }
  assert.equal(fresh.size, 2);
});

test("a stream that holds little takes a small block, and the same one for each keystroke", () => {
  const pool = new BlockPool(SEND_BLOCK_BYTES, 2);
  const small = new BlockPool(SEND_BLOCK_BYTES_MIN, 2);
  const blocks = blocksOf(small);
  const buffer = new SendBuffer(pool, small);
  for (let i = 0; i < 10; i++) buffer.write(bytesFrom(i * 100, 100));
  buffer.onSent(0, 1000);
  buffer.onAcked(0, 1000);
  for (let i = 0; i < 10; i++) {
    const at = 1000 + i;
    buffer.write(bytesFrom(at, 1));
    const target = new Uint8Array(1);
    buffer.copy(at, 1, target, 0);
    assert.deepEqual(target, bytesFrom(at, 1));
    buffer.onSent(at, 1);
    buffer.onAcked(at, 1);
  }
  assert.deepEqual(
    [...blocks].map((block) => block.length),
    [SEND_BLOCK_BYTES_MIN],
  );
});

test("a reset lets all bytes go and keeps the final size", () => {
  const buffer = new SendBuffer();
  buffer.write(bytesFrom(0, 100));
  sendFrom(buffer, 60);
  buffer.onLost(0, 10);
  buffer.clear();
  assert.equal(buffer.heldBytes, 0);
  assert.equal(buffer.hasLost, false);
  assert.equal(buffer.sentOffset, 60);
});

test("a loss among thousands of acknowledged ranges looks at a few of them, not at all", (t) => {
  const buffer = new SendBuffer();
  const count = 4_000;
  buffer.write(new Uint8Array(count));
  for (let i = 0; i < count; i++) buffer.onSent(i, 1);
  for (let i = 1; i < count; i += 2) buffer.onAcked(i, 1);
  const looks = t.mock.method(RangeSet.prototype, "startAt");
  for (let i = 0; i < count; i += 2) buffer.onLost(i, 1);
  assert.equal(buffer.lostStart, 0);
  assert.ok(looks.mock.callCount() < count * 20, `${looks.mock.callCount()} looks for ${count / 2} losses`);
});
