// Whether a path's losses are the link's own, as a sequential test after Wald: that they strike packets which have waited less than usual as often as
// any others, against a fifth of that, as where a full queue drops them. Each loss event adds the logarithm of how much better the one
// explains it than the other. Where nobody waits three events are enough, where programs are late it takes fifteen.

import { AUTO_EVIDENCE, AUTO_SHARE_DIVISOR, AUTO_SHARE_MIN } from "../base/limits.ts";

export class LossEvidence {
  /** A logarithm of odds, from 0 to AUTO_EVIDENCE: what is plain already gets no plainer, or it would not be forgotten when it ends. */
  private odds = 0;
  private last = 0;

  get isNone(): boolean {
    return this.odds === 0;
  }

  get isEnough(): boolean {
    return this.odds === AUTO_EVIDENCE;
  }

  /**
   * @param isOwn the packets next to the lost one have waited less than usual.
   * @param tellableShare of all packets, of how many that holds.
   */
  weigh(isOwn: boolean, tellableShare: number): void {
    const share = Math.min(Math.max(tellableShare, AUTO_SHARE_MIN), 1 - AUTO_SHARE_MIN);
    const other = share / AUTO_SHARE_DIVISOR;
    this.last = isOwn ? Math.log(share / other) : Math.log((1 - share) / (1 - other));
    this.odds = Math.min(Math.max(0, this.odds + this.last), AUTO_EVIDENCE);
  }

  /** The latest loss was none: packets have overtaken one another. */
  takeBack(): void {
    this.odds = Math.max(0, this.odds - Math.max(0, this.last));
    this.last = 0;
  }

  forget(): void {
    this.odds = 0;
    this.last = 0;
  }
}
