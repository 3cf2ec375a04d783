// What the parts of one search for a direct path share: the connection, the two sides' behaviour, where the peer is, and the sockets.

import type { SocketAddress } from "../base/address.ts";
import type { Random } from "../base/random.ts";
import { type Carrier, isStreamCarrier, type RouteTable } from "../base/route.ts";
import type { Connection } from "../transport/connection.ts";
import { plausibleTargets } from "../traversal/candidate-gathering.ts";
import {
  type Candidate,
  type CandidatesBody,
  encodePunch,
  type NatBehaviour,
  type PunchBody,
} from "../wire/candidate.ts";
import type { OwnNetwork } from "./own-network.ts";
import { SearchSockets, type SearchSocketsContext } from "./search-sockets.ts";

export interface SearchContext extends SearchSocketsContext {
  readonly routes: RouteTable;
  readonly random: Random;
  readonly network: OwnNetwork;
}

export class SearchGround {
  readonly connection: Connection;
  readonly network: OwnNetwork;
  readonly random: Random;
  readonly sockets: SearchSockets;
  /** What the peer has told. */
  theirs: CandidatesBody | undefined;
  private readonly routes: RouteTable;

  constructor(connection: Connection, context: SearchContext) {
    this.connection = connection;
    this.network = context.network;
    this.random = context.random;
    this.routes = context.routes;
    this.sockets = new SearchSockets(context);
  }

  get isInitiator(): boolean {
    return this.connection.role === "initiator";
  }

  get ourNat(): NatBehaviour {
    return this.network.nat;
  }

  get theirNat(): NatBehaviour | undefined {
    return this.theirs?.nat;
  }

  /** Whether there is a direct path over UDP. One over a stream serves meanwhile. */
  get hasDirect(): boolean {
    return this.connection.paths.all.some(
      ({ via, state, route }) => via === "direct" && state === "working" && !isStreamCarrier(route.carrier),
    );
  }

  /** Addresses of the peer that a probe may reach, of these types only where any are given. */
  targets(...types: readonly Candidate["type"][]): SocketAddress[] {
    const candidates = this.theirs?.candidates ?? [];
    const wanted = types.length === 0 ? candidates : candidates.filter(({ type }) => types.includes(type));
    return plausibleTargets(wanted, this.network.hosts);
  }

  /** Whether a probe may go to an address that the peer has told. */
  isPlausible(address: SocketAddress): boolean {
    return plausibleTargets([{ type: "peer-reflexive", address }], this.network.hosts).length > 0;
  }

  /** Where the peer is seen by others: what a NAT of ours has to open for. */
  get mainTarget(): SocketAddress | undefined {
    return this.targets("port-mapped")[0] ?? this.targets("server-reflexive")[0];
  }

  /** @param hopLimit the probe is only to open our own NAT, and to die before it comes to the peer's. */
  probe(nowMs: number, address: SocketAddress, carrier: Carrier, hopLimit?: number): void {
    this.connection.probe(nowMs, this.routes.direct(address, carrier), hopLimit);
  }

  tell(step: PunchBody["step"], round: number, addresses: readonly SocketAddress[] = []): void {
    this.connection.sendPunch(encodePunch({ step, round, addresses }));
  }
}
