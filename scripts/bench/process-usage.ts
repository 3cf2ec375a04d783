// What a process and its children have used so far, from /proc (proc(5)). Network packets that the kernel handles on behalf
// of a sender count as the sender's system time, which is right for a comparison: a program that hands over fewer, larger
// pieces pays less.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** Clock ticks a second in /proc/<pid>/stat: USER_HZ, 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** @returns a process, its children and theirs, as far as they run. */
export function processTree(pid: number): number[] {
  const found = [pid];
  for (const parent of found) {
    try {
      for (const thread of readdirSync(`/proc/${parent}/task`)) {
        const children = readFileSync(`/proc/${parent}/task/${thread}/children`, "utf8").trim();
        if (children !== "") found.push(...children.split(" ").map(Number));
      }
    } catch {
      // It ended while it was looked at.
    }
  }
  return found;
}

/** @returns user and system time of a process, its running children, and those that it has waited for, in seconds. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const each of processTree(pid)) {
    try {
      const text = readFileSync(`/proc/${each}/stat`, "utf8");
      // The name, in parentheses, may hold spaces. utime, stime, cutime and cstime are fields 14 to 17, counted from 1.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      for (const field of fields.slice(11, 15)) ticks += Number(field);
    } catch {
      // It ended while it was looked at.
    }
  }
  return ticks / TICKS_PER_SECOND;
}

function statusBytes(pid: number, field: "VmRSS" | "VmHWM"): number {
  let bytes = 0;
  for (const each of processTree(pid)) {
    try {
      const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${each}/status`, "utf8"));
      bytes += Number(match?.[1] ?? 0) * 1024;
    } catch {
      // It ended while it was looked at.
    }
  }
  return bytes;
}

/** @returns what is resident now, the children included, in bytes. Pages that they share count in each. */
export const residentBytes = (pid: number): number => statusBytes(pid, "VmRSS");

/** @returns the most that was resident since the last `forgetPeak`. */
export const peakResidentBytes = (pid: number): number => statusBytes(pid, "VmHWM");

/** Starts the peak anew from what is resident now. */
export function forgetPeak(pid: number): void {
  for (const each of processTree(pid)) {
    try {
      writeFileSync(`/proc/${each}/clear_refs`, "5");
    } catch {
      // It ended while it was looked at.
    }
  }
}
