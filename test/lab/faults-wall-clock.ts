// Loaded into a program by `node --import`: a wall clock that SIGUSR2 sets back by a year, and the next one forward again. Everything that
// reads Date sees it; the monotonic clock and the timers go on as they did.

const YEAR_MS = 365 * 24 * 3_600_000;

const RealDate = Date;
let behindMs = 0;

class ShiftedDate extends RealDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(RealDate.now() - behindMs);
    else super(...(given as [number]));
  }

  static override now(): number {
    return RealDate.now() - behindMs;
  }
}

globalThis.Date = ShiftedDate as unknown as DateConstructor;

process.on("SIGUSR2", () => {
  behindMs = behindMs === 0 ? YEAR_MS : 0;
  process.stderr.write(`the wall clock is set ${behindMs === 0 ? "forward" : "back"}: ${new Date().toISOString()}\n`);
});
