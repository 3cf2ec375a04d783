// A direct path without UDP: where both sides reach their rendezvous over TCP, each connects to the other at the address where the
// other's connection is seen, from its own connection's port, at the same time (RFC 9293 §3.5). Routers that keep ports let it
// through, as they let UDP through. The connection serves until UDP works between the two.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import {
  PATH_RETRY_MS,
  PROBE_LIFE_MS,
  PUNCH_REST_MAX_MS,
  PUNCH_REST_MS,
  RENDEZVOUS_UDP_HOLD_MS,
  SIMULTANEOUS_OPEN_MS,
} from "../base/limits.ts";
import { type Carrier, isStreamCarrier, type Route, type RouteTable } from "../base/route.ts";
import type { Connection } from "../transport/connection.ts";
import { plausibleTargets } from "../traversal/candidate-gathering.ts";
import type { Candidate } from "../wire/candidate.ts";
import type { CarrierGoal, OpenedCarrier } from "./carrier-goal.ts";
import type { OwnNetwork } from "./own-network.ts";
import type { OwnStreams, StreamOwner } from "./own-streams.ts";

export interface StreamMeetingContext {
  readonly routes: RouteTable;
  readonly network: OwnNetwork;
  readonly streams: OwnStreams;
}

const NEVER = Number.POSITIVE_INFINITY;

export class StreamMeeting implements StreamOwner {
  private readonly connection: Connection;
  private readonly context: StreamMeetingContext;
  private readonly notBeforeMs: number;
  private target: SocketAddress | undefined;
  private goal: CarrierGoal | undefined;
  /** What was asked for last, by both addresses. */
  private askedFor = "";
  private attempts = 0;
  private meetAtMs = NEVER;
  /** Until then the driver is trying. The peer can name another address as often as it likes, and gets one attempt at a time. */
  private busyUntilMs = Number.NEGATIVE_INFINITY;
  /** Connections to the peer, each by its route. */
  private readonly opened = new Map<Carrier, Route>();
  /** When those that carry no working path are closed; UDP has that long to fail again. */
  private sweepAtMs = NEVER;

  /** @param notBeforeMs direct paths are not looked for before. */
  constructor(notBeforeMs: number, connection: Connection, context: StreamMeetingContext) {
    this.notBeforeMs = notBeforeMs;
    this.connection = connection;
    this.context = context;
  }

  private hasDirect(isWanted: (carrier: Carrier) => boolean): boolean {
    return this.connection.paths.all.some(
      ({ via, state, route }) => via === "direct" && state === "working" && isWanted(route.carrier),
    );
  }

  /** The peer has told where it is to be reached. */
  onCandidates(candidates: readonly Candidate[]): void {
    [this.target] = plausibleTargets(candidates, this.context.network.hosts, "tcp");
    this.review();
  }

  /** One of the two addresses may be another one: it is looked into at the next timeout, which is now. */
  review(): void {
    const { target } = this;
    const own = this.context.streams.seenByTcp;
    const key = target && own ? `${formatSocketAddress(own.address)} ${formatSocketAddress(target)}` : "";
    if (key === this.askedFor) return;
    this.askedFor = key;
    this.attempts = 0;
    this.meetAtMs = key === "" ? NEVER : Math.max(this.notBeforeMs, this.busyUntilMs);
  }

  pollTimeout(): number {
    return Math.min(this.meetAtMs, this.sweepAtMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.meetAtMs) this.meet(nowMs);
    if (nowMs >= this.sweepAtMs) this.sweep(nowMs);
  }

  private meet(nowMs: number): void {
    this.meetAtMs = NEVER;
    const { target } = this;
    const own = this.context.streams.seenByTcp;
    if (target === undefined || own === undefined || this.hasDirect(() => true)) return;
    // The peer rests for as long, so that the two come together again.
    this.meetAtMs = nowMs + Math.min(PUNCH_REST_MS * 2 ** this.attempts, PUNCH_REST_MAX_MS);
    this.attempts++;
    this.busyUntilMs = nowMs + SIMULTANEOUS_OPEN_MS;
    this.goal = { to: "peer", remote: target, beside: own.carrier };
    this.context.streams.want(this.goal, this);
  }

  onCarrierOpened(nowMs: number, { carrier, remote }: OpenedCarrier, goal: CarrierGoal): void {
    if (goal !== this.goal) {
      this.context.streams.leave(carrier);
      return;
    }
    const route = this.context.routes.direct(remote, carrier);
    this.opened.set(carrier, route);
    this.connection.probe(nowMs, route);
    this.sweepAtMs = nowMs + PROBE_LIFE_MS;
  }

  onCarrierClosed(nowMs: number, carrier: Carrier): void {
    const route = this.opened.get(carrier);
    if (route === undefined) return;
    this.opened.delete(carrier);
    this.connection.dropRoute(nowMs, route);
    this.askAgain(nowMs);
  }

  /** A direct path works. Over UDP it is the better one, but it has to hold for a while before the connection is given up. */
  onDirect(nowMs: number): void {
    if (this.opened.size > 0) this.sweepAtMs = nowMs + RENDEZVOUS_UDP_HOLD_MS;
  }

  /** A direct path does not work any more, over one of the connections or over UDP. */
  onFailed(nowMs: number, route: Route): void {
    this.leave(nowMs, route);
    this.askAgain(nowMs);
  }

  private askAgain(nowMs: number): void {
    this.attempts = 0;
    if (this.askedFor !== "") this.meetAtMs = nowMs + PATH_RETRY_MS;
  }

  private sweep(nowMs: number): void {
    this.sweepAtMs = NEVER;
    const hasUdp = this.hasDirect((carrier) => !isStreamCarrier(carrier));
    for (const route of [...this.opened.values()]) {
      if (hasUdp || !this.hasDirect((carrier) => carrier === route.carrier)) this.leave(nowMs, route);
    }
  }

  private leave(nowMs: number, route: Route): void {
    if (!this.opened.delete(route.carrier)) return;
    this.connection.dropRoute(nowMs, route);
    this.context.streams.leave(route.carrier);
  }

  /** The connection is over. */
  stop(): void {
    for (const carrier of this.opened.keys()) this.context.streams.leave(carrier);
    this.opened.clear();
    this.goal = undefined;
    this.meetAtMs = NEVER;
    this.sweepAtMs = NEVER;
  }
}
