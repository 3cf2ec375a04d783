// The matrix as a table: a line a pair, what was measured and what is wrong with it.

import type { FlowPeaks } from "./matrix-flows.ts";
import type { MatrixRow } from "./matrix-run.ts";
import { delaysOf, faultsOf, quantile } from "./matrix-verdict.ts";
import type { Dependence, NatObservation } from "./nat-observation.ts";

const SHORT: Readonly<Record<Dependence, string>> = { endpoint: "EI", address: "AD", "address-and-port": "APD" };

const COLUMNS = [
  ["service", 24],
  ["client", 24],
  ["service's NAT", 18],
  ["client's NAT", 18],
  ["path", 8],
  ["first byte", 10],
  ["direct", 10],
  ["flows", 10],
  ["new/s", 10],
  ["whole", 6],
] as const;

const LEGEND = [
  "NAT: mapping/filtering, each endpoint-independent (EI), address-dependent (AD) or address-and-port-dependent (APD); = keeps",
  "ports, ! is spoilt by a packet that comes too early; of IPv6's firewall where there is no IPv4. Path: /6 is IPv6. Times: p50/p95 in ms.",
  "Flows: the most alive in a router of each side, and new in a second.",
];

function nat(observation: NatObservation): string {
  if (!observation.udp) return "no UDP";
  const { mapping, filtering, portsPreserved, survivesEarlyProbe } = observation;
  return `${SHORT[mapping]}/${SHORT[filtering]}${portsPreserved ? " =" : ""}${survivesEarlyProbe ? "" : " !"}`;
}

const pad = (cells: readonly string[]): string =>
  cells
    .map((cell, i) => cell.padEnd(COLUMNS[i]?.[1] ?? 0))
    .join(" ")
    .trimEnd();

const rounded = (ms: number | undefined): string => (Number.isFinite(ms) ? String(Math.round(ms as number)) : "–");

/** What never came was later than anything, and shows as –. */
const p50p95 = (values: readonly (number | undefined)[]): string => {
  const all = values.map((ms) => ms ?? Number.POSITIVE_INFINITY);
  return `${rounded(quantile(all, 0.5))}/${rounded(quantile(all, 0.95))}`;
};

/** The most that any of the runs cost each of the two sides. */
function most(row: MatrixRow, of: (peaks: FlowPeaks) => number): string {
  return [0, 1].map((side) => Math.max(...row.runs.map((run) => of(run.flows[side as 0 | 1])))).join("/");
}

export const tableHead = (): string => [...LEGEND, "", pad(COLUMNS.map(([name]) => name))].join("\n");

export function tableLine(row: MatrixRow): string {
  const ways = new Set(row.runs.map(({ via, family }) => `${via ?? "none"}${via && family === 6 ? "/6" : ""}`));
  const cells = pad([
    ...row.pair,
    ...row.observed.map(nat),
    [...ways].join(","),
    p50p95(row.runs.map((run) => run.firstByteMs)),
    p50p95(row.runs.map((run) => run.directMs)),
    most(row, ({ alive }) => alive),
    most(row, ({ newPerSecond }) => newPerSecond),
    row.runs.every((run) => run.isWhole) ? "yes" : "NO",
  ]);
  const remarks = [
    ...faultsOf(row).map((fault) => `FAULT ${fault}`),
    ...delaysOf(row).map((delay) => `late: ${delay}`),
  ];
  return remarks.length === 0 ? cells : `${cells.padEnd(152)} ${remarks.join("; ")}`;
}
