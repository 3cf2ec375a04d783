// Whether the engine really compiles earlier, as seen by V8 itself.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const tuning = new URL("../../src/daemon/engine-tuning.js", import.meta.url).href;

/** @returns what a program prints, which may use V8's natives; it says nothing else. */
function outputOf(script: string, isTuned: boolean, flags: readonly string[]): string {
  const program = `${isTuned ? `(await import(${JSON.stringify(tuning)})).tuneEngine();` : ""}${script}`;
  const args = ["--allow-natives-syntax", ...flags, "--input-type=module", "-e", program];
  const result = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.equal(result.stderr, "");
  return result.stdout;
}

/** Calls of a small function until V8 has optimised it; each runs some hundred bytes of bytecode. */
function callsUntilOptimised(isTuned: boolean): number {
  const script = `
    function work(list) { let sum = 0; for (const value of list) sum += value; return sum; }
    const list = [1, 2, 3, 4, 5, 6, 7, 8];
    let calls = 0;
    while ((%GetOptimizationStatus(work) & 16) === 0 && calls < 1e6) { work(list); calls++; }
    console.log(calls);`;
  const flags = ["--no-concurrent-recompilation", "--no-use-osr"];
  return Number(outputOf(script, isTuned, flags));
}

test("functions are optimised after a third of the calls that V8 waits for by itself", () => {
  const usual = callsUntilOptimised(false);
  const tuned = callsUntilOptimised(true);
  if (process.versions.v8.startsWith("11.")) assert.ok(tuned < usual / 3, `${tuned} calls, ${usual} without tuning`);
  else assert.ok(tuned > 0, "the program starts with other engines, without a complaint");
});

/** Whether V8 compiles a function of some 300 bytes of bytecode as a part of the one that calls it. */
function isInlined(isTuned: boolean): boolean {
  const script = `
    function callee(a) { ${"a = (a * 31 + 7) ^ (a >> 3); ".repeat(20)} return a; }
    function caller(a) { return callee(a) + 1; }
    %PrepareFunctionForOptimization(callee);
    %PrepareFunctionForOptimization(caller);
    caller(1);
    caller(2);
    %OptimizeFunctionOnNextCall(caller);
    caller(3);`;
  const flags = ["--trace-turbo-inlining"];
  return /Inlining .*callee/.test(outputOf(script, isTuned, flags));
}

test("what a function calls is compiled along with it only where it is short", () => {
  assert.equal(isInlined(false), true);
  assert.equal(isInlined(true), !process.versions.v8.startsWith("11."));
});
