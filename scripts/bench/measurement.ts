// One kind of measurement on one contender: starts the load client at the contender's place, watches what the contender's
// processes use meanwhile, and turns both into named figures.

import { fileURLToPath } from "node:url";
import type { LabProcess } from "../../test/lab/lab-process.ts";
import type { Contender } from "./contender.ts";
import type { LoadOrder } from "./load-order.ts";
import { cpuSeconds, forgetPeak, peakResidentBytes, residentBytes } from "./process-usage.ts";

/** Figures by name; `measurementFigures` and `processFigure` make the names. */
export type Figures = Readonly<Record<string, number>>;

export interface Measurement {
  readonly name: string;
  readonly run: (contender: Contender, times: LoadTimes) => Promise<Figures>;
  /** Measured in every second round only. */
  readonly isLong?: boolean;
}

/** How long the loads last. */
export interface LoadTimes {
  readonly warmUpMs: number;
  readonly bulkMs: number;
  readonly roundTripsMs: number;
  readonly connectionsMs: number;
}

const CROWD = 2000;
/** Connections that are opened at a time. */
const LANES = 16;
const LOAD_LIMIT_MS = 10_000;
const GB = 1e9;
const loadClient = fileURLToPath(new URL("./load-client.js", import.meta.url));

/** @returns the name of a figure about one process of a contender. */
export const processFigure = (role: string, quantity: string): string => `${role}: ${quantity}`;

function startLoad({ lab, client, host, port }: Contender, order: LoadOrder): LabProcess {
  const argv = [process.execPath, loadClient, host, String(port), JSON.stringify(order)];
  return lab.spawn(client, argv, { title: `load ${order.load}` });
}

async function resultOf(load: LabProcess): Promise<Figures> {
  try {
    const { event: _, ...figures } = (await load.waitForJson("result", LOAD_LIMIT_MS)).fields;
    return figures as Figures;
  } catch (error) {
    const wasRunning = load.isRunning;
    await load.stop("SIGKILL");
    if (wasRunning) throw new Error(`not done within ${LOAD_LIMIT_MS / 1000} s`);
    throw error;
  }
}

function refuse(failures: number | undefined): void {
  if (failures !== undefined && failures > 0) throw new Error(`${failures} connections failed`);
}

/** Streams, with the processor time that each process spent on a gigabyte where it is asked for. */
async function bulk(
  contender: Contender,
  times: LoadTimes,
  direction: "down" | "up",
  streams: number,
  usage: boolean,
): Promise<Figures> {
  const { processes } = contender;
  for (const { pid } of usage ? processes : []) forgetPeak(pid);
  const before = processes.map(({ pid }) => cpuSeconds(pid));
  const order = { load: "bulk", direction, streams, warmUpMs: times.warmUpMs, durationMs: times.bulkMs } as const;
  const load = startLoad(contender, order);
  const { bytesPerSecond = Number.NaN, bytes = Number.NaN, failures } = await resultOf(load);
  const spent = processes.map(({ pid }, index) => cpuSeconds(pid) - (before[index] ?? 0));
  await load.ended;
  refuse(failures);
  const figures: Record<string, number> = { [`${streams} ${direction}`]: (bytesPerSecond * 8) / 1e6 };
  if (!usage) return figures;
  for (const [index, { role, pid }] of processes.entries()) {
    figures[processFigure(role, `CPU ${direction}`)] = ((spent[index] ?? 0) * GB) / bytes;
    figures[processFigure(role, "memory bulk")] = peakResidentBytes(pid) / 1e6;
  }
  if (processes.length > 0) {
    figures[`CPU ${direction}`] = (spent.reduce((sum, seconds) => sum + seconds, 0) * GB) / bytes;
  }
  return figures;
}

async function roundTrips(contender: Contender, times: LoadTimes, suffix: string): Promise<Figures> {
  const load = startLoad(contender, { load: "round-trips", durationMs: times.roundTripsMs, countMax: 20_000 });
  const result = await resultOf(load);
  await load.ended;
  const micro = (value: number | undefined): number => (value ?? Number.NaN) * 1000;
  return {
    [`p50 ${suffix}`]: micro(result.p50Ms),
    [`p99 ${suffix}`]: micro(result.p99Ms),
    [`p99.9 ${suffix}`]: micro(result.p999Ms),
  };
}

/** Round trips while another process at the same place downloads as fast as it can. */
async function busyRoundTrips(contender: Contender, times: LoadTimes): Promise<Figures> {
  const { warmUpMs, roundTripsMs } = times;
  // A node process takes a fraction of a second to start: the stream outlasts the round trips.
  const order = { load: "bulk", direction: "down", streams: 1, warmUpMs, durationMs: roundTripsMs + 500 } as const;
  const load = startLoad(contender, order);
  try {
    await load.waitForJson("warm", LOAD_LIMIT_MS);
    return await roundTrips(contender, times, "busy");
  } finally {
    await load.stop("SIGKILL");
  }
}

async function connections(contender: Contender, times: LoadTimes): Promise<Figures> {
  const order = { load: "connections", durationMs: times.connectionsMs, countMax: 5000, lanes: LANES } as const;
  const load = startLoad(contender, order);
  const { perSecond = Number.NaN, failures } = await resultOf(load);
  await load.ended;
  refuse(failures);
  return { connections: perSecond };
}

async function crowd(contender: Contender): Promise<Figures> {
  const load = startLoad(contender, { load: "crowd", count: CROWD, lanes: LANES });
  const { openedMs = Number.NaN, failures } = await resultOf(load);
  const figures: Record<string, number> = { crowd: openedMs / 1000 };
  for (const { role, pid } of contender.processes) {
    figures[processFigure(role, "memory crowd")] = residentBytes(pid) / 1e6;
  }
  load.endInput();
  await load.ended;
  refuse(failures);
  return figures;
}

export const measurements: readonly Measurement[] = [
  { name: "1 stream down", run: (contender, times) => bulk(contender, times, "down", 1, true) },
  { name: "1 stream up", run: (contender, times) => bulk(contender, times, "up", 1, true) },
  { name: "8 streams down", run: (contender, times) => bulk(contender, times, "down", 8, false) },
  { name: "100 streams down", run: (contender, times) => bulk(contender, times, "down", 100, false) },
  { name: "round trips, idle", run: (contender, times) => roundTrips(contender, times, "idle") },
  { name: "round trips beside a download", run: busyRoundTrips },
  { name: "connections", run: connections },
  { name: `${CROWD} connections at once`, run: crowd, isLong: true },
];

/** Measures what is resident before any load. */
export function idleMemory({ processes }: Contender): Figures {
  return Object.fromEntries(
    processes.map(({ role, pid }) => [processFigure(role, "memory idle"), residentBytes(pid) / 1e6]),
  );
}
