// Flows on a link: started together, left alone until slow start is over, and then watched for a while, at their ends and in the link.

import { availableParallelism } from "node:os";
import type { LabProcess } from "../../test/lab/lab-process.ts";
import type { CellTimes, LinkCell } from "./link-cell.ts";
import type { Flow, FlowKind, LinkLab } from "./link-lab.ts";
import type { CellRecord, FlowRecord } from "./link-record.ts";
import type { LoadOrder } from "./load-order.ts";
import { cpuSeconds } from "./process-usage.ts";

/** For a process to start on a busy machine, and for a connection over a link that loses packets. */
const SLACK_MS = 15_000;
/** A megabit a second is so many bytes a millisecond. */
const BYTES_PER_MS = 125;

async function endOf(load: LabProcess, event: string, limitMs: number): Promise<Readonly<Record<string, unknown>>> {
  return (await load.waitForJson(event, limitMs)).fields;
}

/**
 * @param kinds flows that share the link; of the kernel's controllers only one kind at a time.
 * @throws where a flow does not come about.
 */
export async function measureFlows(
  place: LinkLab,
  about: CellRecord["about"],
  cell: LinkCell,
  kinds: readonly FlowKind[],
  times: CellTimes,
): Promise<CellRecord> {
  await place.become(cell);
  const flows: Flow[] = [];
  const loads: LabProcess[] = [];
  try {
    for (const kind of kinds) flows.push(await place.start(kind));
    const droppedBefore = await place.droppedBefore();
    const overflowedBefore = await place.overflowed();
    const order: LoadOrder = { load: "bulk", direction: "down", streams: 1, ...times };
    for (const flow of flows) loads.push(place.load(flow, order));
    const limitMs = times.warmUpMs + SLACK_MS;
    await Promise.all(loads.map((load) => endOf(load, "warm", limitMs)));
    await place.link.forget();
    const cpuBefore = flows.map(({ pids }) => pids.map(cpuSeconds));
    const all = [...place.pids, ...flows.flatMap(({ pids }) => pids), ...loads.map(({ pid }) => pid)];
    const allBefore = all.map(cpuSeconds);
    const startMs = performance.now();
    const results = await Promise.all(loads.map((load) => endOf(load, "result", times.durationMs + SLACK_MS)));
    const seconds = (performance.now() - startMs) / 1000;
    const allSpent = all.map((pid, which) => cpuSeconds(pid) - (allBefore[which] ?? 0));
    const { there, spanMs } = await place.link.report();
    const measured = flows.map(({ pids }, index): FlowRecord => {
      const spent = pids.map((pid, which) => cpuSeconds(pid) - (cpuBefore[index]?.[which] ?? 0));
      return {
        kind: kinds[index] as FlowKind,
        mbps: (Number(results[index]?.bytesPerSecond) * 8) / 1e6,
        coreShare: Math.max(0, ...spent) / seconds,
      };
    });
    return {
      about,
      cell,
      flows: measured,
      queueMeanMs: there.queue.meanMs,
      queueP95Ms: there.queue.p95Ms,
      linkShare: there.deliveredBytes / (spanMs * cell.rateMbps * BYTES_PER_MS),
      ownShare: allSpent.reduce((sum, spent) => sum + Math.max(0, spent), 0) / seconds / availableParallelism(),
      lateShare: there.late / Math.max(1, there.delivered),
      dropped: (await place.droppedBefore()) - droppedBefore,
      overflowed: (await place.overflowed()) - overflowedBefore,
    };
  } finally {
    await Promise.all(loads.map((load) => load.stop("SIGKILL")));
    await Promise.all(flows.map((flow) => flow.end()));
    await place.drain(cell);
  }
}

/** Jain's index: 1 where all have the same, 1/n where one has everything. */
export function jainIndex(rates: readonly number[]): number {
  const sum = rates.reduce((total, rate) => total + rate, 0);
  const squares = rates.reduce((total, rate) => total + rate * rate, 0);
  return (sum * sum) / (rates.length * squares);
}
