// The layering rule, on imports made up to break it and on the tree.

import assert from "node:assert/strict";
import { test } from "node:test";
import { layeringViolations } from "./layering.ts";
import { listed, readTree } from "./source-file.ts";

const importing = (path: string, specifier: string) =>
  layeringViolations([{ path, text: `// A file.\nimport { x } from "${specifier}";\n` }]).length;

test("imports point only from right to left", () => {
  assert.equal(listed(layeringViolations(readTree())), "");
});

test("an import to the right, or to a neighbour on the same step, is found", () => {
  assert.equal(importing("src/base/a.ts", "../wire/b.ts"), 1);
  assert.equal(importing("src/crypto/a.ts", "../wire/b.ts"), 1);
  assert.equal(importing("src/traversal/a.ts", "../transport/b.ts"), 1);
  assert.equal(importing("src/transport/a.ts", "../rendezvous/b.ts"), 1);
  assert.equal(importing("src/tunnel/a.ts", "../io/b.ts"), 1);
  assert.equal(importing("src/daemon/a.ts", "../../cmd/b.ts"), 1);
  assert.equal(importing("src/io/a.ts", "../../test/b.ts"), 1);
  assert.equal(importing("cmd/a.ts", "../src/transport/b.ts"), 1);
});

test("an import to the left or within a layer is allowed", () => {
  assert.equal(importing("src/wire/a.ts", "../base/b.ts"), 0);
  assert.equal(importing("src/wire/a.ts", "./b.ts"), 0);
  assert.equal(importing("src/rendezvous/a.ts", "../transport/b.ts"), 0);
  assert.equal(importing("src/daemon/a.ts", "../io/b.ts"), 0);
  assert.equal(importing("cmd/a.ts", "../src/daemon/b.ts"), 0);
});

test("a type counts as much as a value, and so does a call of import()", () => {
  const text = '// A.\nimport type { x } from "../io/x.ts";\nconst y = import("../io/y.ts");\n';
  assert.equal(layeringViolations([{ path: "src/wire/a.ts", text }]).length, 2);
});

test("a pure layer imports no package, but for the cryptographic ones in crypto", () => {
  assert.equal(importing("src/transport/a.ts", "node:dgram"), 1);
  assert.equal(importing("src/wire/a.ts", "node:crypto"), 1);
  assert.equal(importing("src/crypto/a.ts", "node:net"), 1);
  assert.equal(importing("src/tunnel/a.ts", "zod"), 1);
  assert.equal(importing("src/crypto/a.ts", "node:crypto"), 0);
  assert.equal(importing("src/crypto/a.ts", "tweetnacl"), 0);
  assert.equal(importing("src/crypto/a.ts", "@noble/curves/ed25519.js"), 1, "the tests' second opinion");
  assert.equal(importing("src/io/a.ts", "node:dgram"), 0);
});

test("a file that lies in no layer is found", () => {
  assert.equal(layeringViolations([{ path: "src/stray.ts", text: "" }]).length, 1);
  assert.equal(layeringViolations([{ path: "src/elsewhere/a.ts", text: "" }]).length, 1);
});
