// The identity on disk: one for all processes of a machine, private, and never replaced silently.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { loadIdentity } from "../../src/daemon/identity-file.ts";
import { stateError } from "../../src/daemon/state-directory.ts";
import { OperatingError } from "../../src/daemon/usage-error.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const run = promisify(execFile);
const child = fileURLToPath(new URL("./identity-child.js", import.meta.url));

const isRefusal =
  (message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof OperatingError && message.test(error.message);

test("the first run makes an identity that only its owner can read, and later runs find it", (t) => {
  const state = join(temporaryDirectory(t), "a", "b");
  const first = loadIdentity(state);
  assert.deepEqual(loadIdentity(state), first);
  assert.equal(statSync(state).mode & 0o777, 0o700);
  assert.equal(statSync(join(state, "identity")).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(state), ["identity"], "nothing temporary is left");
});

test("an agent and a rendezvous in one state directory are two", (t) => {
  const state = temporaryDirectory(t);
  assert.notDeepEqual(loadIdentity(state, "rendezvous").publicKey, loadIdentity(state, "agent").publicKey);
});

test("processes that start together on a fresh machine agree on one identity", async (t) => {
  const state = join(temporaryDirectory(t), "state");
  const printed = await Promise.all(Array.from({ length: 6 }, () => run(process.execPath, [child, state])));
  assert.equal(new Set(printed.map(({ stdout }) => stdout)).size, 1);
  assert.deepEqual(readdirSync(state), ["identity"]);
});

test("an identity that others can read is refused with the command that mends it", (t) => {
  const state = temporaryDirectory(t);
  loadIdentity(state);
  const path = join(state, "identity");
  for (const mode of [0o640, 0o604, 0o666]) {
    chmodSync(path, mode);
    assert.throws(() => loadIdentity(state), isRefusal(new RegExp(`chmod 600 ${path}`)));
  }
  chmodSync(path, 0o600);
  loadIdentity(state);
});

test("a damaged identity is refused and left as it is", (t) => {
  const state = temporaryDirectory(t);
  const path = join(state, "identity");
  loadIdentity(state);
  const whole = readFileSync(path, "utf8");
  const wrongHalves = whole.replace(/(tunnel-identity-1 .)(.)/, (_, head, digit) => head + (digit === "a" ? "b" : "a"));
  for (const text of ["", "garbage", whole.slice(0, -20), wrongHalves, whole.replace("-1 ", "-9 "), `${whole}more\n`]) {
    writeFileSync(path, text, { mode: 0o600 });
    assert.throws(() => loadIdentity(state), isRefusal(/is damaged/), JSON.stringify(text));
    assert.equal(readFileSync(path, "utf8"), text);
  }
});

test("a state directory that cannot be used says so and names the way out", (t) => {
  const parent = temporaryDirectory(t);
  writeFileSync(join(parent, "file"), "");
  assert.throws(() => loadIdentity(join(parent, "file", "state")), isRefusal(/TUNNEL_STATE_DIR/));
  mkdirSync(join(parent, "identity"));
  assert.throws(() => loadIdentity(parent), isRefusal(/TUNNEL_STATE_DIR/));
});

test("what is told to do about a state directory is the right thing for what happened", () => {
  const told = (code: string): string => stateError("/state", Object.assign(new Error(code), { code })).message;
  assert.match(told("ENOSPC"), /the disk is full\. Make room on it, or name another/);
  assert.match(told("EROFS"), /read-only\. Mount it for writing, or/);
  assert.match(told("EACCES"), /permission denied\. Make it readable and writable for this user, or/);
});

test("a state directory without permission says so", (t) => {
  const parent = temporaryDirectory(t);
  chmodSync(parent, 0o500);
  // Root may write everywhere, so for the moment it is somebody else.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    assert.throws(() => loadIdentity(join(parent, "state")), isRefusal(/permission denied.*TUNNEL_STATE_DIR/));
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
});
