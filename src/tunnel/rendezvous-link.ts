// The agent's way to a rendezvous: of those it was given it uses one, the first that answers, and goes on to the next address when
// one falls silent. What it is asked for and what comes back passes through unchanged.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { RENDEZVOUS_ANSWER_MS, RENDEZVOUS_RETURN_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Route, RouteTable } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { RendezvousClient, type RendezvousClientEvent } from "../rendezvous/rendezvous-client.ts";
import type { Connection } from "../transport/connection.ts";
import type { ConnectionEvent } from "../transport/connection-event.ts";
import type { Endpoint } from "../transport/endpoint.ts";
import type { AgentEvent } from "./agent-event.ts";

/** A rendezvous as the driver knows it. */
export interface RendezvousPlace {
  readonly host: string;
  readonly port: number;
  /** Its name, resolved; none while it cannot be. */
  readonly addresses: readonly SocketAddress[];
  /** Ed25519; unknown until it was asked for and pinned. */
  readonly publicKey?: Uint8Array;
}

export interface RendezvousLinkConfig {
  readonly endpoint: Endpoint;
  readonly routes: RouteTable;
  readonly random: Random;
  readonly log: Log;
  emit(event: AgentEvent): void;
}

/** What the agent has to act on. */
export type RendezvousLinkEvent =
  | { readonly type: "connected" | "unreachable" }
  | { readonly type: "observed"; readonly address: SocketAddress }
  | Extract<RendezvousClientEvent, { type: "opened" | "open-failed" | "incoming" | "channel-closed" | "present" }>;

/** One address of one place. */
interface Target {
  readonly place: RendezvousPlace;
  readonly address: SocketAddress;
}

export class RendezvousLink {
  private readonly config: RendezvousLinkConfig;
  private targets: Target[] = [];
  private index = 0;
  private client: RendezvousClient | undefined;
  private route: Route | undefined;
  private selectors: readonly Uint8Array[] = [];
  private isConnected = false;
  /** When the present target has had its time to answer. */
  private answerAtMs = Number.POSITIVE_INFINITY;
  private toldUnreachable = false;
  private readonly events: RendezvousLinkEvent[] = [];

  constructor(config: RendezvousLinkConfig) {
    this.config = config;
  }

  private get target(): Target | undefined {
    return this.targets[this.index];
  }

  setPlaces(nowMs: number, places: readonly RendezvousPlace[]): void {
    const before = this.target;
    this.targets = places.flatMap((place) => place.addresses.map((address) => ({ place, address })));
    const kept = this.targets.findIndex((target) => before !== undefined && isSame(target, before));
    if (kept >= 0 && this.client !== undefined) {
      this.index = kept;
      return;
    }
    this.index = 0;
    this.start(nowMs);
  }

  private start(nowMs: number): void {
    this.client?.stop(nowMs);
    this.client = undefined;
    this.isConnected = false;
    const target = this.target;
    if (target === undefined) {
      this.answerAtMs = Number.POSITIVE_INFINITY;
      return;
    }
    const { endpoint, routes, random, log } = this.config;
    this.route = routes.direct(target.address);
    this.client = new RendezvousClient({ endpoint, routes, random, log });
    this.client.register(nowMs, this.selectors);
    const { publicKey } = target.place;
    this.client.start(nowMs, { address: target.address, ...(publicKey === undefined ? {} : { publicKey }) });
    this.answerAtMs = nowMs + RENDEZVOUS_ANSWER_MS;
  }

  // ---- what the agent asks for

  register(nowMs: number, selectors: readonly Uint8Array[]): void {
    this.selectors = selectors;
    this.client?.register(nowMs, selectors);
  }

  /** Asks to be introduced. @returns the request's number, or undefined while there is no rendezvous. */
  open(nowMs: number, peer: Uint8Array, selector: Uint8Array, packet: Uint8Array): number | undefined {
    if (!this.isConnected) return undefined;
    return this.client?.open(nowMs, { peer, selector, packet });
  }

  /** Asks for a sign of life at once. */
  poke(nowMs: number): void {
    this.client?.poke(nowMs);
  }

  onNetworkChange(nowMs: number): void {
    this.client?.poke(nowMs);
  }

  shutdown(nowMs: number): void {
    this.client?.stop(nowMs);
    this.client = undefined;
    this.targets = [];
    this.answerAtMs = Number.POSITIVE_INFINITY;
  }

  /** Whether datagrams over this route come from the relay that we use. */
  isRelay(route: Route): boolean {
    return route === this.route;
  }

  owns(connection: Connection): boolean {
    return this.client?.owns(connection) ?? false;
  }

  // ---- input

  onConnectionEvent(nowMs: number, connection: Connection, event: ConnectionEvent): void {
    this.client?.handleConnectionEvent(nowMs, connection, event);
  }

  onIdentityReply(nowMs: number, route: Route, packet: Uint8Array): void {
    if (route === this.route) this.client?.handleIdentityReply(nowMs, packet);
  }

  handleTimeout(nowMs: number): void {
    this.client?.handleTimeout(nowMs);
    if (nowMs < this.answerAtMs) return;
    if (this.isConnected) {
      // A rendezvous further down the list serves; the preferred one is tried again now and then.
      this.answerAtMs = Number.POSITIVE_INFINITY;
      return;
    }
    this.onSilence(nowMs);
  }

  private onSilence(nowMs: number): void {
    const target = this.target;
    if (target === undefined) return;
    if (!this.toldUnreachable) {
      this.toldUnreachable = true;
      this.tell("unreachable", target, "no answer");
      this.events.push({ type: "unreachable" });
    }
    if (this.targets.length > 1) {
      this.index = (this.index + 1) % this.targets.length;
      this.start(nowMs);
    } else {
      // The client goes on trying by itself.
      this.answerAtMs = Number.POSITIVE_INFINITY;
    }
  }

  pollTimeout(): number {
    return Math.min(this.answerAtMs, this.client?.pollTimeout() ?? Number.POSITIVE_INFINITY);
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.client?.pollTransmit(nowMs, out) ?? false;
  }

  // ---- events

  pollEvent(nowMs: number): RendezvousLinkEvent | undefined {
    for (let event = this.client?.pollEvent(); event !== undefined; event = this.client?.pollEvent()) {
      this.onClientEvent(nowMs, event);
    }
    return this.events.shift();
  }

  private onClientEvent(nowMs: number, event: RendezvousClientEvent): void {
    const target = this.target;
    if (target === undefined) return;
    switch (event.type) {
      case "connected":
        this.isConnected = true;
        this.toldUnreachable = false;
        this.answerAtMs = Number.POSITIVE_INFINITY;
        this.tell("connected", target, "");
        this.events.push({ type: "connected" });
        break;
      case "lost":
        this.isConnected = false;
        this.toldUnreachable = true;
        this.answerAtMs = nowMs + RENDEZVOUS_RETURN_MS;
        this.tell("lost", target, "it does not answer any more");
        break;
      case "identity": {
        const { host, port } = target.place;
        this.config.emit({ type: "rendezvous-identity", host, port, publicKey: event.publicKey });
        break;
      }
      case "registered":
      case "observed":
        this.events.push({ type: "observed", address: event.address });
        break;
      default:
        this.events.push(event);
    }
  }

  private tell(state: "connected" | "unreachable" | "lost", target: Target, message: string): void {
    const { host, port } = target.place;
    const publicKey = this.client?.publicKey;
    this.config.emit({
      type: "rendezvous",
      state,
      host,
      port,
      message: message === "" ? formatSocketAddress(target.address) : message,
      ...(publicKey === undefined ? {} : { publicKey }),
    });
  }
}

const isSame = (a: Target, b: Target): boolean =>
  formatSocketAddress(a.address) === formatSocketAddress(b.address) &&
  (a.place.publicKey === undefined ||
    b.place.publicKey === undefined ||
    a.place.publicKey.join() === b.place.publicKey.join());
