// The nice levels of a process's threads, as the kernel tells them.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { BACKGROUND_NICENESS } from "../../src/base/limits.ts";
import { atNiceness } from "./at-niceness.ts";

const MODULE = new URL("../../src/io/background-threads.js", import.meta.url).href;

interface Niceness {
  readonly count: number;
  readonly first: number;
  readonly others: readonly number[];
}

function nicenessOf(niceness: number): Niceness {
  const program = `
    import { readdirSync, readFileSync } from "node:fs";
    const { letBackgroundYield } = await import(${JSON.stringify(MODULE)});
    const count = letBackgroundYield();
    const niceOf = (thread) => Number(readFileSync("/proc/self/task/" + thread + "/stat", "utf8").split(") ")[1].split(" ")[16]);
    const others = readdirSync("/proc/self/task").filter((thread) => Number(thread) !== process.pid).map(niceOf);
    console.log(JSON.stringify({ count, first: niceOf(process.pid), others }));`;
  return atNiceness<Niceness>(niceness, program);
}

test("every thread but the one that carries packets is nicer than before, and none is beyond the nicest", {
  skip: !existsSync("/proc/self/task"),
}, () => {
  const usual = nicenessOf(0);
  assert.ok(usual.count >= 4, "V8 has threads to compile on");
  assert.equal(usual.others.length, usual.count);
  for (const niceness of usual.others) assert.equal(niceness, Math.min(usual.first + BACKGROUND_NICENESS, 19));
  for (const niceness of nicenessOf(15).others) assert.equal(niceness, 19);
});
