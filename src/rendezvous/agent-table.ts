// The agents that are connected, by connection, by instance and by address, and how many of them there may be: in all, from
// one host, and of one identity. An instance that connects anew finds its session again.

import { hostKey } from "../base/host-key.ts";
import {
  AGENTS_MAX,
  AGENTS_PER_HOST_MAX,
  INSTANCES_PER_PEER_MAX,
  RELAY_RATE_BYTES_PER_SECOND,
} from "../base/limits.ts";
import { isStreamCarrier, type Route } from "../base/route.ts";
import type { Connection } from "../transport/connection.ts";
import { AgentSession } from "./agent-session.ts";
import { byteKey } from "./byte-key.ts";
import { HostQuota } from "./host-quota.ts";

/** What an operator may choose; the defaults are in base/limits.ts with their reasons. */
export interface AgentBounds {
  readonly agentsMax: number;
  readonly agentsPerHostMax: number;
  /** What one agent may send over the relay. */
  readonly relayRateBytesPerSecond: number;
}

export const defaultAgentBounds: AgentBounds = {
  agentsMax: AGENTS_MAX,
  agentsPerHostMax: AGENTS_PER_HOST_MAX,
  relayRateBytesPerSecond: RELAY_RATE_BYTES_PER_SECOND,
};

export class AgentTable {
  private readonly bounds: AgentBounds;
  private readonly byConnection = new Map<Connection, AgentSession>();
  private readonly byInstance = new Map<string, AgentSession>();
  private readonly byRoute = new Map<Route, AgentSession>();
  private readonly instancesOf = new Map<string, number>();
  private readonly perHost: HostQuota;

  constructor(bounds: AgentBounds) {
    this.bounds = bounds;
    this.perHost = new HostQuota(bounds.agentsPerHostMax);
  }

  get count(): number {
    return this.byInstance.size;
  }

  connections(): Iterable<Connection> {
    return this.byConnection.keys();
  }

  of(connection: Connection): AgentSession | undefined {
    return this.byConnection.get(connection);
  }

  /** The agent whose session is known to be at this route. */
  at(route: Route): AgentSession | undefined {
    return this.byRoute.get(route);
  }

  /** Whether an instance may connect from `route`: one that is here already always may. */
  hasRoom(identity: Uint8Array, instance: Uint8Array, route: Route): boolean {
    const peerKey = byteKey(identity);
    return (
      this.byInstance.has(peerKey + byteKey(instance)) ||
      (this.byInstance.size < this.bounds.agentsMax &&
        this.perHost.hasRoom(hostKey(route.remote)) &&
        (this.instancesOf.get(peerKey) ?? 0) < INSTANCES_PER_PEER_MAX)
    );
  }

  /**
   * Attaches a confirmed connection to its instance's session, which is made where there is none.
   * @returns undefined where there is no room.
   */
  attach(connection: Connection, route: Route): AgentSession | undefined {
    const { remoteIdentity, remoteInstance } = connection;
    if (!this.hasRoom(remoteIdentity, remoteInstance, route)) return undefined;
    const key = byteKey(remoteIdentity) + byteKey(remoteInstance);
    const session = this.byInstance.get(key) ?? this.add(key, remoteIdentity, remoteInstance, route);
    this.detach(session);
    session.connection = connection;
    session.responsive = true;
    this.byConnection.set(connection, session);
    this.move(session, route);
    return session;
  }

  /** Takes a session's connection from it; the session waits for another one. */
  detach(session: AgentSession): void {
    if (session.connection !== undefined) this.byConnection.delete(session.connection);
    session.connection = undefined;
    session.messages = undefined;
  }

  /** The agent is reached at another route now. */
  move(session: AgentSession, route: Route): void {
    const before = session.party.route;
    this.leaveRoute(session);
    if (before !== undefined && before !== route && isStreamCarrier(before.carrier))
      session.party.formerStream = before;
    session.party.route = route;
    this.byRoute.set(route, session);
  }

  delete(session: AgentSession): void {
    this.detach(session);
    this.leaveRoute(session);
    this.byInstance.delete(session.peerKey + session.instanceKey);
    this.perHost.giveBack(session.party.host);
    const others = (this.instancesOf.get(session.peerKey) ?? 1) - 1;
    if (others > 0) this.instancesOf.set(session.peerKey, others);
    else this.instancesOf.delete(session.peerKey);
  }

  private add(key: string, identity: Uint8Array, instance: Uint8Array, route: Route): AgentSession {
    const host = hostKey(route.remote);
    const session = new AgentSession(identity, instance, host, this.bounds.relayRateBytesPerSecond);
    this.byInstance.set(key, session);
    this.perHost.take(host);
    this.instancesOf.set(session.peerKey, (this.instancesOf.get(session.peerKey) ?? 0) + 1);
    return session;
  }

  private leaveRoute(session: AgentSession): void {
    const route = session.party.route;
    // Another agent may be at that address by now.
    if (route !== undefined && this.byRoute.get(route) === session) this.byRoute.delete(route);
    session.party.route = undefined;
  }
}
