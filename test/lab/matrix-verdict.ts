// What is expected of each pair of NATs, and what a measured row has to say against it. Two kinds of faults: a wrong way, a broken
// transfer or a flooded router is one on any machine; a time is one only where the machine had nothing else to do.

import type { MatrixRow, MatrixRun, NatPair } from "./matrix-run.ts";
import { expectedBehaviour } from "./nat-observation.ts";
import { hasIpv6, type NatKind, natOf, type SiteKind } from "./router-rules.ts";

/** What a row's sides may be. */
export const siteKinds: readonly SiteKind[] = [
  ...(Object.keys(expectedBehaviour) as NatKind[]),
  "dual-stack",
  "v6-firewall",
];

/** Every kind of NAT, from the easiest on. */
export const matrixKinds = Object.keys(expectedBehaviour) as NatKind[];

/** Every pair of NATs once, the easier side as the service's; and what there is to be seen of IPv6. */
export const matrixPairs: readonly NatPair[] = [
  ...matrixKinds.flatMap((a, index) => matrixKinds.slice(index).map((b): NatPair => [a, b])),
  ["dual-stack", "dual-stack"],
  ["dual-stack", "v6-firewall"],
  ["v6-firewall", "v6-firewall"],
  ["dual-stack", "port-restricted"],
  ["dual-stack", "symmetric"],
  ["v6-firewall", "port-restricted"],
];

/** How a pair comes together, as far as it does. */
export type Meeting = "dialled-or-punched" | "birthday" | "relay";

/** Most flows in a router at once, and new within a second: home routers have tables of one or two thousand. */
export const FLOWS_MAX = 1_000;
export const FLOWS_PER_SECOND_MAX = 300;
export const FIRST_BYTE_MAX_MS = 300;
const DIRECT_ROUND_TRIPS_MAX = 3;

/** Time to direct, half of the time and nearly always. */
export const directLimits: Readonly<Record<Meeting, { readonly p50Ms: number; readonly p95Ms: number }>> = {
  "dialled-or-punched": { p50Ms: 60, p95Ms: 500 },
  birthday: { p50Ms: 3_000, p95Ms: 12_000 },
  relay: { p50Ms: Number.POSITIVE_INFINITY, p95Ms: Number.POSITIVE_INFINITY },
};

const blocksUdp = (kind: NatKind | undefined): boolean => kind !== undefined && expectedBehaviour[kind] === undefined;
const isHard = (kind: NatKind): boolean => expectedBehaviour[kind]?.mapping !== "endpoint";
const filtersPorts = (kind: NatKind): boolean => expectedBehaviour[kind]?.filtering === "address-and-port";

/** @returns how the two are expected to meet: over IPv6 where they have it both, else over IPv4 where they have that both. */
export function meetingOf([siteA, siteB]: NatPair): Meeting {
  if (hasIpv6(siteA) && hasIpv6(siteB)) return "dialled-or-punched";
  const [a, b] = [natOf(siteA), natOf(siteB)];
  if (a === undefined || b === undefined) return "relay";
  if (blocksUdp(a) || blocksUdp(b) || (isHard(a) && isHard(b))) return "relay";
  const easy = isHard(a) ? b : a;
  return (isHard(a) || isHard(b)) && filtersPorts(easy) ? "birthday" : "dialled-or-punched";
}

/** @returns the smallest value that this share of all does not exceed. */
export function quantile(values: readonly number[], share: number): number | undefined {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

/** Where UDP is blocked two agents may still meet over TCP, if both routers keep ports; the relay is enough. */
const mayBeDirect = (pair: NatPair): boolean =>
  meetingOf(pair) !== "relay" || pair.some((site) => blocksUdp(natOf(site)));

function faultsOfRun(run: MatrixRun, pair: NatPair): string[] {
  const faults: string[] = [];
  if (run.trouble !== "") faults.push(run.trouble);
  else if (run.via === "relay" && meetingOf(pair) !== "relay") faults.push("relay instead of direct");
  else if (run.via === "direct" && !mayBeDirect(pair)) faults.push("direct instead of relay");
  else if (!run.isWhole) faults.push("the transfer was not whole");
  for (const { alive, newPerSecond } of run.flows) {
    if (alive > FLOWS_MAX) faults.push(`${alive} flows in a router`);
    if (newPerSecond > FLOWS_PER_SECOND_MAX) faults.push(`${newPerSecond} new flows a second`);
  }
  return faults;
}

/** @returns what is wrong on any machine, each fault once. */
export function faultsOf(row: MatrixRow): string[] {
  return [...new Set(row.runs.flatMap((run) => faultsOfRun(run, row.pair)))];
}

/** @returns which times are longer than they may be on a machine with nothing else to do. */
export function delaysOf(row: MatrixRow): string[] {
  const limits = directLimits[meetingOf(row.pair)];
  // Where the way is long, a direct path is due within three round trips of the relay; what takes longer by itself may take as long.
  const wayMs = DIRECT_ROUND_TRIPS_MAX * row.roundTripMs;
  const [p50Ms, p95Ms] = [Math.max(limits.p50Ms, wayMs), Math.max(limits.p95Ms, wayMs)];
  const delays: string[] = [];
  // What never came was later than anything.
  const check = (what: string, values: readonly (number | undefined)[], share: number, limitMs: number): void => {
    const late = values.map((ms) => ms ?? Number.POSITIVE_INFINITY);
    const value = quantile(late, share);
    if (value !== undefined && value > limitMs)
      delays.push(`${what} ${Number.isFinite(value) ? `${Math.round(value)} ms` : "never"}`);
  };
  const directMs = row.runs.map((run) => run.directMs);
  check("direct p50", directMs, 0.5, p50Ms);
  check("direct p95", directMs, 0.95, p95Ms);
  check(
    "first byte",
    row.runs.map((run) => run.firstByteMs),
    1,
    FIRST_BYTE_MAX_MS + wayMs,
  );
  return delays;
}
