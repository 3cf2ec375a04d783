// The slice of processor time that a process asks for, in processes of their own, as the kernel tells it.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { SCHEDULING_SLICE_MS } from "../../src/base/limits.ts";
import { atNiceness } from "./at-niceness.ts";

const MODULE = new URL("../../src/io/scheduling-slice.js", import.meta.url).href;

interface Scheduling {
  readonly asked: number | null;
  readonly niceness: number;
  /** In ns, as far as the kernel tells. */
  readonly slice: number | null;
}

function schedulingOf(niceness: number): Scheduling {
  const program = `
    import { readFileSync, existsSync } from "node:fs";
    import { getPriority } from "node:os";
    const { askForShortSlices } = await import(${JSON.stringify(MODULE)});
    const asked = askForShortSlices() ?? null;
    const told = existsSync("/proc/self/sched") ? /slice +: +(\\d+)/.exec(readFileSync("/proc/self/sched", "utf8")) : null;
    console.log(JSON.stringify({ asked, niceness: getPriority(), slice: told && Number(told[1]) }));`;
  return atNiceness<Scheduling>(niceness, program);
}

test("a process has the slice that it is told to have, and is as nice as before", {
  skip: !existsSync("/proc"),
}, () => {
  const usual = schedulingOf(0).niceness;
  const { asked, niceness, slice } = schedulingOf(3);
  assert.equal(niceness, Math.min(usual + 3, 19));
  if (asked === null) return;
  assert.ok(asked > 0 && asked <= 100, `${asked} ms`);
  if (slice !== null) assert.equal(slice / 1e6, asked);
  if (asked <= 0.1) assert.equal(asked, SCHEDULING_SLICE_MS);
});
