// The benchmark of the emulated links: goes through the cells, each with one flow of the tunnel, of the kernel's CUBIC and of its BBR, then
// through the pairs of flows and the slow link. Progress goes to stderr, the report to stdout or a file.
//
//   npm run bench -- --links [--quick | --whole] [--runs 3] [--only "100 Mbit/s, 50 ms"] [--keep FILE] [--limit SECONDS] [--save]
//
// A cross through the grid takes fifteen minutes, --quick five, --whole an hour and a half. With --keep what was measured stays in a file: a run that was
// interrupted, or ended by --limit, goes on where it stopped.

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  type CellTimes,
  fairnessCells,
  fairnessTimesOf,
  type LinkCell,
  nameOf,
  quickCells,
  timesOf,
  usualCells,
  wholeGrid,
} from "./link-cell.ts";
import { measureFlows } from "./link-flow.ts";
import { type FlowKind, LinkLab } from "./link-lab.ts";
import { type CellRecord, LinkRecords } from "./link-record.ts";
import { writeLinkReport } from "./link-report.ts";
import { describeMachine, describeUnrest } from "./machine-description.ts";
import { measureKeystrokes } from "./slow-link.ts";

const { values: options } = parseArgs({
  options: {
    links: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    whole: { type: "boolean", default: false },
    save: { type: "boolean", default: false },
    runs: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    keep: { type: "string" },
    limit: { type: "string", default: "3600" },
  },
});
const startMs = performance.now();
const elapsedSeconds = (): number => (performance.now() - startMs) / 1000;
const say = (text: string): void => {
  process.stderr.write(`${elapsedSeconds().toFixed(0).padStart(4)} s  ${text}\n`);
};

const ALONE: readonly FlowKind[] = ["tunnel", "tunnel-bbr", "cubic", "bbr"];
const TOGETHER: readonly (readonly FlowKind[])[] = [
  ["tunnel", "tunnel"],
  ["tunnel", "cubic"],
  ["cubic", "cubic"],
];
const QUICK_TYPING_MS = 12_000;
const TYPING_MS = 25_000;

const machine = describeMachine();
const unrest = describeUnrest();
const chosen = options.whole ? wholeGrid : options.quick ? quickCells : usualCells;
const isWanted = (cell: LinkCell): boolean => nameOf(cell).includes(options.only);
const cells = chosen.filter(isWanted);
const fairness = (options.quick ? fairnessCells.slice(0, 1) : fairnessCells).filter(isWanted);
const limitSeconds = Number(options.limit);
const runs = Number(options.runs);
const records = new LinkRecords(options.keep);
const keptRecords = records.all.length;

/** @returns false where the time is used up. */
async function attempt(what: string, measure: () => Promise<string>): Promise<boolean> {
  if (elapsedSeconds() > limitSeconds) return false;
  try {
    say(`${what}: ${await measure()}`);
  } catch (error) {
    // Without a figure the cell stays empty in the table, and the others are measured all the same.
    say(`${what}: ${(error as Error).message.split("\n")[0]}`);
  }
  return true;
}

async function flowsOf(
  place: LinkLab,
  about: CellRecord["about"],
  cell: LinkCell,
  kinds: readonly FlowKind[],
  times: CellTimes,
  run: number,
): Promise<boolean> {
  if (records.cells(about, nameOf(cell), kinds).length > run) return true;
  return attempt(`${nameOf(cell)}: ${kinds.join(" and ")}`, async () => {
    const record = await measureFlows(place, about, cell, kinds, times);
    records.add(record);
    const rates = record.flows.map(({ mbps }) => mbps.toFixed(2)).join(" and ");
    return `${rates} Mbit/s, queue ${record.queueMeanMs.toFixed(2)} ms`;
  });
}

async function keystrokes(place: LinkLab, kind: FlowKind, isBusy: boolean, run: number): Promise<boolean> {
  if (records.keystrokes(kind, isBusy).length > run) return true;
  return attempt(`keystrokes, ${kind}${isBusy ? " beside a file" : ""}`, async () => {
    const record = await measureKeystrokes(place, kind, isBusy, options.quick ? QUICK_TYPING_MS : TYPING_MS);
    records.add(record);
    return `p50 ${record.p50Ms.toFixed(0)} ms, p95 ${record.p95Ms.toFixed(0)} ms of ${record.count}`;
  });
}

/** @returns false where the time ran out before its end. */
async function measureRun(place: LinkLab, run: number): Promise<boolean> {
  for (const cell of cells) {
    for (const kind of ALONE) if (!(await flowsOf(place, "alone", cell, [kind], timesOf(cell), run))) return false;
  }
  for (const cell of fairness) {
    for (const kinds of TOGETHER) {
      if (!(await flowsOf(place, "fairness", cell, kinds, fairnessTimesOf(cell), run))) return false;
    }
  }
  if (options.only !== "") return true;
  for (const kind of ["tunnel", "tunnel-bbr", "cubic"] as const) {
    for (const isBusy of [false, true]) if (!(await keystrokes(place, kind, isBusy, run))) return false;
  }
  return true;
}

const place = await LinkLab.create();
try {
  let isWhole = true;
  for (let run = 0; run < runs && isWhole; run++) isWhole = await measureRun(place, run);
  say(isWhole ? "all measured" : "the time is used up");
} finally {
  await place.destroy();
}
const priority = place.isHurried ? "before everything else on the machine (real time)" : "ordinary";
machine.push(["priority of the link and of the processes measured", priority]);
if (keptRecords > 0) {
  machine.push(["measured", `piece by piece: ${keptRecords} of ${records.all.length} figures in earlier runs`]);
}
const words = ["--links", ...(["quick", "whole"] as const).filter((word) => options[word]).map((word) => `--${word}`)];
const command = `npm run bench -- ${words.join(" ")}`;
const report = writeLinkReport({
  records,
  cells,
  fairness,
  fairnessKinds: TOGETHER,
  machine,
  unrest,
  command,
});
// The script runs as dist/scripts/bench/link-bench.js; the results lie beside its source.
const file = fileURLToPath(new URL("../../../scripts/bench/LINKS.md", import.meta.url));
if (options.save) writeFileSync(file, report);
else process.stdout.write(report);
process.exit(0);
