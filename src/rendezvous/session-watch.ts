// Whether the session with the rendezvous still answers. Where nothing asks, its keepalives find out within half a minute; where all
// its probes go unanswered, or where something suggested that it is gone and it stays silent when asked, it is lost much sooner. How
// long a probe is waited for grows with the round trips that were measured, and a busy machine measures long ones: hence a clock here.

import { AGENT_IDLE_TIMEOUT_MS, RENDEZVOUS_SILENCE_MS, RENDEZVOUS_STALL_MS } from "../base/limits.ts";

const NEVER = Number.POSITIVE_INFINITY;

export class SessionWatch {
  private stalledUntilMs = NEVER;
  private askedAtMs = NEVER;

  /** Its probes go unanswered. */
  onStalled(nowMs: number): void {
    this.stalledUntilMs = nowMs + RENDEZVOUS_STALL_MS;
  }

  /**
   * It was asked for a sign of life.
   * @param heardAtMs when the rendezvous was heard last; after a long sleep it is sure to have forgotten us.
   */
  onAsked(nowMs: number, heardAtMs: number): void {
    this.askedAtMs = Math.min(this.askedAtMs, nowMs);
    if (nowMs - heardAtMs > AGENT_IDLE_TIMEOUT_MS) this.stalledUntilMs = nowMs;
  }

  /** It works again, or there is none to watch. */
  clear(): void {
    this.stalledUntilMs = NEVER;
    this.askedAtMs = NEVER;
  }

  pollTimeout(): number {
    return Math.min(this.stalledUntilMs, this.askedAtMs + RENDEZVOUS_SILENCE_MS);
  }

  /** @param heardAtMs when the rendezvous was heard last. @returns whether the session is to be taken for lost, said once. */
  takeLost(nowMs: number, heardAtMs: number): boolean {
    if (nowMs < this.pollTimeout()) return false;
    const isLost = nowMs >= this.stalledUntilMs || heardAtMs < this.askedAtMs;
    if (isLost) this.stalledUntilMs = NEVER;
    this.askedAtMs = NEVER;
    return isLost;
  }
}
