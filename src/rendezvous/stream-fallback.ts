// Where UDP does not get through: when streams to the rendezvous are wanted (TCP, WebSocket; whoever drives the agent opens them),
// which are open, when UDP is asked again beside them, and when they are left for it. UDP is always preferred: on a stream one
// lost packet holds back all those behind it.

import { RENDEZVOUS_UDP_HOLD_MS, RENDEZVOUS_UDP_RETRY_MAX_MS, RENDEZVOUS_UDP_RETRY_MS } from "../base/limits.ts";
import type { Carrier, Route } from "../base/route.ts";
import { TimerTable } from "../base/timer-table.ts";

const timer = { want: 0, ask: 1, leave: 2 } as const;

export class StreamFallback {
  private readonly streams = new Map<Carrier, Route>();
  private readonly timers = new TimerTable(3);
  private askPauseMs = RENDEZVOUS_UDP_RETRY_MS;

  /** Open streams to the rendezvous. */
  get routes(): Route[] {
    return [...this.streams.values()];
  }

  add(route: Route): void {
    this.streams.set(route.carrier, route);
    this.timers.clear(timer.want);
  }

  /** @returns its route, where it was one of these. */
  remove(carrier: Carrier): Route | undefined {
    const route = this.streams.get(carrier);
    this.streams.delete(carrier);
    return route;
  }

  /** Takes out all streams but one. */
  removeOthers(kept?: Carrier): Route[] {
    const others = this.routes.filter((route) => route.carrier !== kept);
    for (const route of others) this.streams.delete(route.carrier);
    return others;
  }

  /** The rendezvous is being asked over UDP. Unless it answers, streams are wanted after this time. */
  onAsked(nowMs: number, patienceMs: number): void {
    if (this.streams.size === 0 && !this.timers.isSet(timer.want)) this.timers.set(timer.want, nowMs + patienceMs);
  }

  /** A session is there, over UDP or over a stream. */
  onSession(nowMs: number, isOnStream: boolean): void {
    this.timers.clear(timer.want);
    this.timers.clear(timer.leave);
    if (isOnStream) this.timers.set(timer.ask, nowMs);
    else this.timers.clear(timer.ask);
  }

  /** The session goes over UDP again, beside a stream, or over the stream again. */
  onMoved(nowMs: number, isOnStream: boolean): void {
    if (this.streams.size === 0) return;
    if (isOnStream) {
      this.timers.clear(timer.leave);
      if (!this.timers.isSet(timer.ask)) this.timers.set(timer.ask, nowMs + this.askPauseMs);
    } else {
      this.timers.clear(timer.ask);
      this.timers.set(timer.leave, nowMs + RENDEZVOUS_UDP_HOLD_MS);
    }
  }

  /** What failed before says nothing now. */
  onNetworkChange(nowMs: number): void {
    this.askPauseMs = RENDEZVOUS_UDP_RETRY_MS;
    if (this.timers.isSet(timer.ask)) this.timers.set(timer.ask, nowMs);
  }

  /** There is no session to have, or none is wanted. */
  stop(): void {
    for (const row of Object.values(timer)) this.timers.clear(row);
  }

  pollTimeout(): number {
    return this.timers.earliest();
  }

  /** @returns whether streams are wanted now. */
  takeWanted(nowMs: number): boolean {
    return this.timers.takeDue(timer.want, nowMs);
  }

  /** @returns whether UDP is to be asked now; the next time is set, later and later. */
  takeAsking(nowMs: number): boolean {
    if (!this.timers.takeDue(timer.ask, nowMs)) return false;
    this.timers.set(timer.ask, nowMs + this.askPauseMs);
    this.askPauseMs = Math.min(this.askPauseMs * 2, RENDEZVOUS_UDP_RETRY_MAX_MS);
    return true;
  }

  /** @returns whether UDP has held for long enough: the streams are to be left. */
  takeLeaving(nowMs: number): boolean {
    if (!this.timers.takeDue(timer.leave, nowMs)) return false;
    this.askPauseMs = RENDEZVOUS_UDP_RETRY_MS;
    return true;
  }
}
