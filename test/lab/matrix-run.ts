// One pair of NATs, measured: what each really does, how the two sides meet, how soon, what it costs their routers, and whether what is
// transferred arrives whole. Each run starts both agents anew, on new ports, before routers that remember nothing. The two are started
// together, and `connect` is told the ticket when `expose` has measured its NAT: one that has been running for a while is warm.

import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
import { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import { type Exposed, LabTunnel } from "./lab-tunnel.ts";
import { type FlowPeaks, FlowWatch } from "./matrix-flows.ts";
import type { MatrixTurn } from "./matrix-turn.ts";
import { type NatObservation, observeNats } from "./nat-observation.ts";
import type { SiteKind } from "./router-rules.ts";
import type { LabSite } from "./topology.ts";
import { UserspaceLink } from "./userspace-link.ts";

/** The service's side first, the client's second. */
export type NatPair = readonly [SiteKind, SiteKind];

export interface MatrixRun {
  /** The way of the data when the run was over; undefined where the two never met. */
  readonly via: "direct" | "relay" | undefined;
  /** Of the address that the client sent them to. */
  readonly family: 4 | 6;
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
  /** Round trip between the two sites, and of each to the rendezvous and back by it, in ms; 0 where nothing was delayed. */
  readonly roundTripMs: number;
}

export interface MatrixOptions {
  readonly runs: number;
  /** How long the direct path may take where one is expected. */
  readonly directTimeoutMs: number;
  /** Whether the two are expected to meet directly; where not, the run ends soon. */
  expectsDirect(pair: NatPair): boolean;
  /** Whose turn it is, where several pairs are measured side by side. */
  readonly turn: MatrixTurn;
  /** As in the row. */
  readonly roundTripMs: number;
  /** Routers between the two sites' own. */
  readonly hops: number;
}

const CONTACT_TIMEOUT_MS = 10_000;
/** By then an agent has measured its NAT, or never will. */
const WARM_MS = 2_500;
/** A birthday takes longer, but nothing of which others have to keep clear. */
const TURN_MS = 1_000;
/** A direct path that nobody expects would be there by then. */
const UNEXPECTED_MS = 2_000;
const TRANSFER_BYTES = 5_000_000;
const POLL_MS = 5;
const SERVICE_PORT = 3000;

const pathOf = (process: LabProcess) => process.events.findLast(({ event }) => event === "path")?.fields;
const isDirect = (process: LabProcess): boolean => pathOf(process)?.via === "direct";

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

const NO_FLOWS: FlowPeaks = { alive: 0, newPerSecond: 0 };

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
  family: 4 | 6;
  firstByteMs?: number;
  directMs?: number | undefined;
  isWhole: boolean;
}

interface Run {
  readonly tunnel: LabTunnel;
  readonly turn: MatrixTurn;
  readonly waitDirectMs: number;
  /** Programs that end with the run. */
  readonly started: LabProcess[];
  readonly found: Meeting;
}

/** @returns an agent that is warm, and a `connect` that waits for its ticket. */
async function startAgents({ tunnel, started }: Run): Promise<{ exposed: Exposed; client: LabProcess }> {
  const client = tunnel.startConnect(SERVICE_PORT);
  started.push(client);
  const exposed = await tunnel.expose(SERVICE_PORT, { args: ["--log-level", "debug"] });
  started.push(exposed.process);
  return { exposed, client };
}

async function meet(run: Run): Promise<void> {
  const { tunnel, turn, waitDirectMs, found } = run;
  const { lab, clientHost } = tunnel;
  const { exposed, client } = await turn.take(() => startAgents(run));
  // Where no UDP gets through there is nothing to wait for.
  await exposed.process.waitForLine(/measured the NAT/, WARM_MS).catch(() => {});
  const { local, direct } = await turn.take(async () => {
    const local = await tunnel.tellTicket(client, exposed.ticket);
    const first = Download.start(lab, clientHost, { local, lengthBytes: 1000, limitSeconds: 20 });
    await client.waitForJson("path", CONTACT_TIMEOUT_MS);
    const direct = timeToDirect([exposed.process, client], waitDirectMs);
    found.firstByteMs = (await first.assertWhole()).firstByteMs;
    await Promise.race([direct, sleep(TURN_MS)]);
    return { local, direct };
  });
  found.directMs = await direct;
  const order = { local, lengthBytes: TRANSFER_BYTES, limitSeconds: 30 };
  await turn.take(() => Download.start(lab, clientHost, order).assertWhole());
  found.isWhole = true;
  found.via = isDirect(client) ? "direct" : "relay";
  found.family = String(pathOf(client)?.remote).startsWith("[") ? 6 : 4;
}

async function runOnce(tunnel: LabTunnel, turn: MatrixTurn, waitDirectMs: number): Promise<MatrixRun> {
  const { lab } = tunnel;
  const watch = ({ router, outerRouter }: LabSite): Promise<FlowWatch[]> =>
    Promise.all([...new Set([router, outerRouter])].map((node) => FlowWatch.start(lab, node)));
  const watches = await Promise.all([watch(lab.sites.A), watch(lab.sites.B)]);
  const started: LabProcess[] = [];
  const found: Meeting = { via: undefined, family: 4, isWhole: false };
  let trouble = "";
  try {
    await meet({ tunnel, turn, waitDirectMs, started, found });
  } catch (error) {
    trouble = (error as Error).message.split("\n")[0] as string;
  }
  let flows: MatrixRun["flows"] = [NO_FLOWS, NO_FLOWS];
  try {
    flows = (await Promise.all(watches.map(peaksOf))) as [FlowPeaks, FlowPeaks];
  } catch (error) {
    // On a machine that is very busy some are missed: that run proves nothing, and the others are as good as ever.
    if (trouble === "") trouble = (error as Error).message.split("\n")[0] as string;
  }
  await Promise.all(started.map((process) => process.stop("SIGKILL")));
  const { via, family, firstByteMs, directMs, isWhole } = found;
  return { via, family, firstByteMs, directMs, isWhole, flows, trouble };
}

/** Makes the way between the sites as long as that, and the way over the rendezvous as well. */
async function delay(lab: Lab<"A" | "B">, roundTripMs: number): Promise<void> {
  if (roundTripMs === 0) return;
  const [a, b] = [lab.sites.A.outerRouter, lab.sites.B.outerRouter];
  await UserspaceLink.between(lab, a, lab.rendezvous, { delayMs: roundTripMs / 4 });
  await UserspaceLink.between(lab, b, lab.rendezvous, { delayMs: roundTripMs / 4 });
  await UserspaceLink.between(lab, a, b, { delayMs: roundTripMs / 2 });
}

/** Builds a lab for the pair, measures it, and removes it. */
export async function measurePair(pair: NatPair, options: MatrixOptions): Promise<MatrixRow> {
  const lab = await Lab.create<"A" | "B">({ A: pair[0], B: pair[1] });
  try {
    await lab.faults.setRoutersBetween(options.hops);
    await delay(lab, options.roundTripMs);
    const observed = (await observeNats(lab, lab.sites.A, lab.sites.B)) as [NatObservation, NatObservation];
    const tunnel = new LabTunnel(lab);
    await tunnel.startRendezvous({ alternate: true });
    await tunnel.serveFiles(SERVICE_PORT);
    const waitDirectMs = options.expectsDirect(pair) ? options.directTimeoutMs : UNEXPECTED_MS;
    const runs: MatrixRun[] = [];
    for (let i = 0; i < options.runs; i++) runs.push(await runOnce(tunnel, options.turn, waitDirectMs));
    return { pair, observed, runs, roundTripMs: options.roundTripMs };
  } finally {
    await lab.destroy();
  }
}
