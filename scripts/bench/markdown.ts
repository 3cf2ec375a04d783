// Tables and figures of the reports.

import type { Spread } from "./statistics.ts";

export const NOTHING = "–";

/** Three digits that count. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return NOTHING;
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** The median with the least and the most. */
export function cell(spread: Spread | undefined): string {
  if (spread === undefined) return NOTHING;
  const { median, least, most, count } = spread;
  return count === 1 ? `${short(median)} (once)` : `${short(median)} (${short(least)}–${short(most)})`;
}

export function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((each) => each.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...body.map(line)].join("\n");
}
