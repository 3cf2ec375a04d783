// A token bucket: how a rate is kept and short bursts above it are allowed. It fills as time passes, never beyond its
// size, and whoever finds it too empty is refused or has to wait. The rendezvous has one for everything that somebody
// else can make it do.

/** Added to a wait: floats round, and a wait that ends a hair too early would begin again and again. */
const ROUNDING_MS = 0.001;

export class TokenBucket {
  private readonly ratePerMs: number;
  private readonly burst: number;
  private tokens: number;
  private filledAtMs = Number.NEGATIVE_INFINITY;

  /**
   * @param ratePerSecond how many tokens come in a second; Infinity never refuses.
   * @param burst how many it holds; it starts full.
   */
  constructor(ratePerSecond: number, burst: number) {
    this.ratePerMs = ratePerSecond / 1000;
    this.burst = burst;
    this.tokens = burst;
  }

  /** Takes `cost` tokens if they are there. @returns whether they were. */
  take(nowMs: number, cost: number): boolean {
    this.fill(nowMs);
    if (this.tokens < cost) return false;
    this.tokens -= cost;
    return true;
  }

  /** Gives tokens back that were taken and not used. */
  give(count: number): void {
    this.tokens = Math.min(this.burst, this.tokens + count);
  }

  /**
   * @returns when `cost` tokens will be there, in ms: `nowMs` itself where they are. A cost beyond the burst is counted as
   * the burst, since it would never be met.
   */
  readyAtMs(nowMs: number, cost: number): number {
    this.fill(nowMs);
    const missing = Math.min(cost, this.burst) - this.tokens;
    return missing <= 0 ? nowMs : nowMs + missing / this.ratePerMs + ROUNDING_MS;
  }

  private fill(nowMs: number): void {
    if (this.filledAtMs === Number.NEGATIVE_INFINITY) this.filledAtMs = nowMs;
    if (nowMs <= this.filledAtMs) return;
    this.tokens = Math.min(this.burst, this.tokens + (nowMs - this.filledAtMs) * this.ratePerMs);
    this.filledAtMs = nowMs;
  }
}
