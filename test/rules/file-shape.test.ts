// Names, lengths and opening comments of files, and their formatting.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { LINES_MAX, lengthViolations, nameViolations, openingViolations } from "./file-shape.ts";
import { listed, readTree, repositoryRoot } from "./source-file.ts";

/** Files that may be longer than others, each with its reason. */
const LONG_FILES = new Map<string, string>([
  ["src/base/limits.ts", "one table of every bound, each with its reason; it is searched, not read"],
]);

const lines = (count: number): string => "x\n".repeat(count);
const biome = (...args: string[]) => [join(repositoryRoot, "node_modules/@biomejs/biome/bin/biome"), ...args];

test("every file is named after a noun in kebab-case", () => {
  assert.equal(listed(nameViolations(readTree())), "");
});

test("names that are not kebab-case, or that fit any file, are found", () => {
  const bad = ["src/io/UdpSocket.ts", "src/io/udp_socket.ts", "src/ioLayer/a.ts", "src/io/utils.ts", "src/io/index.ts"];
  const worse = ["src/io/socket-helpers.ts", "src/io/common.ts", "src/wire/types.ts", "test/lab/test-utils.test.ts"];
  for (const path of [...bad, ...worse]) assert.equal(nameViolations([{ path, text: "" }]).length, 1, path);
  const good = ["src/io/udp-socket.ts", "test/io/udp-socket.test.ts", "scripts/start.mjs", ".ci/run", "README.md"];
  for (const path of good) assert.equal(nameViolations([{ path, text: "" }]).length, 0, path);
});

test(`no file is longer than ${LINES_MAX} lines without a reason`, () => {
  assert.equal(listed(lengthViolations(readTree(), LONG_FILES)), "");
});

test("a file that is too long is found, and so is an exception that is not needed any more", () => {
  const long = { path: "src/io/a.ts", text: lines(LINES_MAX + 1) };
  assert.equal(lengthViolations([long], new Map()).length, 1);
  assert.equal(lengthViolations([long], new Map([["src/io/a.ts", "a table"]])).length, 0);
  assert.equal(lengthViolations([{ ...long, text: lines(LINES_MAX) }], new Map()).length, 0);
  assert.equal(lengthViolations([], new Map([["src/io/a.ts", "a table"]])).length, 1);
});

test("every file opens with a comment", () => {
  assert.equal(listed(openingViolations(readTree())), "");
});

test("a file that begins with code, or with an order to the linter, has no opening comment", () => {
  const opening = (text: string) => openingViolations([{ path: "src/io/a.ts", text }]).length;
  assert.equal(opening('import "./b.ts";\n'), 1);
  assert.equal(opening("// biome-ignore lint: so\n"), 1);
  assert.equal(opening(""), 1);
  assert.equal(opening("// Sockets.\n"), 0);
  assert.equal(opening("#!/usr/bin/env node\n// The program.\n"), 0);
  assert.equal(opening("/**\n * Sockets.\n */\n"), 0);
});

test("every file is formatted as biome formats it", () => {
  const result = spawnSync(process.execPath, biome("check", "."), { cwd: repositoryRoot, encoding: "utf8" });
  assert.equal(result.status, 0, result.stdout + result.stderr);
});

test("biome finds bad formatting and a banned construct", () => {
  const check = (input: string) =>
    spawnSync(process.execPath, biome("ci", "--stdin-file-path=src/a.ts"), { cwd: repositoryRoot, input }).status;
  const format = (input: string) =>
    spawnSync(process.execPath, biome("format", "--stdin-file-path=src/a.ts"), {
      cwd: repositoryRoot,
      input,
      encoding: "utf8",
    }).stdout;
  assert.equal(format("export const a  = 'b'\n"), 'export const a = "b";\n');
  assert.notEqual(check("export const a: any = 1;\n"), 0);
});
