// The processor time that contenders take while nobody uses them; all of them are watched over the same seconds.

import { setTimeout as sleep } from "node:timers/promises";
import type { Contender } from "./contender.ts";
import { processFigure } from "./measurement.ts";
import { cpuSeconds } from "./process-usage.ts";
import type { Results } from "./results.ts";

export async function measureIdle(contenders: readonly Contender[], lastsMs: number, round: number, results: Results) {
  const all = contenders.flatMap(({ name, processes }) => processes.map((process) => ({ name, ...process })));
  const before = all.map(({ pid }) => cpuSeconds(pid));
  const startMs = performance.now();
  await sleep(lastsMs);
  const seconds = (performance.now() - startMs) / 1000;
  for (const [index, { name, role, pid }] of all.entries()) {
    const share = (cpuSeconds(pid) - (before[index] ?? 0)) / seconds;
    results.add(name, processFigure(role, "idle CPU"), round, share * 100);
  }
}
