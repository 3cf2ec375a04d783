// Addresses of memory as numbers: those that a number holds, and those that it does not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError } from "../../src/base/assert.ts";
import { memoryAddress } from "../../src/base/memory-address.ts";

test("an address that a number holds is that number, and any other is refused", () => {
  assert.equal(memoryAddress(0x7fff_ffff_f000n), 0x7fff_ffff_f000);
  assert.equal(memoryAddress(2n ** 53n - 1n), 2 ** 53 - 1);
  for (const tagged of [2n ** 53n, 0x0b00_7f12_3456_7890n, 2n ** 64n - 4096n]) {
    assert.throws(() => memoryAddress(tagged), AssertionError);
  }
});
