// What an agent takes of its machine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BUFFER_MEMORY_BYTES, BUFFER_MEMORY_BYTES_MIN } from "../../src/base/limits.ts";
import { bufferMemoryBytes } from "../../src/daemon/agent-settings.ts";

const MIB = 1024 * 1024;

test("a small board gives its streams a sixteenth of its memory, a large machine no more than is of use", () => {
  assert.equal(bufferMemoryBytes(32 * MIB), BUFFER_MEMORY_BYTES_MIN);
  assert.equal(bufferMemoryBytes(256 * MIB), 16 * MIB);
  assert.equal(bufferMemoryBytes(24 * 1024 * MIB), BUFFER_MEMORY_BYTES);
  assert.equal(bufferMemoryBytes(Number.POSITIVE_INFINITY), BUFFER_MEMORY_BYTES);
});
