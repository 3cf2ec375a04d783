// No file holds a path of the machine it was written on, or the host of a package registry.

import assert from "node:assert/strict";
import { test } from "node:test";
import { traceViolations } from "./foreign-trace.ts";
import { listed, readTree } from "./source-file.ts";

const found = (text: string) => traceViolations([{ path: "README.md", text }]).length;
const path = (...parts: string[]) => ["", ...parts].join("/");

test("no file holds a trace of one machine or one registry", () => {
  assert.equal(listed(traceViolations(readTree())), "");
});

test("paths of one machine are found, and others are not", () => {
  assert.equal(found(`see ${path("work", "main", "x.ts")}`), 1);
  assert.equal(found(`cd ${path("home", "ann", "tunnel")}`), 1);
  assert.equal(found(`file:${path("", "root", "x")}`), 1);
  assert.equal(found("dist/work/x, ~/work/x, frame/work/y"), 0);
  assert.equal(found(`an example: ${path("home", "pi", "tunnel")}`), 0);
  assert.equal(found("/var/lib/tunnel and /run/tunnel and /dev/net/tun"), 0);
});

test("the hosts of registries are found, and so is a lock file that ties itself to one", () => {
  assert.equal(found(`https://${["registry", "npmjs", "org"].join(".")}/ws`), 1);
  assert.equal(found(`{ "resolved": "${["https:", "", "example.com", "ws.tgz"].join("/")}" }`), 1);
  assert.equal(found("npm ci installs from the registry that npm is configured for"), 0);
});
