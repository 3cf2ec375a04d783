// Whether the session with the rendezvous still answers. Where nothing asks, its keepalives find out within half a minute; where all
// its probes go unanswered, or where something suggested that it is gone and it stays silent when asked, it is lost much sooner. How
// long a probe is waited for grows with the round trips that were measured, and a busy machine measures long ones: hence a clock here.
// Before it is lost it is in doubt, and a new handshake beside it costs next to nothing: a rendezvous that was started anew knows the
// session no more, and answers that at once.

import { AGENT_IDLE_TIMEOUT_MS, RENDEZVOUS_SILENCE_MS, RENDEZVOUS_STALL_MS } from "../base/limits.ts";
import type { Connection } from "../transport/connection.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** When the rendezvous was heard last, in ms. */
const heardAtMs = (session: Connection | undefined): number =>
  session?.paths.active?.lastHeardAtMs ?? Number.NEGATIVE_INFINITY;

export class SessionWatch {
  private stalledUntilMs = NEVER;
  private askedAtMs = NEVER;
  private doubtAtMs = NEVER;

  /** Its probes go unanswered. */
  onStalled(nowMs: number): void {
    this.stalledUntilMs = nowMs + RENDEZVOUS_STALL_MS;
    this.doubtAtMs = nowMs;
  }

  /**
   * It was asked for a sign of life.
   */
  onAsked(nowMs: number, session: Connection | undefined): void {
    const answerMs = session?.paths.active?.ptoMs() ?? 0;
    if (this.askedAtMs === NEVER) this.doubtAtMs = Math.min(this.doubtAtMs, nowMs + answerMs);
    this.askedAtMs = Math.min(this.askedAtMs, nowMs);
    // After a long sleep it is sure to have forgotten us.
    if (nowMs - heardAtMs(session) > AGENT_IDLE_TIMEOUT_MS) this.stalledUntilMs = nowMs;
  }

  /** It works again, or there is none to watch. */
  clear(): void {
    this.stalledUntilMs = NEVER;
    this.askedAtMs = NEVER;
    this.doubtAtMs = NEVER;
  }

  private get lostAtMs(): number {
    return Math.min(this.stalledUntilMs, this.askedAtMs + RENDEZVOUS_SILENCE_MS);
  }

  pollTimeout(): number {
    return Math.min(this.lostAtMs, this.doubtAtMs);
  }

  /** @returns whether the session has become doubtful, said once. */
  takeDoubted(nowMs: number, session: Connection | undefined): boolean {
    if (nowMs < this.doubtAtMs) return false;
    this.doubtAtMs = NEVER;
    return this.stalledUntilMs !== NEVER || heardAtMs(session) < this.askedAtMs;
  }

  /** @returns whether the session is to be taken for lost, said once. */
  takeLost(nowMs: number, session: Connection | undefined): boolean {
    if (nowMs < this.lostAtMs) return false;
    const isLost = nowMs >= this.stalledUntilMs || heardAtMs(session) < this.askedAtMs;
    if (isLost) this.stalledUntilMs = NEVER;
    this.askedAtMs = NEVER;
    return isLost;
  }
}
