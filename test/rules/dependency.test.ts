// package.json lists what the program imports.

import assert from "node:assert/strict";
import { test } from "node:test";
import { dependencyViolations } from "./dependency.ts";
import { listed, readTree } from "./source-file.ts";

const manifest = {
  path: "package.json",
  text: '{ "dependencies": { "yargs": "1" }, "optionalDependencies": { "koffi": "1" }, "devDependencies": { "fast-check": "1" } }',
};
const uses = [
  { path: "cmd/a.ts", text: 'import yargs from "yargs/yargs";\nimport { readFileSync } from "node:fs";\n' },
  { path: "src/io/a.ts", text: 'const koffi = require("koffi");\n' },
];

test("every package that the program imports is one of its dependencies", () => {
  assert.equal(listed(dependencyViolations(readTree())), "");
});

test("a package that only the tests have is found", () => {
  const stray = { path: "src/io/b.ts", text: 'import fc from "fast-check";\n' };
  assert.equal(dependencyViolations([manifest, ...uses]).length, 0);
  assert.equal(dependencyViolations([manifest, ...uses, stray]).length, 1);
  assert.equal(dependencyViolations([manifest, ...uses, { ...stray, path: "test/io/b.test.ts" }]).length, 0);
});
