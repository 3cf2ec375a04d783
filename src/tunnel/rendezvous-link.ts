// The agent's way to a rendezvous: of those it was given it uses one, the first that answers, and goes on to the next when one stays
// silent. What the agent asks for and what comes back passes through unchanged. Where UDP does not get there, the driver is asked
// for streams to it.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { RENDEZVOUS_RETURN_MS, WEBSOCKET_PORT_DEFAULT } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Carrier, Route, RouteTable } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { RendezvousClient } from "../rendezvous/rendezvous-client.ts";
import type { RendezvousEvent } from "../rendezvous/rendezvous-event.ts";
import type { Connection } from "../transport/connection.ts";
import type { ConnectionEvent } from "../transport/connection-event.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { AgentEvent } from "./agent-event.ts";
import type { CarrierGoal, OpenedCarrier } from "./carrier-goal.ts";
import type { OwnStreams, StreamOwner } from "./own-streams.ts";

/** A rendezvous as the driver knows it. */
export interface RendezvousPlace {
  readonly host: string;
  readonly port: number;
  /** Where it takes WebSockets; HTTPS's port unless told. */
  readonly websocketPort?: number;
  /** Its name, resolved; none while it cannot be. */
  readonly addresses: readonly SocketAddress[];
  /** Whether streams may lead there by its name alone: there is a proxy, which resolves it. */
  readonly byName?: boolean;
  /** Ed25519; unknown until it was asked for and pinned. */
  readonly publicKey?: Uint8Array;
}

export interface RendezvousLinkConfig {
  readonly endpoint: Endpoint;
  readonly routes: RouteTable;
  readonly random: Random;
  readonly log: Log;
  readonly streams: OwnStreams;
  emit(event: AgentEvent): void;
}

export class RendezvousLink implements StreamOwner {
  private readonly config: RendezvousLinkConfig;
  private readonly client: RendezvousClient;
  private places: readonly RendezvousPlace[] = [];
  private place: RendezvousPlace | undefined;
  /** Addresses of the present rendezvous: whatever comes from elsewhere is not relayed by it. */
  private relays = new Set<string>();
  /** Attempts that have failed at the present place. */
  private failures = 0;
  private lostAtMs = Number.NEGATIVE_INFINITY;
  private told = "";

  constructor(config: RendezvousLinkConfig) {
    this.config = config;
    this.client = new RendezvousClient(config);
  }

  setPlaces(nowMs: number, places: readonly RendezvousPlace[]): void {
    this.places = places.filter((place) => place.addresses.length > 0 || place.byName === true);
    const before = this.place;
    const kept = before && this.places.find((place) => isSame(place, before));
    if (kept === undefined) this.use(nowMs, this.places[0]);
    else this.place = kept;
  }

  private use(nowMs: number, place: RendezvousPlace | undefined): void {
    this.place = place;
    this.failures = 0;
    if (place === undefined) return;
    this.relays = new Set(place.addresses.map(formatSocketAddress));
    const [address, ...alternatives] = place.addresses;
    const key = place.publicKey === undefined ? {} : { publicKey: place.publicKey };
    this.client.start(nowMs, address === undefined ? key : { address, alternatives, ...key });
  }

  // ---- what the agent asks for

  register(nowMs: number, selectors: readonly Uint8Array[]): void {
    this.client.register(nowMs, selectors);
  }

  /** Asks to be introduced. @returns the request's number, or undefined while there is no rendezvous. */
  open(nowMs: number, peer: Uint8Array, selector: Uint8Array, packet: Uint8Array): number | undefined {
    return this.client.isConnected ? this.client.open(nowMs, { peer, selector, packet }) : undefined;
  }

  /** A relay channel is not needed any more. */
  closeChannel(nowMs: number, route: Route): void {
    this.client.closeChannel(nowMs, route);
  }

  /** Asks for a sign of life at once. */
  poke(nowMs: number): void {
    this.client.poke(nowMs);
  }

  onNetworkChange(nowMs: number): void {
    this.client.handleNetworkChange(nowMs);
  }

  shutdown(nowMs: number): void {
    this.client.stop(nowMs);
    this.places = [];
  }

  /** Of all rendezvous, the one in use first. */
  get addresses(): readonly SocketAddress[] {
    const { place } = this;
    const others = this.places.filter((other) => other !== place);
    return [...(place?.addresses ?? []), ...others.flatMap(({ addresses }) => addresses)];
  }

  /** By which of our sockets the session goes. */
  get carrier(): Carrier {
    return this.client.carrier;
  }

  /** Whether datagrams over this direct route come from the relay that we use. */
  isRelay(route: Route): boolean {
    return this.relays.has(route.key) || this.config.streams.isToRendezvous(route.carrier);
  }

  owns(connection: Connection): boolean {
    return this.client.owns(connection);
  }

  // ---- input

  /** A stream to a rendezvous is open. */
  onCarrierOpened(nowMs: number, { carrier, remote }: OpenedCarrier, goal: CarrierGoal): void {
    const isOurs = goal.to === "rendezvous" && this.place?.host === goal.host && this.place.port === goal.port;
    if (isOurs) this.client.addStream(nowMs, this.config.routes.direct(remote, carrier));
    else this.config.streams.leave(carrier);
  }

  onCarrierClosed(nowMs: number, carrier: Carrier): void {
    this.client.handleStreamClosed(nowMs, carrier);
  }

  onConnectionEvent(nowMs: number, connection: Connection, event: ConnectionEvent): void {
    this.client.handleConnectionEvent(nowMs, connection, event);
  }

  onIdentityReply(nowMs: number, from: SocketAddress, packet: Uint8Array): void {
    this.client.handleIdentityReply(nowMs, from, packet);
  }

  handleTimeout(nowMs: number): void {
    this.client.handleTimeout(nowMs);
  }

  pollTimeout(): number {
    return this.client.pollTimeout();
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.client.pollTransmit(nowMs, out);
  }

  /** What the agent has to act on; what only the driver wants to know has gone there by then. */
  pollEvent(nowMs: number): RendezvousEvent | undefined {
    const event = this.client.pollEvent();
    if (event === undefined) return undefined;
    switch (event.type) {
      case "connected":
        this.tell("connected", formatSocketAddress(event.address), event.publicKey);
        this.failures = 0;
        break;
      case "moved":
        this.tell("connected", formatSocketAddress(event.address));
        break;
      case "streams-wanted":
        this.askForStreams();
        break;
      case "stream-unwanted":
        this.config.streams.leave(event.carrier);
        break;
      case "lost":
        this.lostAtMs = nowMs;
        this.tell("lost", event.message);
        break;
      case "unreachable":
        this.onUnreachable(nowMs, event.message);
        break;
      case "identity":
        this.onIdentity(event.publicKey);
        break;
    }
    return event;
  }

  private onUnreachable(nowMs: number, message: string): void {
    this.failures++;
    if (!this.told.startsWith("lost")) this.tell("unreachable", message);
    // One that served until now gets some time to come back before another is tried: a restart takes seconds.
    const tried = this.failures >= (this.place?.addresses.length ?? 0) && nowMs - this.lostAtMs > RENDEZVOUS_RETURN_MS;
    if (!tried || this.places.length < 2 || this.place === undefined) return;
    const index = this.places.indexOf(this.place);
    this.use(nowMs, this.places[(index + 1) % this.places.length]);
    this.told = "";
  }

  private askForStreams(): void {
    if (this.place === undefined) return;
    const { host, port, websocketPort = WEBSOCKET_PORT_DEFAULT, addresses } = this.place;
    this.config.streams.want({ to: "rendezvous", host, port, websocketPort, addresses }, this);
  }

  private onIdentity(publicKey: Uint8Array): void {
    if (this.place === undefined) return;
    const { host, port } = this.place;
    this.config.emit({ type: "rendezvous-identity", host, port, publicKey });
  }

  /** Says a change, once. */
  private tell(state: "connected" | "unreachable" | "lost", message: string, publicKey?: Uint8Array): void {
    const over = state === "connected" ? this.config.streams.over(this.carrier) : undefined;
    const change = `${state} ${over}`;
    if (this.told === change || this.place === undefined) return;
    this.told = change;
    const { host, port } = this.place;
    this.config.emit({
      type: "rendezvous",
      state,
      host,
      port,
      message,
      ...(over === undefined ? {} : { over }),
      ...(publicKey === undefined ? {} : { publicKey }),
    });
  }
}

/** The same rendezvous at no other addresses. A key that has become known meanwhile is no change. */
const isSame = (a: RendezvousPlace, b: RendezvousPlace): boolean =>
  a.host === b.host &&
  a.port === b.port &&
  a.addresses.map(formatSocketAddress).join() === b.addresses.map(formatSocketAddress).join() &&
  (a.publicKey === undefined || b.publicKey === undefined || a.publicKey.join() === b.publicKey.join());
