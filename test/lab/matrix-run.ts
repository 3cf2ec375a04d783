// One pair of NATs, measured: what each really does, how the two sides meet, how soon, what it costs their routers, and whether what is
// transferred arrives whole. Each run starts both agents anew, on new ports, before routers that remember nothing.

import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
import { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import { LabTunnel } from "./lab-tunnel.ts";
import { type FlowPeaks, FlowWatch } from "./matrix-flows.ts";
import { type NatObservation, observeNats } from "./nat-observation.ts";
import type { NatKind } from "./router-rules.ts";
import type { LabSite } from "./topology.ts";

/** The service's side first, the client's second. */
export type NatPair = readonly [NatKind, NatKind];

export interface MatrixRun {
  /** The way of the data when the run was over; undefined where the two never met. */
  readonly via: "direct" | "relay" | undefined;
  /** From the TCP connection to the first byte of the answer. */
  readonly firstByteMs: number | undefined;
  /** From first contact until both sides said that they are direct. */
  readonly directMs: number | undefined;
  /** What arrived is what was sent. */
  readonly isWhole: boolean;
  /** On the router of each side that had more. */
  readonly flows: readonly [FlowPeaks, FlowPeaks];
  /** What went wrong, in a line; empty where nothing did. */
  readonly trouble: string;
}

export interface MatrixRow {
  readonly pair: NatPair;
  readonly observed: readonly [NatObservation, NatObservation];
  readonly runs: readonly MatrixRun[];
}

export interface MatrixOptions {
  readonly runs: number;
  /** How long the direct path may take where one is expected. */
  readonly directTimeoutMs: number;
  /** Whether the two are expected to meet directly; where not, the run ends soon. */
  expectsDirect(pair: NatPair): boolean;
}

const CONTACT_TIMEOUT_MS = 10_000;
/** What an agent that has been running for a while knows: its NAT has been measured. */
const WARM_MS = 2_000;
/** A direct path that nobody expects would be there by then. */
const UNEXPECTED_MS = 2_000;
const TRANSFER_BYTES = 5_000_000;
const POLL_MS = 5;
const SERVICE_PORT = 3000;

const isDirect = (process: LabProcess): boolean =>
  process.events.findLast(({ event }) => event === "path")?.fields.via === "direct";

/** @returns how long after first contact both sides were direct. */
async function timeToDirect(sides: readonly LabProcess[], timeoutMs: number): Promise<number | undefined> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!sides.every(isDirect)) {
    if (performance.now() > deadlineMs) return undefined;
    await sleep(POLL_MS);
  }
  const paths = sides.map((side) => side.events.filter(({ event }) => event === "path"));
  const contactMs = Math.min(...paths.map((events) => events[0]?.atMs ?? 0));
  const directMs = Math.max(...paths.map((events) => events.at(-1)?.atMs ?? 0));
  return directMs - contactMs;
}

/** The fuller of a site's routers. */
async function peaksOf(watches: readonly FlowWatch[]): Promise<FlowPeaks> {
  const peaks = await Promise.all(watches.map((watch) => watch.stop()));
  return {
    alive: Math.max(...peaks.map(({ alive }) => alive)),
    newPerSecond: Math.max(...peaks.map(({ newPerSecond }) => newPerSecond)),
  };
}

interface Meeting {
  via: MatrixRun["via"];
  firstByteMs?: number;
  directMs?: number | undefined;
  isWhole: boolean;
}

async function meet(tunnel: LabTunnel, started: LabProcess[], waitDirectMs: number, found: Meeting): Promise<void> {
  const { lab, clientHost } = tunnel;
  const exposed = await tunnel.expose(SERVICE_PORT);
  started.push(exposed.process);
  await sleep(WARM_MS);
  const { process, local } = await tunnel.connect(exposed.ticket, SERVICE_PORT);
  started.push(process);
  const first = Download.start(lab, clientHost, { local, lengthBytes: 1000, limitSeconds: 20 });
  await process.waitForJson("path", CONTACT_TIMEOUT_MS);
  found.firstByteMs = (await first.assertWhole()).firstByteMs;
  found.directMs = await timeToDirect([exposed.process, process], waitDirectMs);
  await Download.start(lab, clientHost, { local, lengthBytes: TRANSFER_BYTES, limitSeconds: 30 }).assertWhole();
  found.isWhole = true;
  found.via = isDirect(process) ? "direct" : "relay";
}

async function runOnce(tunnel: LabTunnel, waitDirectMs: number): Promise<MatrixRun> {
  const { lab } = tunnel;
  const watch = ({ router, outerRouter }: LabSite): Promise<FlowWatch[]> =>
    Promise.all([...new Set([router, outerRouter])].map((node) => FlowWatch.start(lab, node)));
  const [atA, atB] = [await watch(lab.sites.A), await watch(lab.sites.B)];
  const started: LabProcess[] = [];
  const found: Meeting = { via: undefined, isWhole: false };
  let trouble = "";
  try {
    await meet(tunnel, started, waitDirectMs, found);
  } catch (error) {
    trouble = (error as Error).message.split("\n")[0] as string;
  }
  const flows = [await peaksOf(atA), await peaksOf(atB)] as const;
  for (const process of started.reverse()) await process.stop("SIGKILL");
  const { via, firstByteMs, directMs, isWhole } = found;
  return { via, firstByteMs, directMs, isWhole, flows, trouble };
}

/** Builds a lab for the pair, measures it, and removes it. */
export async function measurePair(pair: NatPair, options: MatrixOptions): Promise<MatrixRow> {
  const lab = await Lab.create<"A" | "B">({ A: pair[0], B: pair[1] });
  try {
    const observed = (await observeNats(lab, lab.sites.A, lab.sites.B)) as [NatObservation, NatObservation];
    const tunnel = new LabTunnel(lab);
    await tunnel.startRendezvous({ alternate: true });
    await tunnel.serveFiles(SERVICE_PORT);
    const waitDirectMs = options.expectsDirect(pair) ? options.directTimeoutMs : UNEXPECTED_MS;
    const runs: MatrixRun[] = [];
    for (let i = 0; i < options.runs; i++) runs.push(await runOnce(tunnel, waitDirectMs));
    return { pair, observed, runs };
  } finally {
    await lab.destroy();
  }
}
