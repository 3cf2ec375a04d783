// Makes a checkout ready to run: dependencies installed, dist built from the sources as they are now, nothing in
// dist that has no source any more. Plain Node, because it runs before anything is installed. It writes to stderr
// only: what the program prints on stdout belongs to whoever started it.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const SOURCE_FOLDERS = ["cmd", "src", "test", "scripts"];
const STAMP = join(root, "dist", ".built-from");

/** Every file below `folder`, as absolute paths in a fixed order; nothing where the folder does not exist. */
export function walk(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Ends the process with a sentence on stderr. */
export function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function checkNode() {
  const wanted = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).engines.node.replace(/^>=/, "");
  const [wantedMajor, wantedMinor] = wanted.split(".").map(Number);
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return;
  fail(
    `Node ${process.versions.node} is too old: tunnel needs ${wanted} or newer. Install it from https://nodejs.org.`,
  );
}

/** Runs npm with its output on stderr. */
function npm(...args) {
  const result = spawnSync("npm", args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.error) fail(`npm could not be started: ${result.error.message}`);
  if (result.status !== 0) fail(`npm ${args.join(" ")} failed; its messages stand above.`);
}

function install() {
  // npm writes this file at the end of an installation, so it also tells one that was cut off.
  const installed = join(root, "node_modules", ".package-lock.json");
  const lock = join(root, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  // The compiler is a development dependency; NODE_ENV=production would leave it out.
  npm("ci", "--include=dev");
}

function sources() {
  return SOURCE_FOLDERS.flatMap((folder) => walk(join(root, folder))).filter(
    (file) => file.endsWith(".ts") && !file.endsWith(".d.ts"),
  );
}

/** A hash over what the build reads: contents, not times, which a checkout changes at will. */
function fingerprint(files) {
  const hash = createHash("sha256");
  for (const file of [...files, join(root, "tsconfig.json"), join(root, "package-lock.json")]) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  }
  return hash.digest("hex");
}

const outputOf = (source) => join(root, "dist", relative(root, source)).replace(/\.ts$/, ".js");

/** Removes what was built from files that are gone: a deleted test must not go on running. */
function removeOrphans(files) {
  const wanted = new Set(files.map(outputOf));
  for (const folder of SOURCE_FOLDERS) {
    for (const file of walk(join(root, "dist", folder))) {
      const script = file.replace(/\.map$/, "");
      if (script.endsWith(".js") && !wanted.has(script)) rmSync(file);
    }
  }
}

function build() {
  const files = sources();
  const stamp = fingerprint(files);
  const complete = existsSync(join(root, "dist", "program")) && files.every((file) => existsSync(outputOf(file)));
  removeOrphans(files);
  if (complete && existsSync(STAMP) && readFileSync(STAMP, "utf8") === stamp) return;
  // The compiler remembers what it has written and would not write it again.
  if (!complete) rmSync(join(root, "dist", ".tsbuildinfo"), { force: true });
  npm("run", "--silent", "build");
  writeFileSync(STAMP, stamp);
}

/** Installs and builds what is missing or stale; ends the process where that fails. */
export function prepare() {
  checkNode();
  install();
  build();
}

/** The compiled tests, as paths below dist/test with forward slashes. */
export function compiledTests() {
  const folder = join(root, "dist", "test");
  return walk(folder)
    .filter((file) => file.endsWith(".test.js"))
    .map((file) => relative(folder, file).split(sep).join("/"));
}
