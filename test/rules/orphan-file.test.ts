// The rule that every source file is used by the program, not only by its own test.

import assert from "node:assert/strict";
import { test } from "node:test";
import { orphanViolations } from "./orphan-file.ts";
import { listed, readTree } from "./source-file.ts";

const file = (path: string, ...imports: string[]) => ({
  path,
  text: `// A file.\n${imports.map((specifier) => `import "${specifier}";\n`).join("")}`,
});
const orphans = (...files: ReturnType<typeof file>[]) => orphanViolations(files).map((violation) => violation.path);

test("every file of src is reached from cmd or scripts, and every file of test from a test", () => {
  assert.equal(listed(orphanViolations(readTree())), "");
});

test("a file that only its own test imports is an orphan", () => {
  const files = [file("cmd/tunnel.ts", "../src/io/a.ts"), file("src/io/a.ts"), file("src/io/b.ts")];
  assert.deepEqual(orphans(...files, file("test/io/b.test.ts", "../../src/io/b.ts")), ["src/io/b.ts"]);
});

test("two files that import only each other are orphans", () => {
  const files = [file("cmd/tunnel.ts"), file("src/io/a.ts", "./b.ts"), file("src/io/b.ts", "./a.ts")];
  assert.deepEqual(orphans(...files), ["src/io/a.ts", "src/io/b.ts"]);
});

test("a file that is reached by way of others is none", () => {
  const files = [file("cmd/tunnel.ts", "../src/io/a.ts"), file("src/io/a.ts", "./b.ts"), file("src/io/b.ts")];
  assert.deepEqual(orphans(...files), []);
});

test("a module beside the tests has to be imported or started by one", () => {
  const starts = { path: "test/lab/a.test.ts", text: '// A.\nstart(new URL("./server.js", import.meta.url));\n' };
  assert.deepEqual(orphans(starts, file("test/lab/server.ts"), file("test/lab/unused.ts")), ["test/lab/unused.ts"]);
});
