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

const TITLES: Readonly<Record<FlowKind, string>> = {
  tunnel: "tunnel",
  "tunnel-bbr": "tunnel with BBR",
  cubic: "kernel CUBIC",
  bbr: "kernel BBR",
};
const KINDS = ["tunnel", "tunnel-bbr", "cubic", "bbr"] as const;
/** A link that is fuller than this is what limits a flow. */
const FULL = 0.9;
/** A process that has this much of a core, or all of them this much of all cores, may be what limits a flow that does not fill the link. */
const BUSY_CORE = 0.85;
const BUSY_MACHINE = 0.8;
const LATE = 0.05;
const GOAL_LOSSLESS = 0.95;
const GOAL_LOSSY = 0.9;
/** The default has to find out first which controller the link wants, and does so within what is measured. */
const GOAL_LOSSY_DEFAULT = 0.5;

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

  ratio(kind: FlowKind, reference: FlowKind) {
    const below = this.rates(reference);
    return spreadOf(this.rates(kind).map((rate, run) => rate / (below[run] ?? Number.NaN)));
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
      ({ linkShare, ownShare, overflowed, flows }) =>
        linkShare < FULL &&
        (ownShare > BUSY_MACHINE || overflowed > 0 || flows.some(({ coreShare }) => coreShare > BUSY_CORE)),
    );
  }

  notes(): string {
    const notes: string[] = [];
    for (const kind of KINDS) {
      if (this.isShortOfProcessor(kind)) notes.push(`${TITLES[kind]}: processor`);
      const late = Math.max(0, ...this.of(kind).map(({ lateShare }) => lateShare));
      if (late > LATE) notes.push(`${TITLES[kind]}: ${(late * 100).toFixed(0)} % late`);
      const dropped = Math.max(0, ...this.of(kind).map((record) => record.dropped));
      const overflowed = Math.max(0, ...this.of(kind).map((record) => record.overflowed));
      if (overflowed > 0) notes.push(`${TITLES[kind]}: ${overflowed} lost in the receiver's socket`);
      if (dropped > 0) notes.push(`${TITLES[kind]}: ${dropped} dropped before the link`);
    }
    return notes.join("; ");
  }
}

function flowTable(figures: readonly CellFigures[]): string {
  const body = figures.map((each) => [
    nameOf(each.cell),
    figure(each.ratio("tunnel", "cubic")),
    figure(each.ratio("tunnel-bbr", "bbr")),
    ...KINDS.map((kind) => figure(each.rate(kind))),
    ...KINDS.map((kind) => each.queue(kind)),
    each.notes(),
  ]);
  const ratios = ["tunnel ÷ kernel CUBIC", "tunnel with BBR ÷ kernel BBR"];
  const rates = KINDS.map((kind) => `${TITLES[kind]}, Mbit/s`);
  const queues = KINDS.map((kind) => `queue of ${TITLES[kind]}, ms`);
  return table(["link", ...ratios, ...rates, ...queues, "what else counted"], body);
}

/** @returns "12 of 14": in how many cells this holds. */
function countWhere(cells: readonly CellFigures[], holds: (each: CellFigures) => boolean): string {
  return cells.length === 0 ? NOTHING : `${cells.filter(holds).length} of ${cells.length}`;
}

/** In how many cells the goals are reached, of those that were limited by the link alone. */
function summary(figures: readonly CellFigures[]): string {
  const fair = figures.filter((each) => !KINDS.some((kind) => each.isShortOfProcessor(kind)));
  const reaches = (kind: FlowKind, reference: FlowKind, goal: number) => (each: CellFigures) =>
    (each.ratio(kind, reference)?.median ?? 0) >= goal;
  const isNoDeeper = (kind: FlowKind, reference: FlowKind) => (each: CellFigures) =>
    (each.queueMeanMs(kind) ?? 0) <= (each.queueMeanMs(reference) ?? 0) * 1.05 + 0.1;
  const lossless = fair.filter(({ cell }) => cell.lossPercent === 0);
  const rare = fair.filter(({ cell }) => cell.lossPercent > 0 && cell.lossPercent < 1);
  const lossy = fair.filter(({ cell }) => cell.lossPercent >= 1);
  const rows = [
    [
      "no loss: the tunnel reaches 95 % of kernel CUBIC",
      countWhere(lossless, reaches("tunnel", "cubic", GOAL_LOSSLESS)),
    ],
    ["no loss: its mean queue is no longer than kernel CUBIC's", countWhere(lossless, isNoDeeper("tunnel", "cubic"))],
    ["no loss: with BBR 90 % of kernel BBR", countWhere(lossless, reaches("tunnel-bbr", "bbr", GOAL_LOSSY))],
    ["0.1 % loss: with BBR 90 % of kernel BBR", countWhere(rare, reaches("tunnel-bbr", "bbr", GOAL_LOSSY))],
    ["1 and 3 % loss: with BBR 90 % of kernel BBR", countWhere(lossy, reaches("tunnel-bbr", "bbr", GOAL_LOSSY))],
    [
      "1 and 3 % loss: the default, which has to find out first, half of kernel BBR",
      countWhere(lossy, reaches("tunnel", "bbr", GOAL_LOSSY_DEFAULT)),
    ],
    [
      "1 and 3 % loss: the default reaches 95 % of kernel CUBIC",
      countWhere(lossy, reaches("tunnel", "cubic", GOAL_LOSSLESS)),
    ],
    ["left out above, because a processor was the limit", countWhere(figures, (each) => !fair.includes(each))],
  ];
  return table(["", "links"], rows);
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
  const body = (["tunnel", "tunnel-bbr", "cubic"] as const).flatMap((kind) =>
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
    `\`${command}\`: one TCP stream through the tunnel, as it is and with \`--congestion bbr\`, and one of the kernel's TCP with CUBIC and with
BBR, one after the other through the same link: two TUN devices and a process between them, which also tells how long its queue made each packet wait (mean / 95th
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
