// What was measured on a link, one JSON object a line in a file, so that the whole grid may be measured piece by piece, and a run that was
// interrupted goes on where it stopped.

import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { type LinkCell, nameOf } from "./link-cell.ts";
import type { FlowKind } from "./link-lab.ts";

/** One flow in one cell, alone or beside others. */
export interface FlowRecord {
  readonly kind: FlowKind;
  readonly mbps: number;
  /** The most that one of its processes had of a processor core, 0 to 1. */
  readonly coreShare: number;
}

export interface CellRecord {
  /** "alone" or "fairness". */
  readonly about: "alone" | "fairness";
  readonly cell: LinkCell;
  readonly flows: readonly FlowRecord[];
  /** What the queue added to the delay of the data's packets. */
  readonly queueMeanMs: number;
  readonly queueP95Ms: number;
  /** Of the link's rate, IP headers included: 0 to 1. */
  readonly linkShare: number;
  /** How much of all processor cores the link, the load and the flows took, and packets that came out of the link more than 1 ms late: 0 to 1. */
  readonly ownShare: number;
  readonly lateShare: number;
  /** Packets that got lost on their way into the link, and in a UDP socket that was not read in time. */
  readonly dropped: number;
  readonly overflowed: number;
}

/** One keystroke after the other while a file goes through. */
export interface KeystrokeRecord {
  readonly about: "keystroke";
  /** "tunnel", "plain TCP", each "alone" or "beside a download". */
  readonly kind: FlowKind;
  readonly isBusy: boolean;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly count: number;
  readonly downloadKbps: number;
}

export type LinkRecord = CellRecord | KeystrokeRecord;

export class LinkRecords {
  readonly all: LinkRecord[] = [];
  private readonly file: string | undefined;

  /** @param file where they are kept from one run to the next; undefined for this run only. */
  constructor(file: string | undefined) {
    this.file = file;
    if (file === undefined || !existsSync(file)) return;
    const lines = readFileSync(file, "utf8").split("\n");
    for (const line of lines) if (line !== "") this.all.push(JSON.parse(line) as LinkRecord);
  }

  add(record: LinkRecord): void {
    this.all.push(record);
    if (this.file !== undefined) appendFileSync(this.file, `${JSON.stringify(record)}\n`);
  }

  /** @param kinds the flows that shared the link. @returns the records of that cell. */
  cells(about: "alone" | "fairness", name: string, kinds: readonly FlowKind[]): CellRecord[] {
    const wanted = kinds.join();
    return this.all.filter(
      (record): record is CellRecord =>
        record.about === about &&
        nameOf(record.cell) === name &&
        record.flows.map(({ kind }) => kind).join() === wanted,
    );
  }

  keystrokes(kind: FlowKind, isBusy: boolean): KeystrokeRecord[] {
    return this.all.filter(
      (record): record is KeystrokeRecord =>
        record.about === "keystroke" && record.kind === kind && record.isBusy === isBusy,
    );
  }
}
