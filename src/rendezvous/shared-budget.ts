// A bound on memory that many share: everybody may hold a guaranteed number of entries, and more, up to a maximum of
// their own, while the common pool lasts. A greedy holder can so use the pool up, but cannot lock a modest one out.

import { assert } from "../base/assert.ts";

export class SharedBudget {
  private readonly guaranteed: number;
  private readonly perHolderMax: number;
  private readonly poolMax: number;
  private pooled = 0;

  /** @param guaranteed entries of each holder that the pool does not count. */
  constructor(guaranteed: number, perHolderMax: number, poolMax: number) {
    this.guaranteed = guaranteed;
    this.perHolderMax = perHolderMax;
    this.poolMax = poolMax;
  }

  /** @param held how many entries the holder has. @returns whether it may have one more, which is then counted. */
  take(held: number): boolean {
    if (held >= this.perHolderMax) return false;
    if (held < this.guaranteed) return true;
    if (this.pooled >= this.poolMax) return false;
    this.pooled++;
    return true;
  }

  /** Gives one entry back. @param held how many the holder had with it. */
  giveBack(held: number): void {
    if (held <= this.guaranteed) return;
    this.pooled--;
    assert(this.pooled >= 0, "shared budget: given back what nobody took");
  }
}
