// All dials of an agent, and which of them a piece of news is for.

import { closeCode } from "../base/protocol-error.ts";
import type { Route } from "../base/route.ts";
import { equalBytes } from "../crypto/secret.ts";
import type { OpenFailure } from "../rendezvous/rendezvous-event.ts";
import type { Connection } from "../transport/connection.ts";
import type { ConnectionEvent } from "../transport/connection-event.ts";
import type { Dial } from "./dial.ts";
import type { Peer } from "./peer.ts";

export class Dials {
  private readonly dials: Dial[] = [];

  add(dial: Dial): void {
    this.dials.push(dial);
  }

  private connectedTo(peer: Peer): Dial[] {
    return this.dials.filter((dial) => dial.connected === peer);
  }

  pollTimeout(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const dial of this.dials) at = Math.min(at, dial.pollTimeout());
    return at;
  }

  handleTimeout(nowMs: number): void {
    for (const dial of this.dials) if (dial.pollTimeout() <= nowMs) dial.handleTimeout(nowMs);
  }

  // ---- peers

  /** A connection was made, perhaps by a dial; others that want the same peer are served by it as well. */
  onConnected(peer: Peer): void {
    for (const dial of this.dials) {
      const isOwn = dial.attempting === peer.connection;
      // An older connection led to another instance: the peer was started anew and knows it no more.
      if (isOwn) dial.connected?.connection.vanish(closeCode.peerRestarted, "the peer was started anew");
      if (isOwn || (dial.connected === undefined && equalBytes(dial.peer, peer.identity))) dial.onConnected(peer);
    }
  }

  /** A connection that may have been a dial's attempt is over. */
  onAttemptClosed(nowMs: number, connection: Connection): void {
    for (const dial of this.dials) if (dial.attempting === connection) dial.onAttemptClosed(nowMs);
  }

  onGone(nowMs: number, peer: Peer): void {
    for (const dial of this.connectedTo(peer)) dial.onGone(nowMs);
  }

  onPathEvent(nowMs: number, peer: Peer, { type }: ConnectionEvent): void {
    if (type === "stalled") for (const dial of this.connectedTo(peer)) dial.onStalled(nowMs);
    if (type === "recovered") for (const dial of this.connectedTo(peer)) dial.onRecovered();
  }

  redial(nowMs: number, peer: Peer): void {
    for (const dial of this.connectedTo(peer)) dial.redial(nowMs);
  }

  /** More streams may be opened on this connection. */
  onStreamsAvailable(connection: Connection): void {
    for (const dial of this.dials) if (dial.connected?.connection === connection) dial.onStreamsAvailable();
  }

  onNetworkChange(nowMs: number): void {
    for (const dial of this.dials) dial.onNetworkChange(nowMs);
  }

  // ---- the rendezvous

  onRendezvousConnected(nowMs: number): void {
    for (const dial of this.dials) dial.onRendezvousConnected(nowMs);
  }

  onNoRendezvous(): void {
    for (const dial of this.dials) dial.onNoRendezvous();
  }

  onOpened(request: number, route: Route): void {
    for (const dial of this.dials) if (dial.onOpened(request, route)) return;
  }

  onChannelMoved(from: Route, to: Route): void {
    for (const dial of this.dials) dial.onChannelMoved(from, to);
  }

  onChannelClosed(nowMs: number, route: Route): void {
    for (const dial of this.dials) dial.onChannelClosed(nowMs, route);
  }

  onOpenFailed(nowMs: number, request: number, reason: OpenFailure): void {
    for (const dial of this.dials) if (dial.onOpenFailed(nowMs, request, reason)) return;
  }

  onPresent(nowMs: number, peer: Uint8Array): void {
    for (const dial of this.dials) if (equalBytes(dial.peer, peer)) dial.onPresent(nowMs);
  }
}
