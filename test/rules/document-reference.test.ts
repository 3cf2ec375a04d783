// The documents name nothing that does not exist.

import assert from "node:assert/strict";
import { test } from "node:test";
import { referenceViolations } from "./document-reference.ts";
import { listed, readTree } from "./source-file.ts";

const around = [
  { path: "package.json", text: '{ "scripts": { "start": "x", "lint": "x" } }' },
  { path: "src/wire/frame.ts", text: "" },
  { path: "LICENSE", text: "" },
  { path: "cmd/expose.ts", text: 'command("expose <port>"); option("name"); env.TUNNEL_STATE_DIR' },
];
const found = (text: string, path = "README.md") => referenceViolations([...around, { path, text }]).length;

test("every file, script, command, option and variable that a document names is there", () => {
  assert.equal(listed(referenceViolations(readTree())), "");
});

test("a link has to lead to a file, seen from the document", () => {
  assert.equal(found("[frames](src/wire/frame.ts#acks) and [folder](src/wire/)"), 0);
  assert.equal(found("[frames](frame.ts)", "src/wire/SPEC.md"), 0);
  assert.equal(found("[frames](src/wire/gone.ts)"), 2, "as a link and as a path");
  assert.equal(found("[license](LICENCE)"), 1);
  assert.equal(found("[rfc](https://www.rfc-editor.org/rfc/rfc9000) and [below](#below)"), 0);
});

test("a path of ours has to exist", () => {
  assert.equal(found("`src/wire/frame.ts`, in `src/wire`."), 0);
  assert.equal(found("`src/wire/gone.ts`"), 1);
  assert.equal(found("`systemd/tunnel.service`"), 1);
});

test("an npm script has to exist", () => {
  assert.equal(found("npm start, npm run lint"), 0);
  assert.equal(found("npm run bench"), 1);
});

test("a call of the program names commands and options that it has", () => {
  assert.equal(found("    $ tunnel expose 3000 --name web"), 0);
  assert.equal(found("device$  npx tunnel expose 3000"), 0);
  assert.equal(found("    $ tunnel teleport 3000"), 1);
  assert.equal(found("    $ TUNNEL_STATE_DIR=/x tunnel expose 3000 --turbo=9"), 1);
  assert.equal(found("A tunnel through the mountain."), 0);
});

test("an environment variable is one that the program reads", () => {
  assert.equal(found("`TUNNEL_STATE_DIR`"), 0);
  assert.equal(found("`TUNNEL_COLOUR`"), 1);
});
