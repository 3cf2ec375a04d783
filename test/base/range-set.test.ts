// Ranges of whole numbers, against the plainest model there is: a set that holds each number by itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RangeSet } from "../../src/base/range-set.ts";

const TOP = 60;

type Step = { readonly insert: boolean; readonly start: number; readonly end: number } | "removeFirst" | "clear";

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .tuple(fc.boolean(), fc.integer({ min: 0, max: TOP }), fc.integer({ min: 0, max: 15 }))
      .map(([insert, start, length]) => ({ insert, start, end: start + length })),
  },
  { weight: 1, arbitrary: fc.constant<Step>("removeFirst") },
  { weight: 1, arbitrary: fc.constant<Step>("clear") },
);

function apply(set: RangeSet, model: Set<number>, next: Step): void {
  if (next === "clear") {
    set.clear();
    model.clear();
  } else if (next === "removeFirst") {
    if (set.isEmpty) return;
    const end = set.endAt(0);
    set.removeFirst();
    for (const n of [...model]) if (n < end) model.delete(n);
  } else if (next.insert) {
    const sizeBefore = model.size;
    for (let n = next.start; n < next.end; n++) model.add(n);
    assert.equal(set.insert(next.start, next.end), model.size > sizeBefore, "insert says whether the set grew");
  } else {
    for (let n = next.start; n < next.end; n++) model.delete(n);
    set.remove(next.start, next.end);
  }
}

function checkShape(set: RangeSet): void {
  for (let i = 0; i < set.rangeCount; i++) {
    assert.ok(set.startAt(i) < set.endAt(i), "a range is not empty");
    if (i > 0) assert.ok(set.endAt(i - 1) < set.startAt(i), "ranges are sorted and do not touch");
  }
}

test("a range set holds what was inserted and not removed, in as few ranges as possible", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const set = new RangeSet();
      const model = new Set<number>();
      for (const next of steps) {
        apply(set, model, next);
        checkShape(set);
        assert.equal(set.size, model.size);
        assert.equal(set.isEmpty, model.size === 0);
      }
      for (let n = 0; n <= TOP + 20; n++) assert.equal(set.contains(n), model.has(n), `contains ${n}`);
    }),
    { numRuns: 400 },
  );
});

test("the first missing and the first present number are what a scan would find", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 0, max: TOP + 20 }), (steps, from) => {
      const set = new RangeSet();
      const model = new Set<number>();
      for (const next of steps) apply(set, model, next);
      let missing = from;
      while (model.has(missing)) missing++;
      assert.equal(set.firstMissing(from), missing);
      const present = [...model].filter((n) => n >= from).sort((a, b) => a - b)[0] ?? Number.POSITIVE_INFINITY;
      assert.equal(set.firstPresent(from), present);
    }),
    { numRuns: 300 },
  );
});

test("numbers beyond 32 bits are kept exactly", () => {
  const set = new RangeSet();
  const far = 2 ** 48 - 10;
  set.insert(far, far + 5);
  set.insert(far + 5, far + 8);
  assert.equal(set.rangeCount, 1);
  assert.ok(set.contains(far + 7));
  assert.ok(!set.contains(far + 8));
});

test("removing nothing and inserting nothing change nothing", () => {
  const set = new RangeSet();
  set.insert(5, 5);
  set.remove(0, 100);
  assert.ok(set.isEmpty);
  set.insert(5, 9);
  set.remove(6, 6);
  assert.equal(set.rangeCount, 1);
  assert.equal(set.size, 4);
});
