// The processor time that contenders take while nobody uses them; all of them are watched over the same seconds. What the
// machine does besides in these seconds is not ours, and tells how far the other figures are to be believed.

import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Contender } from "./contender.ts";
import { processFigure } from "./measurement.ts";
import { cpuSeconds } from "./process-usage.ts";
import type { Results } from "./results.ts";

/** @returns the processor time of the whole machine so far: busy, and all there was, in ms. */
export function machineTimes(): { readonly busyMs: number; readonly allMs: number } {
  let busyMs = 0;
  let allMs = 0;
  for (const { times } of cpus()) {
    const working = times.user + times.nice + times.sys + times.irq;
    busyMs += working;
    allMs += working + times.idle;
  }
  return { busyMs, allMs };
}

/** @returns the part of the machine that was busy with something else meanwhile, 0 to 1. */
export async function measureIdle(contenders: readonly Contender[], lastsMs: number, round: number, results: Results) {
  const all = contenders.flatMap(({ name, processes }) => processes.map((process) => ({ name, ...process })));
  const machineBefore = machineTimes();
  const before = all.map(({ pid }) => cpuSeconds(pid));
  const startMs = performance.now();
  await sleep(lastsMs);
  const seconds = (performance.now() - startMs) / 1000;
  const machineAfter = machineTimes();
  for (const [index, { name, role, pid }] of all.entries()) {
    const share = (cpuSeconds(pid) - (before[index] ?? 0)) / seconds;
    results.add(name, processFigure(role, "idle CPU"), round, share * 100);
  }
  return (machineAfter.busyMs - machineBefore.busyMs) / (machineAfter.allMs - machineBefore.allMs);
}
