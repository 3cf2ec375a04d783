// Runs a program in a process of its own that is nicer than this one.

import { execFileSync } from "node:child_process";

/** @param program a module that prints one value as JSON. @returns the value. */
export function atNiceness<T>(niceness: number, program: string): T {
  const command = [process.execPath, "--input-type=module", "-e", program];
  return JSON.parse(execFileSync("nice", ["-n", String(niceness), ...command], { encoding: "utf8" })) as T;
}
