// The account of what all streams hold for sending: when it is full, and how much a writer should bring.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CONNECTION_WINDOW_BYTES,
  SEND_HELD_BYTES_MAX,
  WRITE_CHUNK_BYTES,
  WRITE_CHUNK_BYTES_MIN,
} from "../../src/base/limits.ts";
import { BufferMemory, MemoryShare } from "../../src/transport/buffer-memory.ts";
import { SendMemory } from "../../src/transport/send-memory.ts";

const MIB = 1024 * 1024;
const memoryOf = (bytes: number): SendMemory => new SendMemory(new MemoryShare(new BufferMemory(bytes)));

test("it is full at the connection's share, which is never less than the first window and never more than what one peer may hold", () => {
  for (const [bytes, boundBytes] of [
    [0, CONNECTION_WINDOW_BYTES],
    [4 * MIB, 4 * MIB],
    [4_000 * MIB, SEND_HELD_BYTES_MAX],
  ] as const) {
    const memory = memoryOf(bytes);
    memory.change(boundBytes - 1);
    assert.equal(memory.isFull, false);
    memory.change(1);
    assert.equal(memory.isFull, true);
  }
});

test("a few streams are written to in large chunks as long as these fit, many in small ones", () => {
  const memory = memoryOf(4 * MIB);
  assert.equal(memory.chunkBytes(1, 0), WRITE_CHUNK_BYTES);
  assert.equal(memory.chunkBytes(64, 0), (4 * MIB) / 64);
  assert.equal(memory.chunkBytes(100_000, 0), WRITE_CHUNK_BYTES_MIN);
  assert.equal(memory.chunkBytes(1, 50_000), 100_000, "in whole batches where there is memory for two");
  assert.equal(memory.chunkBytes(1, 200_000), WRITE_CHUNK_BYTES);
  memory.change(4 * MIB - 50_000);
  assert.equal(memory.chunkBytes(1, 0), 32_768);
  assert.equal(memory.chunkBytes(1, 40_000), 32_768);
  memory.change(2 * MIB);
  assert.equal(
    memory.chunkBytes(1, 0),
    WRITE_CHUNK_BYTES_MIN,
    "it may be overfull, and whoever holds nothing still writes",
  );
});

test("what a connection holds beyond its first window counts when others ask for their share", () => {
  const memory = new BufferMemory(10 * MIB);
  const [first, second] = [new SendMemory(new MemoryShare(memory)), new SendMemory(new MemoryShare(memory))];
  first.change(CONNECTION_WINDOW_BYTES);
  assert.equal(memory.shareBytes, 10 * MIB);
  first.change(1);
  second.change(2 * MIB);
  assert.equal(memory.shareBytes, 5 * MIB);
});
