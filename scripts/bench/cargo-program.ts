// Programs in Rust, from crates.io. Their build takes minutes, so it is kept: in a folder of this user's cache, outside the checkout,
// where the next run finds the program, or the crates that a build which ran out of time had finished.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export interface CargoProgram {
  /** Of the crate and of the program in it. */
  readonly name: string;
  readonly version: string;
  /** More words for `cargo install`. */
  readonly options: readonly string[];
}

const BUILD_LIMIT_MS = 900_000;

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "tunnel-bench");

/**
 * @param mayBuild whether there is the time to build it where that has not been done yet
 * @returns where the program is.
 */
export function cargoProgram({ name, version, options }: CargoProgram, mayBuild: boolean): string {
  const root = join(cache, `${name}-${version}`);
  const program = join(root, "bin", name);
  if (existsSync(program)) return program;
  if (!mayBuild) throw new Error("it would have to be built, which --quick does not do");
  mkdirSync(root, { recursive: true });
  const unfinished = join(root, "target");
  const result = spawnSync("cargo", ["install", name, "--version", version, ...options, "--root", root], {
    encoding: "utf8",
    timeout: BUILD_LIMIT_MS,
    env: { ...process.env, CARGO_TARGET_DIR: unfinished },
  });
  if (result.error !== undefined) throw new Error(`cargo install ${name}: ${result.error.message}`);
  // The first error is the cause, and hundreds of lines may follow it.
  const cause = result.stderr.split("\n").find((line) => line.startsWith("error"));
  if (result.status !== 0) throw new Error(`cargo install ${name}: ${cause ?? `exit code ${result.status}`}`);
  rmSync(unfinished, { recursive: true, force: true });
  return program;
}
