// How long packets waited in a queue: their mean exactly, and percentiles from a histogram whose steps grow by a hundredth, so that a
// packet costs one logarithm and a link that carries millions of them needs no more memory than one that carries ten.

/** What one direction's queue added to the delay of the packets that it took, the time to send the packet itself not counted. */
export interface QueueReport {
  readonly meanMs: number;
  readonly p95Ms: number;
  readonly mostMs: number;
}

const STEP = 1.01;
const STEP_LOG = Math.log(STEP);
/** What is shorter counts as no wait at all. */
const LEAST_MS = 0.01;
/** The last step is above 100 s. */
const STEPS = Math.ceil(Math.log(100_000 / LEAST_MS) / STEP_LOG);

export class QueueDelays {
  private readonly steps = new Float64Array(STEPS);
  private count = 0;
  private sumMs = 0;
  private mostMs = 0;

  add(waitMs: number): void {
    this.count++;
    this.sumMs += waitMs;
    this.mostMs = Math.max(this.mostMs, waitMs);
    if (waitMs < LEAST_MS) return;
    const step = Math.min(STEPS - 1, Math.floor(Math.log(waitMs / LEAST_MS) / STEP_LOG));
    this.steps[step] = (this.steps[step] as number) + 1;
  }

  /** @returns the wait that this part of the packets did not exceed, to a hundredth. @param part 0 to 1. */
  private percentileMs(part: number): number {
    let above = this.count * (1 - part);
    for (let step = STEPS - 1; step >= 0; step--) {
      above -= this.steps[step] as number;
      if (above < 0) return Math.min(LEAST_MS * STEP ** (step + 1), this.mostMs);
    }
    return 0;
  }

  report(): QueueReport {
    const meanMs = this.count === 0 ? 0 : this.sumMs / this.count;
    return { meanMs, p95Ms: this.percentileMs(0.95), mostMs: this.mostMs };
  }

  forget(): void {
    this.steps.fill(0);
    this.count = 0;
    this.sumMs = 0;
    this.mostMs = 0;
  }
}
