// Several pairs of NATs are measured side by side, each in a lab of its own, and only one of them at a time does what is timed or takes
// much of the machine. What is left is mostly waiting: for NATs to be measured, for birthdays, for paths that nobody expects.

export class MatrixTurn {
  private last: Promise<unknown> = Promise.resolve();

  /** Does `work` when everybody who asked before is done. @returns its result. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.last.then(work);
    this.last = mine.catch(() => {});
    return mine;
  }
}
