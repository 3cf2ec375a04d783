// Turns, against a Set, which keeps the same order.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Queueable, TurnQueue } from "../../src/base/turn-queue.ts";

test("everybody stands in line once, and has a turn in the order of coming", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(20)), { maxLength: 200 }), (steps) => {
      const items = Array.from({ length: 21 }, (): Queueable => ({ inQueue: false }));
      const queue = new TurnQueue<Queueable>();
      const model = new Set<Queueable>();
      for (const step of steps) {
        const [first] = model;
        if (step === null) {
          queue.removeFirst();
          if (first !== undefined) model.delete(first);
        } else {
          const item = items[step] as Queueable;
          queue.add(item);
          model.add(item);
        }
        assert.equal(queue.size, model.size);
        assert.equal(queue.first, [...model][0]);
        for (const item of items) assert.equal(item.inQueue, model.has(item));
      }
    }),
  );
});
