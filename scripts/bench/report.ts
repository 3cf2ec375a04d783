// The figures as Markdown: the ratios first, then what they are made of, each as its median with the least and the most.

import type { Contender, LeftOut } from "./contender.ts";
import { cell, NOTHING, table } from "./markdown.ts";
import { processFigure } from "./measurement.ts";
import type { Results } from "./results.ts";

interface Row {
  readonly figure: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "more" | "less";
}

const rows: readonly Row[] = [
  { figure: "1 down", title: "1 stream down", unit: "Mbit/s", better: "more" },
  { figure: "1 up", title: "1 stream up", unit: "Mbit/s", better: "more" },
  { figure: "8 down", title: "8 streams down", unit: "Mbit/s", better: "more" },
  { figure: "100 down", title: "100 streams down", unit: "Mbit/s", better: "more" },
  { figure: "p50 idle", title: "1-byte round trip, p50", unit: "µs", better: "less" },
  { figure: "p99 idle", title: "1-byte round trip, p99", unit: "µs", better: "less" },
  { figure: "p99.9 idle", title: "1-byte round trip, p99.9", unit: "µs", better: "less" },
  { figure: "p50 busy", title: "the same beside a download, p50", unit: "µs", better: "less" },
  { figure: "p99 busy", title: "the same beside a download, p99", unit: "µs", better: "less" },
  { figure: "p99.9 busy", title: "the same beside a download, p99.9", unit: "µs", better: "less" },
  { figure: "connections", title: "connections for a 1 kB answer", unit: "a second", better: "more" },
  { figure: "crowd", title: "2,000 connections, all open", unit: "s", better: "less" },
  { figure: "CPU down", title: "CPU of all its processes, down", unit: "s/GB", better: "less" },
  { figure: "CPU up", title: "CPU of all its processes, up", unit: "s/GB", better: "less" },
];

const processColumns = [
  ["CPU down", "CPU s/GB, down"],
  ["CPU up", "CPU s/GB, up"],
  ["memory idle", "MB before any load"],
  ["memory bulk", "MB at most, 1 stream"],
  ["memory crowd", "MB, 2,000 connections"],
  ["idle CPU", "idle CPU, %"],
] as const;

export interface ReportInput {
  readonly results: Results;
  readonly contenders: readonly Contender[];
  readonly leftOut: readonly LeftOut[];
  readonly machine: readonly (readonly [string, string])[];
  /** What a reader has to be warned of. */
  readonly unrest: string | undefined;
  readonly rounds: number;
  readonly command: string;
}

/** @returns the rows that hold any figure, behind so many columns of words. */
const withFigures = (body: readonly string[][], words: number): string[][] =>
  body.filter((cells) => cells.slice(words).some((text) => text !== NOTHING));

function ratioTable({ results, contenders }: ReportInput): string {
  const pairs = contenders
    .filter(({ name }) => name !== "tunnel")
    .flatMap(({ name, comparedWith = ["tunnel"] }) => comparedWith.map((own) => [own, name] as const))
    .map(([own, name]) => (name === "tunnel, relayed" ? ([name, own] as const) : ([own, name] as const)));
  const body = withFigures(
    rows.map((row) => [
      row.title,
      row.better,
      ...pairs.map(([above, below]) => cell(results.ratio(above, below, row.figure))),
    ]),
    2,
  );
  return table(["", "better", ...pairs.map(([above, below]) => `${above} ÷ ${below}`)], body);
}

function figureTable({ results, contenders }: ReportInput): string {
  const body = withFigures(
    rows.map(({ figure, title, unit }) => [
      `${title}, ${unit}`,
      ...contenders.map(({ name }) => cell(results.spread(name, figure))),
    ]),
    1,
  );
  return table(["", ...contenders.map(({ name }) => name)], body);
}

function processTable({ results, contenders }: ReportInput): string {
  const body = contenders.flatMap(({ name, processes }) =>
    processes.map(({ role }) => [
      `${name}: ${role}`,
      ...processColumns.map(([quantity]) => cell(results.spread(name, processFigure(role, quantity)))),
    ]),
  );
  return table(["process", ...processColumns.map(([, title]) => title)], body);
}

function startTable({ results }: ReportInput): string {
  const start = [
    ["`tunnel --version`", "tunnel", "version"],
    ["`node -e 0`, for comparison", "node", "version"],
    ["`tunnel expose` until it is ready", "tunnel", "expose"],
  ] as const;
  return table(
    ["start", "ms"],
    start.map(([title, contender, figure]) => [title, cell(results.spread(contender, figure))]),
  );
}

function failureList({ results, contenders }: ReportInput): string[] {
  return contenders.flatMap(({ name }) => results.failuresOf(name).map((reason) => `- ${name}: ${reason}`));
}

/** @returns the whole report, one run on one machine. */
export function writeReport(input: ReportInput): string {
  const { contenders, leftOut, machine, unrest, rounds, command } = input;
  const doubts = contenders.flatMap(({ name, doubt }) => {
    const complaint = doubt?.();
    return complaint === undefined ? [] : [`- ${name}: ${complaint}`];
  });
  const wrong = [...failureList(input), ...doubts];
  const parts = [
    "# Results",
    `One run of \`${command}\` on one machine, where the load, every contender and the routers between share the same processor
cores. Ratios carry over to other machines better than figures do. Two sites behind NATs of their own, the rendezvous on a
third network, all network namespaces; no link is slowed down or loses anything. Whole rounds: ${rounds}. In a round each measurement is taken of every
contender in turn before the next one begins; 2,000 connections at once in every second round. Each cell is the median and,
in parentheses, the least and the most.`,
    ...(unrest === undefined ? [] : [unrest]),
    table(["", ""], machine),
    "## Ratios",
    "Taken within each round.",
    ratioTable(input),
    "## Figures",
    figureTable(input),
    "## Processes",
    "Memory is resident memory; children count with their parent, pages that they share in each.",
    processTable(input),
    "## Start",
    startTable(input),
    "## Contenders",
    contenders.map(({ name, description }) => `- ${name}: ${description}`).join("\n"),
    ...(wrong.length > 0 ? ["What failed, and shows as –:", wrong.join("\n")] : []),
    ...(leftOut.length > 0 ? ["Left out:", leftOut.map(({ name, reason }) => `- ${name}: ${reason}`).join("\n")] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}
