// The codes with which forwarded streams are reset, as SPEC.md lists them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { describeStreamCode, streamCode } from "../../src/wire/stream-code.ts";

test("the codes of forwarded streams have the numbers that the specification lists", () => {
  assert.deepEqual(Object.values(streamCode), [0, 1, 2, 3, 4, 5, 6]);
});

test("every code is described in its own words, an unknown one by its number", () => {
  const words = new Set(Object.values(streamCode).map(describeStreamCode));
  assert.equal(words.size, Object.values(streamCode).length);
  assert.match(describeStreamCode(77), /77/);
});
