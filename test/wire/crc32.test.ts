// CRC-32 against the check value that every catalogue of checksums gives.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../../src/wire/crc32.ts";

test("the checksum of the nine digits is the known check value", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf4_3926);
  assert.equal(crc32(new Uint8Array(0)), 0);
  assert.equal(crc32(new Uint8Array(32).fill(0xff)), 0xff6c_ab0b);
});
