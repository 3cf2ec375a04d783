// What was measured: for each figure and contender one value a round, so that ratios can be taken within a round, where the
// machine was in the same mood.

import { type Spread, spreadOf } from "./statistics.ts";

export class Results {
  private readonly values = new Map<string, (number | undefined)[]>();
  /** Why a contender has no value for a figure. */
  private readonly failures = new Map<string, string>();

  private static key(contender: string, figure: string): string {
    return `${contender}\n${figure}`;
  }

  add(contender: string, figure: string, round: number, value: number): void {
    const key = Results.key(contender, figure);
    const row = this.values.get(key) ?? [];
    row[round] = value;
    this.values.set(key, row);
  }

  fail(contender: string, figure: string, reason: string): void {
    this.failures.set(Results.key(contender, figure), reason);
  }

  hasFailed(contender: string, figure: string): boolean {
    return this.failures.has(Results.key(contender, figure));
  }

  /** @returns what failed and why, a line each. */
  failuresOf(contender: string): string[] {
    const own = [...this.failures].filter(([key]) => key.startsWith(`${contender}\n`));
    return own.map(([key, reason]) => `${key.slice(contender.length + 1)}: ${reason}`);
  }

  spread(contender: string, figure: string): Spread | undefined {
    const row = this.values.get(Results.key(contender, figure)) ?? [];
    return spreadOf(row.filter((value) => value !== undefined));
  }

  /** @returns the ratio of one contender's value to another's, taken in each round that has both. */
  ratio(contender: string, reference: string, figure: string): Spread | undefined {
    const above = this.values.get(Results.key(contender, figure)) ?? [];
    const below = this.values.get(Results.key(reference, figure)) ?? [];
    return spreadOf(above.map((value, round) => (value ?? Number.NaN) / (below[round] ?? Number.NaN)));
  }
}
