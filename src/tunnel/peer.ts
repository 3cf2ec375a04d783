// One live connection to a peer and what keeps it on the best path: candidates out, punching as long as only the relay works, and a
// new relay channel whenever the old one is gone. The initiator of the connection is the one who asks for channels.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { PATH_RETRY_MAX_MS, PATH_RETRY_MS, RESUME_RETRY_MS } from "../base/limits.ts";
import { ProtocolError } from "../base/protocol-error.ts";
import type { Route, RouteTable } from "../base/route.ts";
import type { Connection } from "../transport/connection.ts";
import type { ConnectionEvent } from "../transport/connection-event.ts";
import { gatherCandidates, plausibleTargets } from "../traversal/candidate-gathering.ts";
import { HolePunch } from "../traversal/hole-punch.ts";
import { type Candidate, decodeCandidates, encodeCandidates } from "../wire/candidate.ts";
import type { AgentEvent } from "./agent-event.ts";

/** What a peer needs of its agent. */
export interface PeerContext {
  readonly routes: RouteTable;
  /** The socket's address on each interface. */
  hosts(): readonly SocketAddress[];
  /** Where others have seen us, the latest first. */
  observed(): readonly SocketAddress[];
  /** Direct paths are not looked for before a connection is this old; 0 but for measuring the relay. */
  readonly directAfterMs: number;
  emit(event: AgentEvent): void;
  /** Asks the rendezvous for a channel to this very instance. @returns false while there is no rendezvous. */
  openChannel(nowMs: number, peer: Peer): boolean;
}

export class Peer {
  readonly connection: Connection;
  private readonly context: PeerContext;
  private readonly connectedAtMs: number;
  private readonly punch = new HolePunch();
  private theirs: readonly Candidate[] = [];
  /** The latest channel's route, until a challenge over it has come back. */
  private freshChannel: Route | undefined;
  private channelAtMs = Number.POSITIVE_INFINITY;
  private probeChannelAtMs = Number.POSITIVE_INFINITY;
  private channelsUnanswered = 0;
  /** A direct path that worked and failed, and when it is asked again. */
  private failedRoute: Route | undefined;
  private retryFailedAtMs = Number.POSITIVE_INFINITY;
  private retries = 0;
  private pathToTell = false;
  private toldKey = "";

  constructor(nowMs: number, connection: Connection, context: PeerContext) {
    this.connection = connection;
    this.context = context;
    this.connectedAtMs = nowMs;
    this.pathToTell = connection.activePath !== undefined;
    this.sendCandidates();
  }

  get identity(): Uint8Array {
    return this.connection.remoteIdentity;
  }

  /** Channels that were opened since the connection stalled, over which nothing came back. */
  get unansweredChannels(): number {
    return this.channelsUnanswered;
  }

  private get isInitiator(): boolean {
    return this.connection.role === "initiator";
  }

  private get hasDirect(): boolean {
    return this.connection.paths.all.some((path) => path.via === "direct" && path.state === "working");
  }

  // ---- candidates and punching

  /** Tells the peer where we may be reached; called again whenever that changes. */
  sendCandidates(): void {
    const candidates = gatherCandidates(this.context.hosts(), this.context.observed());
    const nat = { mapping: "unknown", filtering: "unknown", portsPreserved: false } as const;
    this.connection.sendCandidates(encodeCandidates({ nat, candidates }));
  }

  private onCandidates(nowMs: number, body: Uint8Array): void {
    try {
      this.theirs = decodeCandidates(body).candidates;
    } catch (error) {
      // A list that cannot be read is as good as none: the relay serves.
      if (!(error instanceof ProtocolError)) throw error;
      return;
    }
    this.punch.forgetFailures();
    this.startPunching(nowMs);
  }

  private startPunching(nowMs: number): void {
    if (this.hasDirect) return;
    const waitMs = Math.max(0, this.connectedAtMs + this.context.directAfterMs - nowMs);
    this.punch.start(nowMs, plausibleTargets(this.theirs, this.context.hosts()), waitMs);
  }

  /** Our addresses changed, or the host woke up: everything is asked anew. */
  onNetworkChange(nowMs: number): void {
    this.connection.onNetworkChange();
    this.sendCandidates();
    this.punch.forgetFailures();
    for (const path of this.connection.paths.all) if (path.via === "direct") this.connection.probe(nowMs, path.route);
    this.startPunching(nowMs);
  }

  // ---- the relay's channel

  /** The rendezvous is a new one, or forgot us: the old channels are gone. */
  onRendezvousConnected(nowMs: number): void {
    if (this.isInitiator) this.channelAtMs = nowMs;
  }

  /** The channel that was asked for is there. */
  onChannel(nowMs: number, route: Route): void {
    this.freshChannel = route;
    this.connection.probe(nowMs, route);
    this.probeChannelAtMs = nowMs + RESUME_RETRY_MS / 8;
    this.channelAtMs = nowMs + RESUME_RETRY_MS;
    this.channelsUnanswered++;
  }

  /** The rendezvous could not open one. */
  onChannelFailed(nowMs: number): void {
    this.channelAtMs = nowMs + RESUME_RETRY_MS;
  }

  /** The rendezvous closed a channel. */
  onChannelClosed(nowMs: number, route: Route): void {
    this.connection.dropRoute(nowMs, route);
    if (this.freshChannel === route) this.freshChannel = undefined;
    if (this.isInitiator) this.channelAtMs = Math.min(this.channelAtMs, nowMs + RESUME_RETRY_MS);
  }

  private onChannelProved(nowMs: number, route: Route): void {
    this.channelsUnanswered = 0;
    this.channelAtMs = Number.POSITIVE_INFINITY;
    this.probeChannelAtMs = Number.POSITIVE_INFINITY;
    this.freshChannel = undefined;
    // Older channels are gone, or will be.
    for (const path of [...this.connection.paths.all]) {
      if (path.via === "relay" && path.route !== route) this.connection.dropRoute(nowMs, path.route);
    }
  }

  // ---- events and time

  onEvent(nowMs: number, event: ConnectionEvent): void {
    switch (event.type) {
      case "candidates":
        this.onCandidates(nowMs, event.body);
        break;
      case "active-path":
        this.pathToTell = true;
        break;
      case "path-validated":
        if (event.path.via === "relay") this.onChannelProved(nowMs, event.path.route);
        else this.onDirect();
        break;
      case "path-failed":
        if (event.path.via === "relay") this.onChannelClosed(nowMs, event.path.route);
        else this.onDirectFailed(nowMs, event.path.route);
        break;
      case "stalled":
        this.channelsUnanswered = 0;
        if (this.isInitiator) this.channelAtMs = nowMs;
        break;
      case "recovered":
        this.channelsUnanswered = 0;
        break;
    }
  }

  private onDirectFailed(nowMs: number, route: Route): void {
    this.failedRoute = route;
    this.retries = 0;
    this.retryFailedAtMs = nowMs + PATH_RETRY_MS;
    this.startPunching(nowMs);
  }

  private onDirect(): void {
    this.punch.stop();
    this.failedRoute = undefined;
    this.retryFailedAtMs = Number.POSITIVE_INFINITY;
  }

  pollTimeout(): number {
    return Math.min(this.punch.pollTimeout(), this.channelAtMs, this.probeChannelAtMs, this.retryFailedAtMs);
  }

  handleTimeout(nowMs: number): void {
    for (const target of this.punch.takeDue(nowMs)) this.connection.probe(nowMs, this.context.routes.direct(target));
    if (nowMs >= this.retryFailedAtMs && this.failedRoute !== undefined) {
      this.connection.probe(nowMs, this.failedRoute);
      this.retries++;
      this.retryFailedAtMs = nowMs + Math.min(PATH_RETRY_MS * 2 ** this.retries, PATH_RETRY_MAX_MS);
    }
    if (nowMs >= this.probeChannelAtMs && this.freshChannel !== undefined) {
      this.connection.probe(nowMs, this.freshChannel);
      this.probeChannelAtMs = nowMs + RESUME_RETRY_MS / 4;
    }
    if (nowMs >= this.channelAtMs) {
      // Asked for at most this often, answered or not; without a rendezvous, onRendezvousConnected comes back to it.
      this.channelAtMs = this.context.openChannel(nowMs, this) ? nowMs + RESUME_RETRY_MS : Number.POSITIVE_INFINITY;
    }
  }

  /** Tells of a change of path once its round trip is known. */
  tellPath(): void {
    const path = this.connection.activePath;
    if (!this.pathToTell || path === undefined || !path.hasRtt) return;
    this.pathToTell = false;
    const key = `${path.via} ${formatSocketAddress(path.route.remote)}`;
    if (key === this.toldKey) return;
    this.toldKey = key;
    const { via, rttMs } = path;
    this.context.emit({ type: "path", peer: this.identity, via, remote: path.route.remote, rttMs });
  }
}
