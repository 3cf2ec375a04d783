// What waits for a stream: bounded, and the oldest packets go first, whole.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PacketQueue, QueueBudget } from "../../src/io/packet-queue.ts";

/** Packets of one size, each filled with its number; the last may be shorter. */
function batch(first: number, count: number, segmentBytes: number, lastBytes = segmentBytes): Uint8Array {
  const bytes = new Uint8Array((count - 1) * segmentBytes + lastBytes);
  for (let i = 0; i < count; i++) bytes.fill(first + i, i * segmentBytes, (i + 1) * segmentBytes);
  return bytes;
}

function drain(queue: PacketQueue): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let bytes = queue.shift(); bytes !== undefined; bytes = queue.shift()) all.push(bytes);
  return all;
}

test("what goes in comes out, in order", () => {
  const queue = new PacketQueue(new QueueBudget(), 10_000);
  queue.push(batch(1, 3, 100, 50), 100);
  queue.push(batch(4, 1, 200), 200);
  assert.deepEqual(drain(queue), [batch(1, 3, 100, 50), batch(4, 1, 200)]);
  assert.equal(queue.droppedPackets, 0);
});

test("without room whole packets go from the head, and no more of them than needed", () => {
  const queue = new PacketQueue(new QueueBudget(), 1_000);
  queue.push(batch(1, 5, 100), 100);
  queue.push(batch(6, 5, 100), 100);
  queue.push(batch(11, 2, 100, 30), 100);
  assert.equal(queue.droppedPackets, 2);
  assert.deepEqual(Buffer.concat(drain(queue)), Buffer.concat([batch(3, 8, 100), batch(11, 2, 100, 30)]));
});

test("what was handed out counts until the kernel has it", () => {
  const queue = new PacketQueue(new QueueBudget(), 1_000);
  queue.push(batch(1, 1, 900), 900);
  const out = queue.shift();
  queue.push(batch(2, 1, 200), 200);
  assert.equal(queue.droppedPackets, 1);
  queue.release(out?.length ?? 0);
  queue.push(batch(3, 1, 200), 200);
  assert.deepEqual(drain(queue), [batch(3, 1, 200)]);
});

test("a batch that is larger than the bound is dropped and leaves nothing behind", () => {
  const budget = new QueueBudget();
  const queue = new PacketQueue(budget, 1_000);
  queue.push(batch(1, 11, 100), 100);
  assert.equal(queue.droppedPackets, 11);
  assert.ok(queue.isEmpty);
  assert.equal(budget.usedBytes, 0);
});

test("all queues together keep their bound, and one that is gone gives all of it back", () => {
  const budget = new QueueBudget(10_000);
  const queues = Array.from({ length: 8 }, () => new PacketQueue(budget, 6_000));
  for (let round = 0; round < 100; round++) for (const queue of queues) queue.push(batch(round, 3, 100), 100);
  assert.ok(budget.usedBytes <= 10_000 && budget.usedBytes > 5_000, `${budget.usedBytes}`);
  assert.ok(
    queues.every((queue) => queue.heldBytes > 0),
    "nobody is left without",
  );
  for (const queue of queues) queue.clear();
  assert.equal(budget.usedBytes, 0);
});

test("whatever happens, the books agree and the bound holds", () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 5 }), segmentBytes: fc.integer({ min: 1, max: 400 }) }),
    fc.constant("shift" as const),
    fc.constant("release" as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const budget = new QueueBudget(3_000);
      const queue = new PacketQueue(budget, 2_000);
      const out: number[] = [];
      let pushed = 0;
      let taken = 0;
      for (const action of steps) {
        if (action === "shift") {
          const bytes = queue.shift();
          if (bytes !== undefined) out.push(bytes.length);
          taken += bytes?.length ?? 0;
        } else if (action === "release") {
          const bytes = out.shift();
          if (bytes !== undefined) queue.release(bytes);
        } else {
          pushed += action.push * action.segmentBytes;
          queue.push(batch(0, action.push, action.segmentBytes), action.segmentBytes);
        }
        assert.ok(queue.heldBytes <= 2_000);
        assert.equal(budget.usedBytes, queue.heldBytes);
      }
      const outBytes = out.reduce((sum, bytes) => sum + bytes, 0);
      const left = Buffer.concat(drain(queue)).length;
      assert.equal(queue.heldBytes, outBytes + left);
      assert.ok(taken + left <= pushed);
    }),
  );
});
