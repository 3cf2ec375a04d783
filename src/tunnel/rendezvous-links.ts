// The agent's rendezvous, the preferred one first. It holds a session with each of them, so that whoever shares one with it finds it
// there, whichever others are out of reach for either; and when one fails, introductions and relay channels come from the next at once.
// An introduction is asked of one after the other, until one of them knows the peer.

import type { SocketAddress } from "../base/address.ts";
import type { Route } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { equalBytes } from "../crypto/secret.ts";
import type { OpenFailure, RendezvousEvent } from "../rendezvous/rendezvous-event.ts";
import type { Connection } from "../transport/connection.ts";
import type { ConnectionEvent } from "../transport/connection-event.ts";
import { RendezvousLink, type RendezvousLinkConfig, type RendezvousPlace } from "./rendezvous-link.ts";

/** One request of the agent, whichever rendezvous is being asked. */
interface Introduction {
  readonly request: number;
  readonly peer: Uint8Array;
  readonly selector: Uint8Array;
  readonly packet: Uint8Array;
  readonly asked: Set<RendezvousLink>;
  /** Why the first one could not. */
  reason: OpenFailure | undefined;
}

export class RendezvousLinks {
  private readonly config: RendezvousLinkConfig;
  private links: readonly RendezvousLink[] = [];
  private selectors: readonly Uint8Array[] = [];
  private nextRequest = 1;
  /** By the number that the request has at the rendezvous that is being asked. */
  private readonly introductions = new Map<RendezvousLink, Map<number, Introduction>>();

  constructor(config: RendezvousLinkConfig) {
    this.config = config;
  }

  setPlaces(nowMs: number, places: readonly RendezvousPlace[]): void {
    const before = this.links;
    this.links = places
      .filter(({ addresses, byName }) => addresses.length > 0 || byName === true)
      .map((place) => {
        const known = before.find((link) => link.leadsTo(place));
        known?.update(nowMs, place);
        return known ?? this.add(nowMs, place);
      });
    for (const link of before) if (!this.links.includes(link)) this.leave(nowMs, link);
  }

  private add(nowMs: number, place: RendezvousPlace): RendezvousLink {
    const link = new RendezvousLink(nowMs, place, this.config);
    link.register(nowMs, this.selectors);
    this.introductions.set(link, new Map());
    return link;
  }

  private leave(nowMs: number, link: RendezvousLink): void {
    link.stop(nowMs);
    this.introductions.delete(link);
  }

  // ---- what the agent asks for

  register(nowMs: number, selectors: readonly Uint8Array[]): void {
    this.selectors = selectors;
    for (const link of this.links) link.register(nowMs, selectors);
  }

  /** Asks to be introduced. @returns the request's number, or undefined while there is no rendezvous. */
  open(nowMs: number, peer: Uint8Array, selector: Uint8Array, packet: Uint8Array): number | undefined {
    const request = this.nextRequest;
    this.nextRequest = (this.nextRequest + 1) >>> 0;
    const introduction = { request, peer, selector, packet, asked: new Set<RendezvousLink>(), reason: undefined };
    return this.askNext(nowMs, introduction) ? request : undefined;
  }

  /** @returns whether there is a rendezvous that was not asked yet. */
  private askNext(nowMs: number, introduction: Introduction): boolean {
    const { peer, selector, packet, asked } = introduction;
    for (const link of this.links) {
      const number = asked.has(link) ? undefined : link.open(nowMs, peer, selector, packet);
      if (number === undefined) continue;
      asked.add(link);
      this.introductions.get(link)?.set(number, introduction);
      return true;
    }
    return false;
  }

  /** A relay channel is not needed any more. */
  closeChannel(nowMs: number, route: Route): void {
    for (const link of this.links) link.closeChannel(nowMs, route);
  }

  /** Asks for a sign of life at once. */
  poke(nowMs: number): void {
    for (const link of this.links) link.poke(nowMs);
  }

  onNetworkChange(nowMs: number): void {
    for (const link of this.links) link.onNetworkChange(nowMs);
  }

  shutdown(nowMs: number): void {
    for (const link of this.links) this.leave(nowMs, link);
  }

  /** Of all rendezvous, those that answer first. */
  get addresses(): readonly SocketAddress[] {
    const [answering, others] = [true, false].map((is) => this.links.filter(({ isConnected }) => isConnected === is));
    return [...(answering ?? []), ...(others ?? [])].flatMap(({ addresses }) => addresses);
  }

  /** Whether datagrams over this direct route come from a relay that we use. */
  isRelay(route: Route): boolean {
    return this.links.some((link) => link.isRelay(route));
  }

  owns(connection: Connection): boolean {
    return this.links.some((link) => link.owns(connection));
  }

  // ---- input

  onConnectionEvent(nowMs: number, connection: Connection, event: ConnectionEvent): void {
    this.links.find((link) => link.owns(connection))?.onConnectionEvent(nowMs, connection, event);
  }

  onIdentityReply(nowMs: number, from: SocketAddress, packet: Uint8Array): void {
    for (const link of this.links) link.onIdentityReply(nowMs, from, packet);
  }

  handleTimeout(nowMs: number): void {
    for (const link of this.links) link.handleTimeout(nowMs);
  }

  pollTimeout(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const link of this.links) at = Math.min(at, link.pollTimeout());
    return at;
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.links.some((link) => link.pollTransmit(nowMs, out));
  }

  /** What the agent has to act on, whichever rendezvous it is from. */
  pollEvent(nowMs: number): RendezvousEvent | undefined {
    for (const link of this.links) {
      for (let event = link.pollEvent(); event !== undefined; event = link.pollEvent()) {
        const news = this.take(nowMs, link, event);
        if (news !== undefined) return news;
      }
    }
    return undefined;
  }

  private take(nowMs: number, link: RendezvousLink, event: RendezvousEvent): RendezvousEvent | undefined {
    switch (event.type) {
      case "opened": {
        const introduction = this.takeIntroduction(link, event.request);
        return introduction && { ...event, request: introduction.request };
      }
      case "open-failed": {
        const introduction = this.takeIntroduction(link, event.request);
        if (introduction === undefined) return undefined;
        introduction.reason ??= event.reason;
        if (this.askNext(nowMs, introduction)) return undefined;
        return { ...event, request: introduction.request, reason: introduction.reason };
      }
      case "connected":
        // One machine under two names is one rendezvous, and takes one session of ours for the other.
        for (const other of this.twinsOf(link)) other.stop(nowMs);
        return event;
      case "lost":
        for (const other of this.twinsOf(link)) other.start(nowMs);
        return event;
      case "unreachable":
        return this.links.some(({ isConnected }) => isConnected) ? undefined : event;
      default:
        return event;
    }
  }

  private takeIntroduction(link: RendezvousLink, number: number): Introduction | undefined {
    const waiting = this.introductions.get(link);
    const introduction = waiting?.get(number);
    waiting?.delete(number);
    return introduction;
  }

  private twinsOf(link: RendezvousLink): RendezvousLink[] {
    const key = link.publicKey;
    const isTwin = (other: RendezvousLink): boolean =>
      other !== link && key !== undefined && other.publicKey !== undefined && equalBytes(other.publicKey, key);
    return this.links.filter(isTwin);
  }
}
