// What `npm pack` puts into a package is a program that needs nothing besides tweetnacl: every other package is in it, or optional.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** @returns the folder of an installation without any optional package. */
function install(t: TestContext): string {
  const packed = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, encoding: "utf8" });
  assert.equal(packed.status, 0, packed.stderr);
  const [{ files }] = JSON.parse(packed.stdout) as [{ files: { path: string }[] }];
  const folder = temporaryDirectory(t);
  for (const path of [...files.map((file) => file.path), "node_modules/tweetnacl"]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  return folder;
}

test("an installation works without the packages that it was made of", (t) => {
  const folder = install(t);
  const run = (...args: string[]) => {
    const env = { ...process.env, TUNNEL_STATE_DIR: join(folder, "state"), TUNNEL_LOG: "debug" };
    return spawnSync(process.execPath, [join(folder, "dist/cmd/tunnel.js"), ...args], { env, encoding: "utf8" });
  };
  assert.match(run("--version").stdout, /^\d+\.\d+\.\d+\n$/);
  assert.match(run("id").stdout, /^[a-z2-7]{52}\n$/);
  const demo = run("demo", "--json");
  assert.equal(demo.status, 0, demo.stderr);
  assert.match(demo.stdout, /"via":"direct"/);
  // The library of the log is loaded for its first line.
  assert.match(demo.stderr, /an agent connected/);
});
