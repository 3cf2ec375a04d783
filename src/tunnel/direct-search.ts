// The search for a direct path to one peer: candidates out, challenges to theirs, and where that cannot do, whatever punch-plan.ts says:
// a spray, predicted ports, crossing packets, a fresh socket. It goes on as long as only the relay works, slower and slower, and
// starts afresh when a network changes.

import type { SocketAddress } from "../base/address.ts";
import {
  FRESH_SOCKET_AFTER_MS,
  FRESH_SOCKETS_MAX,
  PATH_RETRY_MAX_MS,
  PATH_RETRY_MS,
  PUNCH_PROBES_BURST,
  PUNCH_PROBES_PER_SECOND,
  SPOKEN_WAIT_MS,
  SPRAY_HOLD_MS,
  SPRAY_SOCKET_LINGER_MS,
} from "../base/limits.ts";
import { ProtocolError } from "../base/protocol-error.ts";
import { type Carrier, isStreamCarrier, MAIN_CARRIER, type Route } from "../base/route.ts";
import { TokenBucket } from "../rendezvous/token-bucket.ts";
import type { Connection } from "../transport/connection.ts";
import { HolePunch } from "../traversal/hole-punch.ts";
import { mustCross, type PunchRole, punchRole, waitsForPeer } from "../traversal/punch-plan.ts";
import { decodeCandidates, decodePunch, type PunchBody } from "../wire/candidate.ts";
import { CrossingSearch } from "./crossing-search.ts";
import { ownCandidates } from "./own-candidates.ts";
import { PredictionSearch } from "./prediction-search.ts";
import { type SearchContext, SearchGround } from "./search-ground.ts";
import { SpraySearch } from "./spray-search.ts";
import { StreamMeeting, type StreamMeetingContext } from "./stream-meeting.ts";

export interface DirectSearchContext extends StreamMeetingContext, SearchContext {
  /** Direct paths are not looked for before a connection is this old; 0 but for measuring the relay. */
  readonly directAfterMs: number;
}

export class DirectSearch {
  private readonly connection: Connection;
  private readonly context: DirectSearchContext;
  private readonly ground: SearchGround;
  private readonly notBeforeMs: number;
  private readonly punch = new HolePunch();
  /** The peer can name other addresses as often as it likes. */
  private readonly probes = new TokenBucket(PUNCH_PROBES_PER_SECOND, PUNCH_PROBES_BURST);
  private readonly spray: SpraySearch;
  private readonly prediction: PredictionSearch;
  private readonly crossing: CrossingSearch;
  /** The search for one without UDP. */
  private readonly meeting: StreamMeeting;
  /** Our probes wait until the peer's have left. */
  private isWaiting = false;
  /** The peer has said that its probes have left. */
  private hasHeard = false;
  /** The peer was told that ours have. */
  private hasSpoken = false;
  /** The newest fresh socket. */
  private fresh: Carrier | undefined;
  private freshSockets = 0;
  private freshAtMs = Number.POSITIVE_INFINITY;
  /** A direct path that worked and failed, and when it is asked again. */
  private failedRoute: Route | undefined;
  private retryFailedAtMs = Number.POSITIVE_INFINITY;
  private retries = 0;

  constructor(nowMs: number, connection: Connection, context: DirectSearchContext) {
    this.connection = connection;
    this.context = context;
    this.notBeforeMs = nowMs + context.directAfterMs;
    this.ground = new SearchGround(connection, context);
    this.spray = new SpraySearch(this.ground);
    this.prediction = new PredictionSearch(this.ground);
    this.crossing = new CrossingSearch(this.ground);
    this.meeting = new StreamMeeting(this.notBeforeMs, connection, context);
    this.sendCandidates();
  }

  /** What the two NATs ask of us. */
  get role(): PunchRole {
    const { ourNat, theirNat } = this.ground;
    return theirNat === undefined ? "simultaneous" : punchRole(ourNat, theirNat);
  }

  // ---- candidates

  /** Tells the peer where we may be reached; called again whenever that changes. */
  sendCandidates(): void {
    const seenAt = this.fresh === undefined ? undefined : this.ground.sockets.seenAt(this.fresh);
    this.connection.sendCandidates(ownCandidates(this.context.network, this.context.streams.candidates, seenAt));
    this.meeting.review();
  }

  /** What is known of our NAT has changed: the peer is told, and what it asks of us is done. */
  onNatMeasured(nowMs: number): void {
    this.sendCandidates();
    this.startParts(nowMs);
  }

  onCandidates(nowMs: number, body: Uint8Array): void {
    try {
      this.ground.theirs = decodeCandidates(body);
    } catch (error) {
      // A list that cannot be read is as good as none: the relay serves.
      if (!(error instanceof ProtocolError)) throw error;
      return;
    }
    this.meeting.onCandidates(this.ground.theirs.candidates);
    this.punch.forgetFailures();
    this.start(nowMs);
  }

  private start(nowMs: number): void {
    const { ground } = this;
    if (ground.hasDirect || ground.theirNat === undefined) return;
    const startAtMs = Math.max(nowMs, this.notBeforeMs);
    const delayMs = startAtMs - nowMs;
    const targets = ground.targets();
    const wasWaiting = this.isWaiting;
    this.isWaiting = !this.hasHeard && waitsForPeer(ground.ourNat, ground.theirNat, ground.isInitiator);
    if (this.isWaiting) {
      // No router stands before a host of the same network, and a mapped port is never lost.
      if (delayMs === 0) for (const target of ground.targets("host", "port-mapped")) this.probe(nowMs, target);
      const waitMs = Math.max(SPOKEN_WAIT_MS, 3 * this.connection.rttMs);
      if (!wasWaiting) this.punch.start(nowMs, targets, delayMs + waitMs);
    } else {
      this.punch.start(nowMs, targets, delayMs);
    }
    if (delayMs === 0) this.startParts(nowMs);
    this.spray.start(startAtMs, this.prediction.role === "none" ? 0 : SPRAY_HOLD_MS);
    // The two sides take turns, the initiator first: a fresh socket's first packet has to leave before any comes for it.
    if (this.role === "simultaneous" && this.freshAtMs === Number.POSITIVE_INFINITY && this.freshSockets === 0) {
      this.freshAtMs = startAtMs + this.freshAfterMs * (ground.isInitiator ? 1 : 2);
    }
  }

  /** What only some pairs of NATs ask for. */
  private startParts(nowMs: number): void {
    const { ourNat, theirNat, hasDirect } = this.ground;
    if (this.role !== "simultaneous") {
      this.endFreshSockets();
      this.crossing.stop();
    }
    if (hasDirect || theirNat === undefined || nowMs < this.notBeforeMs) return;
    if (mustCross(ourNat, theirNat)) this.crossing.start(nowMs);
    this.prediction.start(nowMs);
  }

  /** Our addresses changed, or the host woke up: everything is asked anew. */
  onNetworkChange(nowMs: number): void {
    this.sendCandidates();
    this.punch.forgetFailures();
    this.freshSockets = 0;
    this.hasHeard = false;
    for (const path of this.connection.paths.all) if (path.via === "direct") this.connection.probe(nowMs, path.route);
    this.start(nowMs);
  }

  /** The peer tells of a step of its own. */
  onPunch(nowMs: number, bytes: Uint8Array): void {
    let body: PunchBody;
    try {
      body = decodePunch(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return;
    }
    if (this.ground.hasDirect || nowMs < this.notBeforeMs) return;
    switch (body.step) {
      case "spoken":
        this.hasHeard = true;
        if (this.isWaiting) this.start(nowMs);
        break;
      case "spray":
        this.spray.onPunch(nowMs);
        break;
      case "crossing":
        this.crossing.onPunch(nowMs, body);
        break;
      case "prediction":
        this.prediction.onPunch(nowMs, body);
        break;
    }
  }

  // ---- results

  onDirect(nowMs: number, route: Route): void {
    if (isStreamCarrier(route.carrier)) return;
    this.meeting.onDirect(nowMs);
    this.punch.stop();
    this.spray.stop();
    this.prediction.stop();
    this.crossing.stop();
    this.isWaiting = false;
    this.freshAtMs = Number.POSITIVE_INFINITY;
    this.freshSockets = 0;
    this.failedRoute = undefined;
    this.retryFailedAtMs = Number.POSITIVE_INFINITY;
    if (this.ground.sockets.count > 0) this.ground.sockets.sweepAt(nowMs + SPRAY_SOCKET_LINGER_MS);
  }

  /** Both NATs were right once: the same way is asked again soon, beside a new search. */
  onDirectFailed(nowMs: number, route: Route): void {
    this.meeting.onFailed(nowMs, route);
    if (isStreamCarrier(route.carrier)) return;
    this.failedRoute = route;
    this.retries = 0;
    this.retryFailedAtMs = nowMs + PATH_RETRY_MS;
    this.start(nowMs);
  }

  /** No path works. Those of one family or network may be gone with it, and the peer's other addresses be as good as ever. */
  onStalled(nowMs: number): void {
    if (nowMs >= this.notBeforeMs) this.punch.start(nowMs, this.ground.targets());
  }

  /** The connection is over. */
  stop(): void {
    this.punch.stop();
    this.meeting.stop();
    this.spray.stop();
    this.prediction.stop();
    this.crossing.stop();
    this.ground.sockets.closeAll();
  }

  // ---- time

  pollTimeout(): number {
    const { spray, prediction, crossing, ground } = this;
    const partsMs = Math.min(spray.pollTimeout(), prediction.pollTimeout(), crossing.pollTimeout());
    const ownMs = Math.min(this.freshAtMs, this.retryFailedAtMs, ground.sockets.pollTimeout());
    return Math.min(partsMs, ownMs, this.punch.pollTimeout(), this.meeting.pollTimeout());
  }

  handleTimeout(nowMs: number): void {
    for (const target of this.punch.takeDue(nowMs)) this.probe(nowMs, target);
    if (this.punch.hasSpoken && !this.hasSpoken) this.tellSpoken();
    if (nowMs >= this.retryFailedAtMs && this.failedRoute !== undefined) {
      this.connection.probe(nowMs, this.failedRoute);
      this.retries++;
      this.retryFailedAtMs = nowMs + Math.min(PATH_RETRY_MS * 2 ** this.retries, PATH_RETRY_MAX_MS);
    }
    this.meeting.handleTimeout(nowMs);
    this.spray.handleTimeout(nowMs);
    this.prediction.handleTimeout(nowMs);
    this.crossing.handleTimeout(nowMs);
    if (nowMs >= this.freshAtMs) this.openFreshSocket(nowMs);
    this.ground.sockets.handleTimeout(nowMs, () => this.socketsInUse());
  }

  private probe(nowMs: number, address: SocketAddress): void {
    if (!this.probes.take(nowMs, 1)) return;
    this.ground.probe(nowMs, address, this.fresh ?? MAIN_CARRIER);
  }

  /** A peer whose router we might have spoilt, or that might spoil ours, has been waiting for this. */
  private tellSpoken(): void {
    this.hasSpoken = true;
    const { ourNat, theirNat, isInitiator } = this.ground;
    if (theirNat !== undefined && waitsForPeer(theirNat, ourNat, !isInitiator)) this.ground.tell("spoken", 0);
  }

  // ---- fresh sockets

  /** By then plain punching has had its answers. */
  private get freshAfterMs(): number {
    return Math.max(FRESH_SOCKET_AFTER_MS, 4 * this.connection.rttMs);
  }

  /**
   * Probes from the main socket get nowhere although both NATs are easy: one of them keeps a mapping that went wrong, for its
   * owner's packet came after the peer's. A new socket speaks first, and only then is the peer told of it.
   */
  private openFreshSocket(nowMs: number): void {
    this.freshAtMs = Number.POSITIVE_INFINITY;
    if (this.ground.hasDirect || this.freshSockets >= FRESH_SOCKETS_MAX || this.ground.theirs === undefined) return;
    this.freshSockets++;
    this.freshAtMs = nowMs + this.freshAfterMs * 2 ** this.freshSockets;
    // Neither side's first word has helped: both routers may be such as need to be spoken to at the same moment.
    if (this.freshSockets > 2) this.crossing.guess(nowMs);
    const carriers = this.ground.sockets.open(1);
    this.ground.sockets.ask(nowMs, carriers);
    [this.fresh] = carriers;
    this.ground.sockets.sweepAt(nowMs + this.freshAfterMs * 2 ** (this.freshSockets + 1));
  }

  /** A NAT has turned out to be hard, where they are of no use; and what the peer aims at is the main socket again. */
  private endFreshSockets(): void {
    this.freshAtMs = Number.POSITIVE_INFINITY;
    if (this.fresh === undefined) return;
    this.fresh = undefined;
    this.sendCandidates();
  }

  /** The rendezvous has told where one of our further sockets is seen. */
  onMappedAddress(nowMs: number, carrier: Carrier, address: SocketAddress): void {
    const { ground } = this;
    if (!ground.sockets.onMappedAddress(carrier, address) || ground.hasDirect) return;
    this.prediction.onMappedAddress(nowMs);
    this.crossing.onMappedAddress(nowMs);
    if (carrier !== this.fresh) return;
    // It is open, so now it speaks, and then the peer is told of it.
    for (const target of ground.targets()) this.probe(nowMs, target);
    this.sendCandidates();
  }

  /** The sockets that a path or a part of the search uses; what the fresh one was for is over once there is a direct path. */
  private socketsInUse(): Set<Carrier> {
    const used = new Set(this.connection.paths.all.map((path) => path.route.carrier));
    if (this.ground.hasDirect && this.fresh !== undefined && !used.has(this.fresh)) this.fresh = undefined;
    if (this.fresh !== undefined) used.add(this.fresh);
    for (const part of [this.spray, this.prediction, this.crossing])
      for (const carrier of part.inUse) used.add(carrier);
    return used;
  }
}
