// V8's young generation, in processes of their own: its size depends on all that went before.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

const MODULE = new URL("../../src/io/young-generation.js", import.meta.url).href;

/** @returns the bytes that V8 holds for the young generation after much has outlived collections. */
function youngBytes(before: string): number {
  const program = `
    import { getHeapSpaceStatistics } from "node:v8";
    import * as young from ${JSON.stringify(MODULE)};
    ${before}
    const kept = [];
    for (let i = 0; i < 400_000; i++) kept.push([i]);
    const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    console.log(kept.length > 0 ? space.space_size : 0);`;
  return Number(execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" }));
}

test("the young generation stays as small as it was while it is held, and grows once it is let", () => {
  const free = youngBytes("");
  const held = youngBytes("young.holdYoungGeneration();");
  const grown = youngBytes("young.holdYoungGeneration(); young.letYoungGenerationGrow();");
  assert.ok(held <= free / 4, `${held} bytes held, ${free} otherwise`);
  assert.ok(grown >= free / 2, `${grown} bytes after it was let grow, ${free} otherwise`);
});
