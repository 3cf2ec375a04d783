// Requests for a relay channel to a peer that is connected already, and whom each was made for. Requests of dials carry a
// handshake along and are the dials' own.

import type { Route } from "../base/route.ts";
import type { Peer } from "./peer.ts";
import type { RendezvousLinks } from "./rendezvous-links.ts";

const NOTHING = new Uint8Array(0);

export class ChannelRequests {
  private readonly rendezvous: RendezvousLinks;
  private readonly waiting = new Map<number, Peer>();

  constructor(rendezvous: RendezvousLinks) {
    this.rendezvous = rendezvous;
  }

  /** Asks for a channel to this very instance. @returns false while there is no rendezvous. */
  open(nowMs: number, peer: Peer): boolean {
    const request = this.rendezvous.open(nowMs, peer.identity, peer.connection.remoteInstance, NOTHING);
    if (request === undefined) return false;
    this.waiting.set(request, peer);
    return true;
  }

  private take(request: number): Peer | undefined {
    const peer = this.waiting.get(request);
    this.waiting.delete(request);
    return peer;
  }

  /** @returns whether the answer was for one of these. */
  onOpened(nowMs: number, request: number, route: Route): boolean {
    const peer = this.take(request);
    peer?.onChannel(nowMs, route);
    return peer !== undefined;
  }

  /** @returns the peer whose request failed. */
  onFailed(nowMs: number, request: number): Peer | undefined {
    const peer = this.take(request);
    peer?.onChannelFailed(nowMs);
    return peer;
  }

  /** The peer's connection is over. */
  forget(peer: Peer): void {
    for (const [request, waiting] of this.waiting) if (waiting === peer) this.waiting.delete(request);
  }
}
