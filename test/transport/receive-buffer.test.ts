// The receive buffer, against the plainest model: an array of bytes that have or have not come.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  FREE_BLOCKS_MAX,
  LENT_BLOCKS_MAX,
  RECEIVE_BLOCK_BYTES,
  SPARE_BLOCKS_MAX,
  STREAM_WINDOW_BYTES_MAX,
} from "../../src/base/limits.ts";
import { closeCode, ProtocolError } from "../../src/base/protocol-error.ts";
import { BlockPool } from "../../src/transport/block-pool.ts";
import { ReceiveBuffer, SpareBlocks } from "../../src/transport/receive-buffer.ts";

const byteAt = (offset: number): number => (offset * 13 + (offset >> 8) * 5 + 1) & 0xff;

function bytesFrom(start: number, lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => byteAt(start + i));
}

function insert(buffer: ReceiveBuffer, offset: number, lengthBytes: number): void {
  // In the middle of a larger array, as inside a datagram that is overwritten afterwards.
  const datagram = new Uint8Array(lengthBytes + 7);
  datagram.set(bytesFrom(offset, lengthBytes), 3);
  buffer.insert(offset, datagram, 3, 3 + lengthBytes);
  datagram.fill(0xdb);
}

type Step =
  | { readonly kind: "insert"; readonly offset: number; readonly length: number }
  | { readonly kind: "read"; readonly times: number };

const TOP = RECEIVE_BLOCK_BYTES * 4;

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("insert" as const),
      offset: fc.oneof(
        fc.integer({ min: 0, max: TOP }),
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: RECEIVE_BLOCK_BYTES - 300, max: RECEIVE_BLOCK_BYTES + 300 }),
      ),
      length: fc.oneof(fc.integer({ min: 0, max: 1200 }), fc.integer({ min: 0, max: 2 * RECEIVE_BLOCK_BYTES })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("read" as const), times: fc.integer({ min: 1, max: 5 }) }) },
);

test("bytes come out in order, each once, whatever order, overlap and repetition they came in", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const buffer = new ReceiveBuffer();
      const came = new Uint8Array(TOP * 2);
      let readEnd = 0;
      let highest = 0;
      const views: { readonly start: number; readonly view: Uint8Array }[] = [];
      for (const next of steps) {
        if (next.kind === "insert") {
          insert(buffer, next.offset, next.length);
          came.fill(1, next.offset, next.offset + next.length);
          if (next.length > 0) highest = Math.max(highest, next.offset + next.length);
        } else {
          for (let i = 0; i < next.times; i++) {
            const view = buffer.read();
            assert.equal(view !== undefined, came[readEnd] === 1, `readable at ${readEnd}`);
            if (view === undefined) break;
            assert.ok(view.length > 0);
            assert.deepEqual(view, bytesFrom(readEnd, view.length));
            for (let at = readEnd; at < readEnd + view.length; at++) assert.equal(came[at], 1, `${at} had not come`);
            views.push({ start: readEnd, view });
            readEnd += view.length;
          }
        }
        assert.equal(buffer.readOffset, readEnd);
        assert.ok(buffer.highestOffset >= highest);
        assert.equal(buffer.hasReadable, came[readEnd] === 1);
      }
      // A view that was not given back is the reader's for good: nothing that came later was written over it.
      for (const { start, view } of views) assert.deepEqual(view, bytesFrom(start, view.length));
    }),
    { numRuns: 200 },
  );
});

test("what came in order is read in long runs", () => {
  const buffer = new ReceiveBuffer();
  for (let at = 0; at < 3 * RECEIVE_BLOCK_BYTES; at += 1024) insert(buffer, at, 1024);
  const lengths: number[] = [];
  for (let view = buffer.read(); view !== undefined; view = buffer.read()) lengths.push(view.length);
  assert.ok(lengths.length <= 3 + 5, `${lengths}`);
});

test("a peer that sends every other byte is stopped before the ranges cost more than the bytes", () => {
  const buffer = new ReceiveBuffer();
  const window = 1024 * 1024;
  assert.throws(
    () => {
      for (let at = window; at > 0; at -= 2) insert(buffer, at, 1);
    },
    (error) => error instanceof ProtocolError && error.code === closeCode.violation,
  );
});

test("full packets of which every other one is lost are taken, as many as the largest window holds", () => {
  const buffer = new ReceiveBuffer();
  for (let at = 1168; at < STREAM_WINDOW_BYTES_MAX; at += 2 * 1168) insert(buffer, at, 1168);
  for (let at = 0; at < STREAM_WINDOW_BYTES_MAX; at += 2 * 1168) insert(buffer, at, 1168);
  let bytes = 0;
  for (let view = buffer.read(); view !== undefined; view = buffer.read()) bytes += view.length;
  assert.ok(bytes >= STREAM_WINDOW_BYTES_MAX - 1168);
});

test("streams that have been read to the end keep a block only while they are among the last to be read", () => {
  const spare = new SpareBlocks();
  const buffers = Array.from({ length: 1000 }, () => new ReceiveBuffer(spare));
  for (const buffer of buffers) {
    insert(buffer, 0, 100);
    buffer.read();
  }
  const held = buffers.reduce((sum, buffer) => sum + (buffer.memoryBytes > 0 ? 1 : 0), 0);
  assert.ok(held <= SPARE_BLOCKS_MAX, `${held} blocks for streams that hold nothing`);
  // They go on where they were.
  for (const buffer of buffers) {
    insert(buffer, 100, 50);
    assert.deepEqual(buffer.read(), bytesFrom(100, 50));
    assert.equal(buffer.read(), undefined);
  }
});

test("a stream that is read packet by packet uses one block for many packets", () => {
  const buffer = new ReceiveBuffer();
  const memory = new Set<ArrayBufferLike>();
  for (let at = 0; at < 4 * RECEIVE_BLOCK_BYTES; at += 1024) {
    insert(buffer, at, 1024);
    memory.add((buffer.read() as Uint8Array).buffer);
  }
  assert.equal(memory.size, 5 + 3);
});

test("a short stream takes a kilobyte, and a long one no more than its bytes and a block", () => {
  const short = new ReceiveBuffer();
  insert(short, 0, 300);
  assert.equal(short.memoryBytes, 1024);
  const long = new ReceiveBuffer();
  for (let at = 0; at < 1_000_000; at += 1000) insert(long, at, 1000);
  assert.ok(long.memoryBytes <= 1_000_000 + RECEIVE_BLOCK_BYTES);
});

test("unread bytes are never dropped to spare memory", () => {
  const spare = new SpareBlocks();
  const buffers = Array.from({ length: 500 }, () => new ReceiveBuffer(spare));
  for (const buffer of buffers) {
    insert(buffer, 0, 100);
    buffer.read();
    insert(buffer, 100, 10);
    insert(buffer, 200, 10);
  }
  for (const buffer of buffers) {
    assert.deepEqual(buffer.read(), bytesFrom(100, 10));
    insert(buffer, 110, 90);
    assert.deepEqual(buffer.read(), bytesFrom(110, 100));
  }
});

/** Takes in and reads the stream from `from` to `to`. @returns the memory that it lay in. */
function passThrough(buffer: ReceiveBuffer, from: number, to: number): Set<ArrayBufferLike> {
  const memory = new Set<ArrayBufferLike>();
  for (let at = from; at < to; at += 1024) {
    insert(buffer, at, 1024);
    const view = buffer.read() as Uint8Array;
    assert.deepEqual(view, bytesFrom(at, 1024));
    memory.add(view.buffer);
  }
  return memory;
}

test("a reader that gives back what it has read has a whole stream pass through the same memory", () => {
  const buffer = new ReceiveBuffer(undefined, new BlockPool());
  passThrough(buffer, 0, RECEIVE_BLOCK_BYTES);
  const memory = new Set<ArrayBufferLike>();
  for (let at = RECEIVE_BLOCK_BYTES; at < 50 * RECEIVE_BLOCK_BYTES; at += 2 * RECEIVE_BLOCK_BYTES) {
    for (const block of passThrough(buffer, at, at + 2 * RECEIVE_BLOCK_BYTES)) memory.add(block);
    buffer.release();
  }
  assert.equal(memory.size, 2);
});

test("what one stream gave back serves another, and what was not given back is not touched", () => {
  const pool = new BlockPool();
  const [first, second, third] = [0, 1, 2].map(() => new ReceiveBuffer(undefined, pool)) as [
    ReceiveBuffer,
    ReceiveBuffer,
    ReceiveBuffer,
  ];
  const released = passThrough(first, 0, 4 * RECEIVE_BLOCK_BYTES);
  first.release();
  const kept = passThrough(second, 0, 4 * RECEIVE_BLOCK_BYTES);
  assert.equal([...kept].filter((memory) => released.has(memory)).length, 3);
  first.release();
  const others = passThrough(third, 0, 4 * RECEIVE_BLOCK_BYTES);
  assert.ok([...others].every((memory) => !kept.has(memory) && !released.has(memory)));
});

test("many streams that take turns pass through little memory, as long as their readers give it back", () => {
  for (const gives of [true, false]) {
    const pool = new BlockPool();
    const spare = new SpareBlocks();
    const buffers = Array.from({ length: 3 * SPARE_BLOCKS_MAX }, () => new ReceiveBuffer(spare, pool));
    const memory = new Set<ArrayBufferLike>();
    for (let at = 0; at < 4 * RECEIVE_BLOCK_BYTES; at += 4096) {
      for (const buffer of buffers) {
        insert(buffer, at, 4096);
        let end = at;
        for (let view = buffer.read(); view !== undefined; view = buffer.read()) {
          assert.deepEqual(view, bytesFrom(end, view.length));
          end += view.length;
          if (view.buffer.byteLength === RECEIVE_BLOCK_BYTES) memory.add(view.buffer);
        }
        assert.equal(end, at + 4096);
        if (gives) buffer.release();
      }
    }
    if (gives) assert.ok(memory.size <= SPARE_BLOCKS_MAX + 4, `${memory.size} blocks`);
    // Whoever may still look at what was read has it for good.
    else assert.ok(memory.size >= 2 * buffers.length, `${memory.size} blocks`);
  }
});

test("a block that still holds unread bytes, or place for more, is not given back", () => {
  const buffer = new ReceiveBuffer(undefined, new BlockPool());
  insert(buffer, 0, 2 * RECEIVE_BLOCK_BYTES - 100);
  const views: Uint8Array[] = [];
  for (let view = buffer.read(); view !== undefined; view = buffer.read()) views.push(view);
  buffer.release();
  insert(buffer, 2 * RECEIVE_BLOCK_BYTES, RECEIVE_BLOCK_BYTES);
  assert.deepEqual(views.at(-1), bytesFrom(RECEIVE_BLOCK_BYTES, RECEIVE_BLOCK_BYTES - 100));
  insert(buffer, 2 * RECEIVE_BLOCK_BYTES - 100, 100);
  assert.deepEqual(buffer.read(), bytesFrom(2 * RECEIVE_BLOCK_BYTES - 100, 100));
  assert.deepEqual(buffer.read(), bytesFrom(2 * RECEIVE_BLOCK_BYTES, RECEIVE_BLOCK_BYTES));
});

test("a reader that never gives anything back has the memory for good, and it is not remembered without bound", () => {
  const pool = new BlockPool();
  const buffer = new ReceiveBuffer(undefined, pool);
  const memory = passThrough(buffer, 0, (2 * LENT_BLOCKS_MAX + 1) * RECEIVE_BLOCK_BYTES);
  assert.equal(memory.size, 2 * LENT_BLOCKS_MAX + 5);
  buffer.release();
  const recycled = new Set(Array.from({ length: 2 * LENT_BLOCKS_MAX }, () => pool.take(RECEIVE_BLOCK_BYTES).buffer));
  assert.equal([...recycled].filter((block) => memory.has(block)).length, LENT_BLOCKS_MAX);
});

test("the pool keeps no more than its bound, and hands out nothing of another size", () => {
  const pool = new BlockPool();
  for (let i = 0; i < 2 * FREE_BLOCKS_MAX; i++) pool.give(new Uint8Array(RECEIVE_BLOCK_BYTES).fill(1));
  assert.deepEqual(pool.take(1024), new Uint8Array(1024));
  let recycled = 0;
  for (let i = 0; i < 2 * FREE_BLOCKS_MAX; i++) recycled += pool.take(RECEIVE_BLOCK_BYTES)[0] as number;
  assert.equal(recycled, FREE_BLOCKS_MAX);
});

test("a half-used block that the idlest stream has to give up goes to others only if its reader is done with it", () => {
  for (const isDone of [false, true]) {
    const pool = new BlockPool();
    const spare = new SpareBlocks();
    const bytes = new Uint8Array(RECEIVE_BLOCK_BYTES + 100).fill(7);
    const first = new ReceiveBuffer(spare, pool);
    first.insert(0, bytes, 0, bytes.length);
    let last = first.read();
    for (let view = last; view !== undefined; view = first.read()) last = view;
    if (isDone) first.release();
    for (let i = 0; i < SPARE_BLOCKS_MAX; i++) {
      const other = new ReceiveBuffer(spare, pool);
      other.insert(0, bytes, 0, 1);
      other.read();
    }
    assert.equal(first.memoryBytes, 0, "it gave its block up");
    pool.take(RECEIVE_BLOCK_BYTES).fill(9);
    assert.equal(last?.[0], isDone ? 9 : 7);
  }
});
