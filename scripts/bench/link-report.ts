// The figures of the emulated links as Markdown: a summary, then ratios and what they are made of, cell by cell.

import { type LinkCell, nameOf } from "./link-cell.ts";
import { jainIndex } from "./link-flow.ts";
import type { FlowKind } from "./link-lab.ts";
import type { CellRecord, LinkRecords } from "./link-record.ts";
import { cell as figure, NOTHING, short, table } from "./markdown.ts";
import { spreadOf } from "./statistics.ts";

export interface LinkReportInput {
  readonly records: LinkRecords;
  readonly cells: readonly LinkCell[];
  readonly fairness: readonly LinkCell[];
  readonly fairnessKinds: readonly (readonly FlowKind[])[];
  readonly machine: readonly (readonly [string, string])[];
  readonly unrest: string | undefined;
  readonly command: string;
}

const TITLES: Readonly<Record<FlowKind, string>> = { tunnel: "tunnel", cubic: "kernel CUBIC", bbr: "kernel BBR" };
/** A link that is fuller than this is what limits a flow. */
const FULL = 0.9;
/** A process that has this much of a core, or a machine that is this busy, may be what limits a flow that does not fill the link. */
const BUSY_CORE = 0.85;
const BUSY_MACHINE = 0.95;
const LATE = 0.05;
const GOAL_LOSSLESS = 0.95;

const median = (values: readonly number[]): number | undefined => spreadOf(values)?.median;

/** Everything about one cell, each flow alone on the link. */
class CellFigures {
  readonly cell: LinkCell;
  private readonly records: LinkRecords;

  constructor(records: LinkRecords, cell: LinkCell) {
    this.records = records;
    this.cell = cell;
  }

  of(kind: FlowKind): readonly CellRecord[] {
    return this.records.cells("alone", nameOf(this.cell), [kind]);
  }

  private rates(kind: FlowKind): number[] {
    return this.of(kind).map(({ flows }) => flows[0]?.mbps ?? Number.NaN);
  }

  rate(kind: FlowKind) {
    return spreadOf(this.rates(kind));
  }

  ratio(reference: FlowKind) {
    const below = this.rates(reference);
    return spreadOf(this.rates("tunnel").map((rate, run) => rate / (below[run] ?? Number.NaN)));
  }

  queueMeanMs(kind: FlowKind): number | undefined {
    return median(this.of(kind).map(({ queueMeanMs }) => queueMeanMs));
  }

  queue(kind: FlowKind): string {
    const mean = this.queueMeanMs(kind);
    const p95 = median(this.of(kind).map(({ queueP95Ms }) => queueP95Ms));
    return mean === undefined || p95 === undefined ? NOTHING : `${short(mean)} / ${short(p95)}`;
  }

  /** Whether a flow of this kind may have been limited by the processor instead of the link. */
  isShortOfProcessor(kind: FlowKind): boolean {
    return this.of(kind).some(
      ({ linkShare, machineShare, flows }) =>
        linkShare < FULL && (machineShare > BUSY_MACHINE || flows.some(({ coreShare }) => coreShare > BUSY_CORE)),
    );
  }

  notes(): string {
    const notes: string[] = [];
    for (const kind of ["tunnel", "cubic", "bbr"] as const) {
      if (this.isShortOfProcessor(kind)) notes.push(`${TITLES[kind]}: processor`);
      const late = Math.max(0, ...this.of(kind).map(({ lateShare }) => lateShare));
      if (late > LATE) notes.push(`${TITLES[kind]}: ${(late * 100).toFixed(0)} % late`);
      const dropped = Math.max(0, ...this.of(kind).map((record) => record.dropped));
      if (dropped > 0) notes.push(`${TITLES[kind]}: ${dropped} dropped before the link`);
    }
    return notes.join("; ");
  }
}

function flowTable(figures: readonly CellFigures[]): string {
  const body = figures.map((each) => [
    nameOf(each.cell),
    figure(each.ratio("cubic")),
    figure(each.ratio("bbr")),
    figure(each.rate("tunnel")),
    figure(each.rate("cubic")),
    figure(each.rate("bbr")),
    each.queue("tunnel"),
    each.queue("cubic"),
    each.queue("bbr"),
    each.notes(),
  ]);
  const head = ["tunnel ÷ CUBIC", "tunnel ÷ BBR", "tunnel, Mbit/s", "CUBIC, Mbit/s", "BBR, Mbit/s"];
  const queues = ["queue of the tunnel, ms", "of CUBIC", "of BBR"];
  return table(["link", ...head, ...queues, "limited by other things than the link"], body);
}

/** How many cells reach a goal, of those that were limited by the link alone. */
function summary(figures: readonly CellFigures[]): string {
  const lines: string[] = [];
  const fair = figures.filter((each) => !each.isShortOfProcessor("tunnel") && !each.isShortOfProcessor("cubic"));
  const count = (cells: readonly CellFigures[], is: (each: CellFigures) => boolean): string =>
    `${cells.filter(is).length} of ${cells.length}`;
  const lossless = fair.filter(({ cell }) => cell.lossPercent === 0);
  lines.push(
    `Links without loss where the tunnel reaches 95 % of kernel CUBIC: ${count(lossless, (each) => (each.ratio("cubic")?.median ?? 0) >= GOAL_LOSSLESS)}.`,
  );
  const isNoDeeper = (each: CellFigures): boolean =>
    (each.queueMeanMs("tunnel") ?? 0) <= (each.queueMeanMs("cubic") ?? 0) * 1.05 + 0.1;
  lines.push(
    `Links without loss where its mean queue is no longer than kernel CUBIC's: ${count(lossless, isNoDeeper)}.`,
  );
  const lossy = fair.filter(({ cell }) => cell.lossPercent > 0);
  if (lossy.length > 0) {
    const reaches = (each: CellFigures): boolean => (each.ratio("cubic")?.median ?? 0) >= GOAL_LOSSLESS;
    lines.push(`Links with loss where the tunnel reaches 95 % of kernel CUBIC: ${count(lossy, reaches)}.`);
  }
  if (fair.length < figures.length) {
    lines.push(`Left out of these counts, because a processor was the limit: ${figures.length - fair.length}.`);
  }
  return lines.map((line) => `- ${line}`).join("\n");
}

function fairnessTable({ records, fairness, fairnessKinds }: LinkReportInput): string {
  const body = fairness.flatMap((each) =>
    fairnessKinds.map((kinds) => {
      const measured = records.cells("fairness", nameOf(each), kinds);
      const index = spreadOf(measured.map(({ flows }) => jainIndex(flows.map(({ mbps }) => mbps))));
      const rates = kinds.map((_, which) => spreadOf(measured.map(({ flows }) => flows[which]?.mbps ?? Number.NaN)));
      const queue = median(measured.map(({ queueMeanMs }) => queueMeanMs));
      return [
        nameOf(each),
        kinds.map((kind) => TITLES[kind]).join(" and "),
        figure(index),
        rates.map((rate) => short(rate?.median ?? Number.NaN)).join(" and "),
        queue === undefined ? NOTHING : short(queue),
      ];
    }),
  );
  return table(["link", "flows", "Jain's index", "Mbit/s", "queue, ms"], body);
}

function keystrokeTable({ records }: LinkReportInput): string {
  const body = (["tunnel", "cubic"] as const).flatMap((kind) =>
    [false, true].map((isBusy) => {
      const measured = records.keystrokes(kind, isBusy);
      const of = (value: (record: (typeof measured)[number]) => number): string =>
        figure(spreadOf(measured.map(value)));
      return [
        `${TITLES[kind]}, ${isBusy ? "while a file goes through" : "alone"}`,
        of(({ p50Ms }) => p50Ms),
        of(({ p95Ms }) => p95Ms),
        isBusy ? of(({ downloadKbps }) => downloadKbps) : NOTHING,
        of(({ count }) => count),
      ];
    }),
  );
  return table(["", "p50, ms", "p95, ms", "the file, kbit/s", "keystrokes"], body);
}

/** @returns the report as it stands; what was not measured shows as –. */
export function writeLinkReport(input: LinkReportInput): string {
  const { records, cells, machine, unrest, command } = input;
  const all = cells.map((each) => new CellFigures(records, each));
  const figures = all.filter((each) => each.of("tunnel").length > 0 && each.of("cubic").length > 0);
  const missing = all.length - figures.length;
  const parts = [
    "# Emulated links",
    `\`${command}\`: one TCP stream through the tunnel, and one of the kernel's TCP with CUBIC and with BBR, one after the other through
the same link: two TUN devices and a process between them, which also tells how long its queue made each packet wait (mean / 95th
percentile). Round trips are those of the empty link, half each way; loss is that of the packets with the data; the queue is given in
bandwidth-delay products. Slow start is over before anything counts. The kernel's buffers are large enough for every one of these links.
The link, the load and the contenders share the same processor cores; where that was the limit, the last column says so.`,
    ...(unrest === undefined ? [] : [unrest]),
    table(["", ""], machine),
    "## In short",
    summary(figures),
    "## One flow",
    flowTable(figures),
    ...(missing > 0 ? [`Not measured yet, of the cells that were asked for: ${missing}.`] : []),
    "## Two flows at once",
    fairnessTable(input),
    "## A shell over 64 kbit/s and 600 ms",
    "One byte there and back, again and again. The queue of this link holds two seconds.",
    keystrokeTable(input),
  ];
  return `${parts.join("\n\n")}\n`;
}
