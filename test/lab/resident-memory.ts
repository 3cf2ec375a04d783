// How much memory a process really uses, from /proc/<pid>/status (proc(5)).

import { readFileSync } from "node:fs";

/** @returns the most that has been resident at any time since the process started, in bytes. */
export function peakResidentBytes(pid: number): number {
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (match === null) throw new Error(`the process ${pid} has no memory any more`);
  return Number(match[1]) * 1024;
}
