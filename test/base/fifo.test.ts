// Queues, against an array and a Set, which keep the same order.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fifo, type Queueable, TurnQueue } from "../../src/base/fifo.ts";

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

test("what was put in comes out in the same order, but for what was taken out from between", () => {
  const step = fc.oneof(
    fc.constant("shift" as const),
    fc.nat(9),
    fc.nat(9).map((remove) => ({ remove })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const fifo = new Fifo<number>();
      let model: number[] = [];
      for (const step of steps) {
        if (step === "shift") {
          assert.equal(fifo.shift(), model.shift());
        } else if (typeof step === "number") {
          fifo.push(step);
          model.push(step);
        } else {
          fifo.remove(step.remove);
          model = model.filter((item) => item !== step.remove);
        }
        assert.equal(fifo.size, model.length);
        assert.equal(fifo.first, model[0]);
      }
    }),
  );
});
