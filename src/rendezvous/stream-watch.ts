// The streams that agents have opened to the rendezvous. One that brings no agent, or that its agent has left for UDP, is of no use
// to anybody and is closed before long: connections are scarcer than datagrams.

import { STREAM_IDLE_MS } from "../base/limits.ts";
import type { Carrier, Route } from "../base/route.ts";

interface WatchedStream {
  readonly route: Route;
  /** Since when no agent has been seen on it, in ms; undefined while one is there. */
  idleSinceMs: number | undefined;
}

export class StreamWatch {
  private readonly streams = new Map<Carrier, WatchedStream>();
  private sweepAtMs = Number.POSITIVE_INFINITY;

  /** How many are open. */
  get count(): number {
    return this.streams.size;
  }

  opened(nowMs: number, carrier: Carrier, route: Route): void {
    this.streams.set(carrier, { route, idleSinceMs: nowMs });
    this.arm(nowMs);
  }

  /** @returns where its agent was reached. */
  closed(carrier: Carrier): Route | undefined {
    const stream = this.streams.get(carrier);
    this.streams.delete(carrier);
    return stream?.route;
  }

  pollTimeout(): number {
    return this.sweepAtMs;
  }

  /** @param isUsed whether an agent's session is at a route. @returns the streams that are to be closed. */
  takeIdle(nowMs: number, isUsed: (route: Route) => boolean): Carrier[] {
    if (nowMs < this.sweepAtMs) return [];
    const idle: Carrier[] = [];
    for (const [carrier, stream] of this.streams) {
      if (isUsed(stream.route)) stream.idleSinceMs = undefined;
      else if (stream.idleSinceMs === undefined) stream.idleSinceMs = nowMs;
      else if (nowMs - stream.idleSinceMs >= STREAM_IDLE_MS) idle.push(carrier);
    }
    for (const carrier of idle) this.streams.delete(carrier);
    this.sweepAtMs = Number.POSITIVE_INFINITY;
    if (this.streams.size > 0) this.arm(nowMs);
    return idle;
  }

  private arm(nowMs: number): void {
    this.sweepAtMs = Math.min(this.sweepAtMs, nowMs + STREAM_IDLE_MS / 4);
  }
}
