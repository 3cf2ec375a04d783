// Timers as a table: each timer is a row with at most one deadline. A machine sets and clears rows and
// asks for the earliest; it never calls anything back.

/** Rows are small integers 0 … count − 1; times are milliseconds on the caller's monotonic clock. */
export class TimerTable {
  private readonly deadlines: Float64Array;

  constructor(count: number) {
    this.deadlines = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
  }

  set(timer: number, atMs: number): void {
    this.deadlines[timer] = atMs;
  }

  clear(timer: number): void {
    this.deadlines[timer] = Number.POSITIVE_INFINITY;
  }

  isSet(timer: number): boolean {
    return this.deadlines[timer] !== Number.POSITIVE_INFINITY;
  }

  /** @returns the deadline in ms, Infinity when the timer is not set. */
  at(timer: number): number {
    return this.deadlines[timer] as number;
  }

  /** Clears the timer if it is due. @returns whether it was. */
  takeDue(timer: number, nowMs: number): boolean {
    if ((this.deadlines[timer] as number) > nowMs) return false;
    this.clear(timer);
    return true;
  }

  /** @returns the earliest deadline in ms, or Infinity. */
  earliest(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const deadline of this.deadlines) if (deadline < earliest) earliest = deadline;
    return earliest;
  }
}
