// `npm start` in a checkout made for the test, with a stand-in for npm that writes down what it was asked for.

import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const scripts = fileURLToPath(new URL("../../../scripts/", import.meta.url));

/** Answers with its arguments, and ends as the first one says. */
const PROGRAM = `
const [order, value] = process.argv.slice(2);
const say = () => process.stdout.write(process.argv.slice(2).join(" ") + "\\n");
if (order !== "wait") say();
if (order === "exit") process.exit(Number(value));
if (order === "die") process.kill(process.pid, value);
if (order === "wait") {
  process.on(value, () => process.exit(5));
  say();
  setInterval(() => {}, 1000);
}
`;

const NPM = `#!/bin/sh
echo "$*" >> npm.log
echo "npm says something"
case "$*" in
  ci*) mkdir -p node_modules; touch node_modules/.package-lock.json ;;
  *build) mkdir -p dist/cmd dist/program; cp program.js dist/cmd/tunnel.js ;;
esac
`;

interface Checkout {
  readonly folder: string;
  /** What npm was asked for since the last call. */
  npmCalls(): string[];
  start(...args: string[]): ChildProcessByStdio<null, Readable, Readable>;
}

function checkout(context: TestContext): Checkout {
  const folder = mkdtempSync(join(tmpdir(), "tunnel-start-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const write = (path: string, text: string, mode = 0o644): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text, { mode });
  };
  // What stands in scripts to be compiled is no part of this, and the npm here compiles nothing.
  cpSync(scripts, join(folder, "scripts"), {
    recursive: true,
    filter: (path) => path === scripts || path.endsWith(".mjs"),
  });
  write("package.json", '{ "type": "module", "engines": { "node": ">=20.0" } }');
  write("package-lock.json", "{}");
  write("tsconfig.json", "{}");
  write("cmd/tunnel.ts", "");
  write("program.js", PROGRAM);
  write("bin/npm", NPM, 0o755);
  const log = join(folder, "npm.log");
  return {
    folder,
    npmCalls() {
      const calls = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
      rmSync(log, { force: true });
      return calls;
    },
    start(...args) {
      const env = { ...process.env, PATH: `${join(folder, "bin")}:${process.env.PATH}` };
      return spawn(process.execPath, ["scripts/start.mjs", ...args], {
        cwd: folder,
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
    },
  };
}

interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function ending(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Ending> {
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    texts.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    texts.stderr += chunk;
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return { code, signal, ...texts };
}

test("a fresh clone is installed and built first, and only the program writes to stdout", async (context) => {
  const { start, npmCalls } = checkout(context);
  const end = await ending(start("expose", "3000"));
  assert.deepEqual(npmCalls(), ["ci --include=dev", "run --silent build"]);
  assert.equal(end.stdout, "expose 3000\n");
  assert.match(end.stderr, /npm says something/);
  assert.equal(end.code, 0);
});

test("without arguments the demo runs", async (context) => {
  assert.equal((await ending(checkout(context).start())).stdout, "demo\n");
});

test("what is installed and built is not done again until the lock or a source changes", async (context) => {
  const { folder, start, npmCalls } = checkout(context);
  await ending(start());
  npmCalls();
  await ending(start());
  assert.deepEqual(npmCalls(), []);
  writeFileSync(join(folder, "cmd/tunnel.ts"), "export {};");
  await ending(start());
  assert.deepEqual(npmCalls(), ["run --silent build"]);
  const later = Date.now() / 1000 + 60;
  utimesSync(join(folder, "package-lock.json"), later, later);
  await ending(start());
  assert.deepEqual(npmCalls(), ["ci --include=dev"]);
});

test("what was built from a source that is gone is removed", async (context) => {
  const { folder, start } = checkout(context);
  await ending(start());
  const stale = ["dist/test/io/gone.test.js", "dist/test/io/gone.test.js.map"].map((path) => join(folder, path));
  mkdirSync(join(folder, "dist/test/io"), { recursive: true });
  for (const path of stale) writeFileSync(path, "");
  await ending(start());
  assert.deepEqual(
    stale.filter((path) => existsSync(path)),
    [],
  );
});

test("the program's exit code is the exit code", async (context) => {
  assert.equal((await ending(checkout(context).start("exit", "7"))).code, 7);
});

test("a signal is passed on, and the program's answer to it is the exit code", async (context) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const child = checkout(context).start("wait", signal);
    child.stdout.once("data", () => child.kill(signal));
    assert.equal((await ending(child)).code, 5);
  }
});

test("a program that dies of a signal is reported as one that did", async (context) => {
  assert.equal((await ending(checkout(context).start("die", "SIGKILL"))).signal, "SIGKILL");
});

test("a Node that is too old is told what is needed, and nothing is installed", async (context) => {
  const { folder, start, npmCalls } = checkout(context);
  writeFileSync(join(folder, "package.json"), '{ "type": "module", "engines": { "node": ">=99.1" } }');
  const end = await ending(start());
  assert.equal(end.code, 1);
  assert.match(end.stderr, /99\.1 or newer/);
  assert.deepEqual(npmCalls(), []);
});
