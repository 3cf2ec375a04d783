// Deadlines in a table: when a timer is due, and which comes first.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TimerTable } from "../../src/base/timer-table.ts";

test("a new table waits for nothing", () => {
  const timers = new TimerTable(3);
  assert.equal(timers.earliest(), Number.POSITIVE_INFINITY);
  assert.equal(timers.isSet(0), false);
  assert.equal(timers.takeDue(0, Number.MAX_VALUE), false);
});

test("a timer is due at its deadline, once, and not before", () => {
  const timers = new TimerTable(1);
  timers.set(0, 10.5);
  assert.equal(timers.at(0), 10.5);
  assert.equal(timers.takeDue(0, 10.4), false);
  assert.equal(timers.isSet(0), true);
  assert.equal(timers.takeDue(0, 10.5), true);
  assert.equal(timers.isSet(0), false);
  assert.equal(timers.takeDue(0, 11), false);
});

test("setting a timer again moves it, and clearing it forgets it", () => {
  const timers = new TimerTable(2);
  timers.set(0, 5);
  timers.set(1, 7);
  timers.set(0, 9);
  assert.equal(timers.earliest(), 7);
  timers.clear(1);
  assert.equal(timers.earliest(), 9);
});

test("earliest is the least of the deadlines that are set", () => {
  const rows = fc.array(fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: undefined }), { minLength: 1 });
  fc.assert(
    fc.property(rows, (deadlines) => {
      const timers = new TimerTable(deadlines.length);
      for (const [row, deadline] of deadlines.entries()) if (deadline !== undefined) timers.set(row, deadline);
      const set = deadlines.filter((deadline) => deadline !== undefined);
      assert.equal(timers.earliest(), Math.min(...set));
      for (const [row, deadline] of deadlines.entries()) assert.equal(timers.isSet(row), deadline !== undefined);
    }),
  );
});
