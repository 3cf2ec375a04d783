// Medians, percentiles and ranges of a handful of measurements.

/** @param sorted ascending. @param part 0 to 1. @returns the value below which that part of them lies; NaN for none. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly count: number;
}

/** @returns undefined where nothing was measured. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const count = sorted.length;
  if (count === 0) return undefined;
  const middle = Math.floor(count / 2);
  const upper = sorted[middle] as number;
  const median = count % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
  return { median, least: sorted[0] as number, most: sorted[count - 1] as number, count };
}
