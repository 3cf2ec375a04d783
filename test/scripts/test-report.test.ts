// The reading of the test runner's report, on reports of the real runner.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

interface Report {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skips: readonly string[];
  readonly failures: readonly string[];
}

const module: unknown = await import(new URL("../../../scripts/test-report.mjs", import.meta.url).href);
const { readReport } = module as { readReport(tap: string): Report | undefined };

/** @returns what `node --test` reports in TAP on a file of tests. */
function tapOf(tests: string): string {
  const folder = mkdtempSync(join(tmpdir(), "tunnel-report-"));
  try {
    const file = join(folder, "a.test.mjs");
    writeFileSync(file, `import { describe, test } from "node:test";\n${tests}`);
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    return spawnSync(process.execPath, ["--test", "--test-reporter=tap", file], { encoding: "utf8", env }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("passed, failed, skipped and unfinished tests are counted, at any depth", () => {
  const tap = tapOf(`
    test("good", () => {});
    describe("suite", () => { test("inner", () => {}); });
    test("bad", () => { throw new Error("x"); });
    test("no machine for it", { skip: "needs a mainframe" }, () => {});
    test("later", { todo: true }, () => {});
    test("slow", { timeout: 20 }, () => new Promise((resolve) => setTimeout(resolve, 500)));
  `);
  const skips = ["no machine for it: needs a mainframe", "later"];
  const { failures, ...counts } = readReport(tap) ?? { failures: [] };
  assert.deepEqual(counts, { passed: 2, failed: 2, skipped: 2, skips });
  assert.equal(failures.length, 2);
});

test("of a failed test its name is kept, its place and what it said", () => {
  const [failure] = readReport(tapOf('test("bad", () => { throw new Error("no such harbour"); });'))?.failures ?? [];
  assert.match(failure ?? "", /^not ok 1 - bad\n/);
  assert.match(failure ?? "", /a\.test\.mjs:2:1/);
  assert.match(failure ?? "", /error: 'no such harbour'/);
});

test("a file that cannot be loaded is a failure", () => {
  assert.equal(readReport(tapOf("nonsense("))?.failed, 1);
});

test("a report without a summary is none", () => {
  assert.equal(readReport("TAP version 13\n# Subtest: a\nok 1 - a\n"), undefined);
});
