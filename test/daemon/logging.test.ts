// The log's lines, and writing that neither blocks nor fails the process.

import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { OUTPUT_LINES_MAX } from "../../src/base/limits.ts";
import { LineWriter } from "../../src/daemon/line-writer.ts";
import { createLog, formatRecord } from "../../src/daemon/logging.ts";
import { wantsColours } from "../../src/daemon/output.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

test("a record is one line, whatever its message holds", () => {
  const line = formatRecord({
    level: "warn",
    message: "a peer said \x1b[31m\nred",
    fields: { address: "[::1]:80", reason: "two words", n: 3, none: undefined },
    timestamp: "T",
  });
  assert.equal(line, 'T warn  a peer said \\x1b[31m\\x0ared address=[::1]:80 reason="two words" n=3');
});

test("what is below the level is not written, the rest is, in order", async (t) => {
  const path = join(temporaryDirectory(t), "log");
  const descriptor = openSync(path, "w");
  const log = createLog("warn", new LineWriter(descriptor));
  log.info("not this");
  log.error("first");
  log.warn("second");
  await log.close();
  closeSync(descriptor);
  const lines = readFileSync(path, "utf8").trim().split("\n");
  assert.deepEqual(
    lines.map((line) => line.replace(/^\S+ /, "")),
    ["error first", "warn  second"],
  );
});

test("lines for a reader that does not keep up are bounded, and those that fit keep their order", async (t) => {
  const path = join(temporaryDirectory(t), "out");
  const descriptor = openSync(path, "w");
  const writer = new LineWriter(descriptor);
  for (let i = 0; i < OUTPUT_LINES_MAX * 3; i++) writer.write(String(i));
  await writer.flush(1000);
  closeSync(descriptor);
  const lines = readFileSync(path, "utf8").trim().split("\n").map(Number);
  assert.ok(lines.length >= OUTPUT_LINES_MAX && lines.length <= OUTPUT_LINES_MAX + 1);
  assert.deepEqual(
    lines,
    [...lines].sort((a, b) => a - b),
  );
});

test("a descriptor that cannot be written is given up without an error", async (t) => {
  const descriptor = openSync(temporaryDirectory(t), "r");
  const writer = new LineWriter(descriptor);
  writer.write("lost");
  await writer.flush(1000);
  writer.write("lost as well");
  await writer.flush(1000);
  closeSync(descriptor);
});

test("colours are for terminals whose owner wants them", () => {
  assert.equal(wantsColours({}, true), true);
  assert.equal(wantsColours({}, false), false);
  assert.equal(wantsColours({ NO_COLOR: "1" }, true), false);
  assert.equal(wantsColours({ TERM: "dumb" }, true), false);
});
