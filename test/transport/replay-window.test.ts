// The window of packet numbers seen, against a model that remembers every one of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { REPLAY_WINDOW_PACKETS } from "../../src/base/limits.ts";
import { ReplayWindow } from "../../src/transport/replay-window.ts";

/** Numbers this far below the highest are certain to be told apart. */
const CERTAIN = REPLAY_WINDOW_PACKETS - 32;

test("a number is fresh until it is marked, in any order within the window", () => {
  const window = new ReplayWindow();
  assert.equal(window.highest, -1);
  for (const n of [0, 5, 3, 4, 31, 32, 33, 1000, 999]) {
    assert.ok(window.isFresh(n), `${n} is new`);
    window.mark(n);
    assert.ok(!window.isFresh(n), `${n} was seen`);
  }
  assert.equal(window.highest, 1000);
  assert.ok(window.isFresh(998));
});

test("a number below the window is refused, seen or not", () => {
  const window = new ReplayWindow();
  window.mark(100_000);
  assert.ok(window.isFresh(100_000 - CERTAIN + 1));
  assert.ok(!window.isFresh(100_000 - REPLAY_WINDOW_PACKETS));
  assert.ok(!window.isFresh(0));
});

test("a jump of any size clears what the ring held before", () => {
  for (const jump of [31, 32, 33, CERTAIN, REPLAY_WINDOW_PACKETS, REPLAY_WINDOW_PACKETS + 1, 10_000_000, 2 ** 47]) {
    const window = new ReplayWindow();
    for (let n = 0; n < 100; n++) window.mark(n);
    window.mark(99 + jump);
    for (let n = 100; n < 99 + jump && n < 200; n++) {
      assert.equal(window.isFresh(n), n > 99 + jump - CERTAIN, `${n} after a jump of ${jump}`);
    }
    const below = 99 + jump - 1;
    if (below > 99) assert.ok(window.isFresh(below), "the number before the jump's end was not seen");
    assert.ok(!window.isFresh(99 + jump));
  }
});

test("the largest packet number, of 48 bits, fits", () => {
  const window = new ReplayWindow();
  window.mark(2 ** 48 - 1);
  assert.ok(!window.isFresh(2 ** 48 - 1));
  assert.ok(window.isFresh(2 ** 48 - 2));
});

test("no number is ever fresh twice, and none inside the window is refused unseen", () => {
  const strides = fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: -40, max: 60 }) },
      { weight: 2, arbitrary: fc.integer({ min: -REPLAY_WINDOW_PACKETS - 100, max: REPLAY_WINDOW_PACKETS + 100 }) },
    ),
    { maxLength: 300 },
  );
  fc.assert(
    fc.property(strides, (moves) => {
      const window = new ReplayWindow();
      const seen = new Set<number>();
      let at = 0;
      let highest = -1;
      for (const move of moves) {
        at = Math.max(0, at + move);
        const fresh = window.isFresh(at);
        if (seen.has(at)) assert.ok(!fresh, `${at} came twice`);
        else if (at > highest - CERTAIN) assert.ok(fresh, `${at} is new, the highest is ${highest}`);
        if (!fresh) continue;
        window.mark(at);
        seen.add(at);
        highest = Math.max(highest, at);
        assert.equal(window.highest, highest);
      }
    }),
    { numRuns: 300 },
  );
});
