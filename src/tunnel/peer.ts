// One live connection to a peer: its search for a direct path, a new relay channel whenever the old one is gone, and telling of
// changes. The initiator of the connection is the one who asks for channels.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { PEER_SILENCE_TOLD_MS, RESUME_RETRY_MS } from "../base/limits.ts";
import { type Carrier, MAIN_CARRIER, type Route } from "../base/route.ts";
import { equalBytes } from "../crypto/secret.ts";
import type { Connection } from "../transport/connection.ts";
import type { ConnectionEvent } from "../transport/connection-event.ts";
import type { AgentEvent } from "./agent-event.ts";
import { DirectSearch, type DirectSearchContext } from "./direct-search.ts";

/** What a peer needs of its agent. */
export interface PeerContext extends DirectSearchContext {
  emit(event: AgentEvent): void;
  /** Asks the rendezvous for a channel to this very instance. @returns false while there is no rendezvous. */
  openChannel(nowMs: number, peer: Peer): boolean;
  /** A channel is not needed any more: the rendezvous tells the peer so. */
  closeChannel(nowMs: number, route: Route): void;
}

export class Peer {
  readonly connection: Connection;
  private readonly context: PeerContext;
  private readonly search: DirectSearch;
  /** The latest channel's route, until a challenge over it has come back. */
  private freshChannel: Route | undefined;
  /** The one before it, where that was closed before a challenge came back. */
  private givenBack: Route | undefined;
  private channelAtMs = Number.POSITIVE_INFINITY;
  private channelAskedAtMs = Number.NEGATIVE_INFINITY;
  /** A request is out. */
  private isAskingForChannel = false;
  private probeChannelAtMs = Number.POSITIVE_INFINITY;
  private channelsUnanswered = 0;
  private pathToTell = false;
  private toldKey = "";
  private stalledAtMs = Number.POSITIVE_INFINITY;

  constructor(nowMs: number, connection: Connection, context: PeerContext) {
    this.connection = connection;
    this.context = context;
    this.pathToTell = connection.activePath !== undefined;
    this.search = new DirectSearch(nowMs, connection, context);
    // By now a NAT may have forgotten the family over which nothing was said for long.
    context.queryMappedAddress(nowMs, MAIN_CARRIER);
    // A connection that was made without an introduction has no relay to fall back on yet.
    if (this.isInitiator && !connection.paths.all.some((path) => path.via === "relay")) this.channelAtMs = nowMs;
  }

  get identity(): Uint8Array {
    return this.connection.remoteIdentity;
  }

  /** Channels that were opened since the connection stalled, over which nothing came back. */
  get unansweredChannels(): number {
    return this.channelsUnanswered;
  }

  /** One has been asked for, or has come and is being asked itself: a second one would only be in its way. */
  private get isChannelUnderWay(): boolean {
    return this.isAskingForChannel || this.freshChannel !== undefined;
  }

  private get isInitiator(): boolean {
    return this.connection.role === "initiator";
  }

  /** Our addresses are others now. */
  sendCandidates(): void {
    this.search.sendCandidates();
  }

  /** What is known of our NAT has changed. */
  onNatMeasured(nowMs: number): void {
    this.search.onNatMeasured(nowMs);
  }

  /** Our addresses changed, or the host woke up: everything is asked anew. */
  onNetworkChange(nowMs: number): void {
    this.connection.onNetworkChange();
    this.search.onNetworkChange(nowMs);
  }

  onMappedAddress(nowMs: number, carrier: Carrier, address: SocketAddress): void {
    if (carrier === MAIN_CARRIER) this.search.sendCandidates();
    else this.search.onMappedAddress(nowMs, carrier, address);
  }

  /** The connection is over. Where nobody is to be told of that, its channels are not needed any more. */
  stop(nowMs: number): void {
    this.search.stop();
    if (this.connection.state !== "closed") return;
    if (this.freshChannel !== undefined) this.context.closeChannel(nowMs, this.freshChannel);
    for (const { via, route } of this.connection.paths.all)
      if (via === "relay") this.context.closeChannel(nowMs, route);
  }

  // ---- the relay's channel

  /** There is a rendezvous, perhaps a new one. A channel that it still knows is asked over the new session: onChannelMoved. */
  onRendezvousConnected(nowMs: number): void {
    this.askForChannel(nowMs, !this.isChannelUnderWay);
  }

  /** An instance of a peer has come to the rendezvous that a request for a channel has missed. */
  onPresent(nowMs: number, peer: Uint8Array, instance: Uint8Array): void {
    const isOurs = equalBytes(peer, this.identity) && equalBytes(instance, this.connection.remoteInstance);
    if (isOurs) this.askForChannel(nowMs, true);
  }

  /** A channel is asked for soon where none works; not in a hurry where one was asked for just now, unless that was in vain. */
  private askForChannel(nowMs: number, atOnce: boolean): void {
    const hasChannel = this.connection.paths.all.some(({ via, state }) => via === "relay" && state === "working");
    if (!this.isInitiator || hasChannel) return;
    const atMs = atOnce ? nowMs : Math.max(nowMs, this.channelAskedAtMs + RESUME_RETRY_MS);
    this.channelAtMs = Math.min(this.channelAtMs, atMs);
  }

  /** The session with the rendezvous goes another way, and the channel with it. */
  onChannelMoved(nowMs: number, from: Route, to: Route): void {
    if (this.freshChannel !== from && this.connection.paths.byRoute(from) === undefined) return;
    this.askChannel(nowMs, to);
    if (this.isInitiator) this.channelAtMs = nowMs + RESUME_RETRY_MS;
  }

  private askChannel(nowMs: number, route: Route): void {
    this.freshChannel = route;
    this.connection.probe(nowMs, route);
    this.probeChannelAtMs = nowMs + RESUME_RETRY_MS / 8;
  }

  /** The channel that was asked for is there. */
  onChannel(nowMs: number, route: Route): void {
    this.isAskingForChannel = false;
    // One over which nothing has come back; what may still come back over it is too late.
    this.givenBack = this.freshChannel;
    if (this.freshChannel !== undefined) this.context.closeChannel(nowMs, this.freshChannel);
    this.askChannel(nowMs, route);
    this.channelAtMs = nowMs + RESUME_RETRY_MS;
    this.channelsUnanswered++;
  }

  /** The rendezvous could not open one. */
  onChannelFailed(nowMs: number): void {
    this.isAskingForChannel = false;
    this.channelAtMs = nowMs + RESUME_RETRY_MS;
  }

  /** The rendezvous closed a channel, of ours or of another peer's. */
  onChannelClosed(nowMs: number, route: Route): void {
    const { paths } = this.connection;
    if (this.freshChannel !== route && paths.byRoute(route) === undefined) return;
    this.connection.dropRoute(nowMs, route);
    if (this.freshChannel === route) {
      this.freshChannel = undefined;
      this.probeChannelAtMs = Number.POSITIVE_INFINITY;
    }
    this.askForChannel(nowMs, false);
  }

  /**
   * A challenge over a channel has come back. The two sides must not each prefer another one and give up the other's: of several
   * the initiator keeps one and closes the others, and the responder follows when the rendezvous tells it.
   */
  private onChannelProved(nowMs: number, route: Route): void {
    if (route === this.givenBack) {
      this.connection.dropRoute(nowMs, route);
      return;
    }
    const wasAsked = route === this.freshChannel;
    this.channelsUnanswered = 0;
    this.channelAtMs = Number.POSITIVE_INFINITY;
    this.probeChannelAtMs = Number.POSITIVE_INFINITY;
    this.freshChannel = undefined;
    const others = this.connection.paths.all.filter((path) => path.via === "relay" && path.route !== route);
    if (!this.isInitiator) {
      // Our way to the rendezvous has changed, and this is the same channel.
      const former = others.filter((path) => wasAsked && equalBytes(path.route.prefix, route.prefix));
      for (const path of former) this.connection.dropRoute(nowMs, path.route);
    } else if (!wasAsked && others.some(({ state }) => state === "working")) {
      // An older one that the peer still uses.
      this.context.closeChannel(nowMs, route);
    } else {
      for (const path of others) {
        this.connection.dropRoute(nowMs, path.route);
        this.context.closeChannel(nowMs, path.route);
      }
    }
  }

  // ---- events and time

  onEvent(nowMs: number, event: ConnectionEvent): void {
    switch (event.type) {
      case "candidates":
        this.search.onCandidates(nowMs, event.body);
        break;
      case "punch":
        this.search.onPunch(nowMs, event.body);
        break;
      case "active-path":
        this.pathToTell = true;
        break;
      case "path-validated":
        if (event.path.via === "relay") this.onChannelProved(nowMs, event.path.route);
        else this.search.onDirect(nowMs, event.path.route);
        break;
      case "path-failed":
        if (event.path.via === "relay") this.onChannelClosed(nowMs, event.path.route);
        else this.search.onDirectFailed(nowMs, event.path.route);
        break;
      case "stalled":
        this.stalledAtMs = nowMs;
        this.search.onStalled(nowMs);
        this.channelsUnanswered = 0;
        this.askForChannel(nowMs, !this.isChannelUnderWay);
        break;
      case "recovered":
        this.channelsUnanswered = 0;
        // It was said to be silent: that it is back is said as well, whichever way its packets take now.
        if (nowMs - this.stalledAtMs >= PEER_SILENCE_TOLD_MS) {
          this.toldKey = "";
          this.pathToTell = true;
        }
        break;
    }
  }

  pollTimeout(): number {
    return Math.min(this.search.pollTimeout(), this.channelAtMs, this.probeChannelAtMs);
  }

  handleTimeout(nowMs: number): void {
    this.search.handleTimeout(nowMs);
    if (nowMs >= this.probeChannelAtMs && this.freshChannel !== undefined) {
      this.connection.probe(nowMs, this.freshChannel);
      this.probeChannelAtMs = nowMs + RESUME_RETRY_MS / 4;
    }
    if (nowMs >= this.channelAtMs) {
      // Asked for at most this often, answered or not; without a rendezvous, onRendezvousConnected comes back to it.
      const isAsked = this.context.openChannel(nowMs, this);
      this.isAskingForChannel = isAsked;
      if (isAsked) this.channelAskedAtMs = nowMs;
      this.channelAtMs = isAsked ? nowMs + RESUME_RETRY_MS : Number.POSITIVE_INFINITY;
    }
  }

  /** Tells of a change of path once its round trip is known. */
  tellPath(): void {
    const path = this.connection.activePath;
    if (!this.pathToTell || path === undefined || !path.hasRtt) return;
    this.pathToTell = false;
    const over = this.context.streams.over(path.route.carrier);
    const key = `${path.via} ${formatSocketAddress(path.route.remote)} ${over}`;
    if (key === this.toldKey) return;
    this.toldKey = key;
    const { via, rttMs } = path;
    this.context.emit({ type: "path", peer: this.identity, via, remote: path.route.remote, rttMs, over });
  }
}
