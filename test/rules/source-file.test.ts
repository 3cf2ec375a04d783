// The reading of code that the rules stand on: what is code, and what only looks like it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { importsOf } from "./module-import.ts";
import { codeOf } from "./source-file.ts";

const words = (text: string): string[] => codeOf(text).match(/[A-Za-z]\w*/g) ?? [];

test("comments and strings are no code, and line breaks stay where they were", () => {
  const text = 'a; // Date\n/* Date\n Date */ b(\'Date\', "Da\\"te");\n';
  assert.deepEqual(words(text), ["a", "b"]);
  assert.equal(codeOf(text).length, text.length);
  assert.equal(codeOf(text).split("\n").length, text.split("\n").length);
});

test("what stands in the braces of a template is code, at any depth, and what stands around it is not", () => {
  const text = "`Date #{a + `Date #{b({ c: 1 })} Date`} Date`; d".replaceAll("#", "$");
  assert.deepEqual(words(text), ["a", "b", "c", "d"]);
});

test("a regular expression is no code, and a division is no regular expression", () => {
  assert.deepEqual(words("x = /Date['\"`]/.test(y); z"), ["x", "test", "y", "z"]);
  assert.deepEqual(words("return /[/]Date/; z"), ["return", "z"]);
  assert.deepEqual(words("(a) / b / c"), ["a", "b", "c"]);
  assert.deepEqual(words("a[1] / b; 'Date' / c"), ["a", "b", "c"]);
});

test("every form of import is read, and one in a string or a comment is not", () => {
  const text = [
    'import { a,\n  b } from "./x.ts";',
    'import type { c } from "../y/z.ts";',
    'export { d } from "./d.ts";',
    'export * from "./e.ts";',
    'import "./f.ts";',
    'const g = await import("./g.ts"), h = require("h");',
    'const i = createRequire(import.meta.url)("i/sub");',
    '// import { no } from "./no.ts"',
    "const text = 'import { no } from \"./no.ts\"';",
    "export const list = Array.from('abc');",
  ].join("\n");
  const found = importsOf({ path: "src/base/file.ts", text }).map((item) => item.file ?? item.specifier);
  const expected = [
    "src/base/x.ts",
    "src/y/z.ts",
    "src/base/d.ts",
    "src/base/e.ts",
    "src/base/f.ts",
    "src/base/g.ts",
    "h",
    "i/sub",
  ];
  assert.deepEqual(found, expected);
});
