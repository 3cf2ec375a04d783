// The account of what all streams hold for sending: when it is full, and how much a writer should bring.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CONNECTION_WINDOW_BYTES,
  CONNECTION_WINDOW_BYTES_LEAST,
  SEND_HELD_BYTES_MAX,
  WRITE_CHUNK_BYTES,
  WRITE_CHUNK_BYTES_MIN,
} from "../../src/base/limits.ts";
import { BufferMemory, MemoryShare } from "../../src/transport/buffer-memory.ts";
import { SendMemory } from "../../src/transport/send-memory.ts";

const MIB = 1024 * 1024;
const sendMemory = (memory: BufferMemory): SendMemory =>
  new SendMemory(new MemoryShare(memory, CONNECTION_WINDOW_BYTES));
const memoryOf = (bytes: number): SendMemory => sendMemory(new BufferMemory(bytes));

test("it is full with what the connection has from the start and half of the memory, and never with more than one peer may hold", () => {
  for (const [bytes, boundBytes] of [
    [0, CONNECTION_WINDOW_BYTES_LEAST],
    [4 * MIB, CONNECTION_WINDOW_BYTES + 2 * MIB],
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
  assert.equal(memory.chunkBytes(64, 0), 32_768, "an even part is 48 KiB");
  assert.equal(memory.chunkBytes(100_000, 0), WRITE_CHUNK_BYTES_MIN);
  assert.equal(memory.chunkBytes(1, 50_000), 100_000, "in whole batches where there is memory for two");
  assert.equal(memory.chunkBytes(1, 200_000), WRITE_CHUNK_BYTES);
  memory.change(3 * MIB - 50_000);
  assert.equal(memory.chunkBytes(1, 0), 32_768);
  assert.equal(memory.chunkBytes(1, 40_000), 32_768);
  memory.change(2 * MIB);
  assert.equal(
    memory.chunkBytes(1, 0),
    WRITE_CHUNK_BYTES_MIN,
    "it may be overfull, and whoever holds nothing still writes",
  );
});

test("what a connection holds beyond what it has from the start is taken from the others, until it is acknowledged or the connection ends", () => {
  const memory = new BufferMemory(10 * MIB);
  const first = sendMemory(memory);
  const secondShare = new MemoryShare(memory, CONNECTION_WINDOW_BYTES);
  const second = new SendMemory(secondShare);
  const isFullAt = (bytes: number): boolean => {
    first.change(bytes - first.heldBytes);
    return first.isFull;
  };
  second.change(CONNECTION_WINDOW_BYTES);
  assert.equal(isFullAt(6 * MIB - 1), false);
  second.change(3 * MIB);
  assert.equal(isFullAt(CONNECTION_WINDOW_BYTES + 3.5 * MIB - 1), false);
  assert.equal(isFullAt(CONNECTION_WINDOW_BYTES + 3.5 * MIB), true);
  second.change(-3 * MIB);
  assert.equal(isFullAt(6 * MIB - 1), false);
  second.change(3 * MIB);
  secondShare.release();
  assert.equal(isFullAt(6 * MIB - 1), false);
});
