// The machine that figures come from, without which they mean nothing.

import { spawnSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

/** Above this much of one core is somebody else's. */
const QUIET_LOAD = 1;

/** @returns "a3f9c1d", with a plus sign where the checkout has changes; undefined outside of a checkout. */
function revision(): string | undefined {
  const git = (...args: string[]): string => spawnSync("git", args, { encoding: "utf8" }).stdout?.trim() ?? "";
  const commit = git("rev-parse", "--short", "HEAD");
  if (commit === "") return undefined;
  return git("status", "--porcelain", "--untracked-files=no", "--", "src", "cmd") === "" ? commit : `${commit}+`;
}

/** @returns a warning where others were at work when the benchmark started, and undefined on a quiet machine. */
export function describeUnrest(): string | undefined {
  const [load = 0] = loadavg();
  if (load < QUIET_LOAD) return undefined;
  return `The machine was not quiet: its load average was ${load.toFixed(1)} at the start, on ${availableParallelism()} cores. What ran besides makes every figure
worse, and most so for contenders whose processes take turns with each other. Repeat the run on a quiet machine before relying on it.`;
}

/** @returns rows of name and value. */
export function describeMachine(): [string, string][] {
  const load = loadavg().map((value) => value.toFixed(2));
  return [
    ["date", `${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`],
    ["revision", revision() ?? "unknown"],
    ["processor", `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown"}`],
    ["memory", `${(totalmem() / 1e9).toFixed(0)} GB`],
    ["kernel", `${type()} ${release()}`],
    ["Node", process.version],
    ["load average at the start", `${load.join(", ")} (1, 5 and 15 minutes)`],
  ];
}
