// Deadlines of many entries, against a list that is searched from end to end.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type DeadlineEntry, DeadlineHeap } from "../../src/base/deadline-heap.ts";

interface Entry extends DeadlineEntry {
  readonly name: number;
}

const entryOf = (name: number): Entry => ({ name, heapIndex: -1, heapDeadlineMs: Number.POSITIVE_INFINITY });

test("an empty heap waits for nothing", () => {
  const heap = new DeadlineHeap<Entry>();
  assert.equal(heap.earliestMs, Number.POSITIVE_INFINITY);
  assert.equal(heap.first, undefined);
  heap.delete(entryOf(1));
});

test("the first entry is the one with the earliest deadline, however deadlines move and entries leave", () => {
  const steps = fc.array(
    fc.tuple(
      fc.integer({ min: 0, max: 19 }),
      fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: 0, max: 50 }) },
        { weight: 1, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
        { weight: 1, arbitrary: fc.constant("delete" as const) },
      ),
    ),
    { maxLength: 120 },
  );
  fc.assert(
    fc.property(steps, (moves) => {
      const heap = new DeadlineHeap<Entry>();
      const entries = Array.from({ length: 20 }, (_, i) => entryOf(i));
      const model = new Map<number, number>();
      for (const [i, to] of moves) {
        const entry = entries[i] as Entry;
        if (to === "delete") heap.delete(entry);
        else heap.set(entry, to);
        if (to === "delete" || to === Number.POSITIVE_INFINITY) model.delete(i);
        else model.set(i, to);
        assert.equal(heap.earliestMs, Math.min(Number.POSITIVE_INFINITY, ...model.values()));
        if (model.size > 0) assert.equal(model.get((heap.first as Entry).name), heap.earliestMs);
      }
      // Emptied from the top, the entries come in the order of their deadlines, each once.
      const order: number[] = [];
      for (let entry = heap.first; entry !== undefined; entry = heap.first) {
        order.push(entry.heapDeadlineMs);
        model.delete(entry.name);
        heap.delete(entry);
        assert.equal(entry.heapIndex, -1);
      }
      assert.deepEqual(
        order,
        [...order].sort((a, b) => a - b),
      );
      assert.equal(model.size, 0);
    }),
    { numRuns: 400 },
  );
});

test("an entry that was taken out can be put in again with the same deadline", () => {
  const heap = new DeadlineHeap<Entry>();
  const entry = entryOf(1);
  heap.set(entry, 5);
  heap.delete(entry);
  heap.set(entry, 5);
  assert.equal(heap.first, entry);
  heap.delete(entry);
  heap.delete(entry);
  assert.equal(heap.first, undefined);
});
