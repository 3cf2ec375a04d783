// The agent's way to one rendezvous. What the agent asks for and what comes back passes through unchanged. Where UDP does not get there,
// the driver is asked for streams to it.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { WEBSOCKET_PORT_DEFAULT } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Carrier, Route, RouteTable } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { equalBytes } from "../crypto/secret.ts";
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
  private place: RendezvousPlace;
  /** Addresses of the rendezvous, those included that it had before: whatever comes from elsewhere is not relayed by it. */
  private relays = new Set<string>();
  private told = "";

  constructor(nowMs: number, place: RendezvousPlace, config: RendezvousLinkConfig) {
    this.config = config;
    this.client = new RendezvousClient(config);
    this.place = place;
    this.start(nowMs);
  }

  /** Whether this is the way to that place. A key that has become known meanwhile is no change. */
  leadsTo({ host, port, publicKey }: RendezvousPlace): boolean {
    const key = this.place.publicKey;
    const isSameKey = key === undefined || publicKey === undefined || equalBytes(key, publicKey);
    return this.place.host === host && this.place.port === port && isSameKey;
  }

  /** The same rendezvous, perhaps at other addresses. A session is kept until there is one at one of those. */
  update(nowMs: number, place: RendezvousPlace): void {
    const before = this.place;
    this.place = place;
    if (formatAll(place) !== formatAll(before)) this.start(nowMs, before.addresses);
  }

  /** @param former addresses at which a session may still be. */
  start(nowMs: number, former: readonly SocketAddress[] = []): void {
    const { addresses, publicKey } = this.place;
    this.relays = new Set([...addresses, ...former].map(formatSocketAddress));
    const [address, ...alternatives] = addresses;
    const key = publicKey === undefined ? {} : { publicKey };
    this.client.start(nowMs, address === undefined ? key : { address, alternatives, ...key });
  }

  /** Whether introductions can be asked for. */
  get isConnected(): boolean {
    return this.client.isConnected;
  }

  /** The key that it has proved, or has to. */
  get publicKey(): Uint8Array | undefined {
    return this.client.publicKey;
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

  /** Ends the session, and has none until `start`. */
  stop(nowMs: number): void {
    this.client.stop(nowMs);
  }

  get addresses(): readonly SocketAddress[] {
    return this.place.addresses;
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
    const isOurs = goal.to === "rendezvous" && this.place.host === goal.host && this.place.port === goal.port;
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
  pollEvent(): RendezvousEvent | undefined {
    const event = this.client.pollEvent();
    if (event === undefined) return undefined;
    switch (event.type) {
      case "connected":
        this.tell("connected", formatSocketAddress(event.address), event.publicKey);
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
        this.tell("lost", event.message);
        break;
      case "unreachable":
        if (!this.told.startsWith("lost")) this.tell("unreachable", event.message);
        break;
      case "identity":
        this.onIdentity(event.publicKey);
        break;
    }
    return event;
  }

  private askForStreams(): void {
    const { host, port, websocketPort = WEBSOCKET_PORT_DEFAULT, addresses } = this.place;
    this.config.streams.want({ to: "rendezvous", host, port, websocketPort, addresses }, this);
  }

  private onIdentity(publicKey: Uint8Array): void {
    const { host, port } = this.place;
    this.config.emit({ type: "rendezvous-identity", host, port, publicKey });
  }

  /** Says a change, once. */
  private tell(state: "connected" | "unreachable" | "lost", message: string, publicKey?: Uint8Array): void {
    const over = state === "connected" ? this.config.streams.over(this.client.carrier) : undefined;
    const change = `${state} ${over}`;
    if (this.told === change) return;
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

const formatAll = ({ addresses }: RendezvousPlace): string => addresses.map(formatSocketAddress).join();
