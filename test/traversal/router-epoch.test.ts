// When an answer's epoch shows that the router has forgotten what it knew.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RouterEpoch } from "../../src/traversal/router-epoch.ts";

/** @param answers when each came, in seconds here, and its epoch. @returns what the last one shows. */
function lastIsReset(...answers: readonly (readonly [number, number])[]): boolean | undefined {
  const epoch = new RouterEpoch();
  return answers.map(([seconds, epochSeconds]) => epoch.isReset(seconds * 1000, epochSeconds)).at(-1);
}

test("the first answer shows nothing", () => {
  assert.equal(lastIsReset([100, 0]), false);
});

test("a clock that goes as ours does is one that remembers", () => {
  assert.equal(lastIsReset([100, 5000], [700, 5600]), false);
});

test("a sixteenth of drift and two seconds of rounding are allowed in both directions, and no more", () => {
  assert.equal(lastIsReset([0, 0], [1600, 1498]), false);
  assert.equal(lastIsReset([0, 0], [1600, 1497]), true);
  assert.equal(lastIsReset([0, 0], [1498, 1600]), false);
  assert.equal(lastIsReset([0, 0], [1497, 1600]), true);
});

test("answers that overtake each other by a second show nothing, a longer way back does", () => {
  assert.equal(lastIsReset([100, 5000], [100, 4999]), false);
  assert.equal(lastIsReset([100, 5000], [100, 4998]), true);
});

test("a reset is seen once", () => {
  assert.equal(lastIsReset([0, 5000], [600, 3], [700, 103]), false);
});
