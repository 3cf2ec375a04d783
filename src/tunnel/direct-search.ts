// The search for a direct path to one peer: candidates out, challenges to theirs, and where that cannot do, a spray or a fresh
// socket. It goes on as long as only the relay works, slower and slower, and starts afresh when a network changes.

import type { SocketAddress } from "../base/address.ts";
import {
  CANDIDATES_MAX,
  FRESH_SOCKET_AFTER_MS,
  FRESH_SOCKETS_MAX,
  PATH_RETRY_MAX_MS,
  PATH_RETRY_MS,
  SPRAY_AFTER_MS,
  SPRAY_AGAIN_MS,
  SPRAY_SOCKET_LINGER_MS,
  SPRAY_SOCKETS,
} from "../base/limits.ts";
import { ProtocolError } from "../base/protocol-error.ts";
import type { Random } from "../base/random.ts";
import { type Carrier, isStreamCarrier, MAIN_CARRIER, type Route } from "../base/route.ts";
import type { Connection } from "../transport/connection.ts";
import { BirthdaySpray } from "../traversal/birthday-spray.ts";
import { gatherCandidates, plausibleTargets } from "../traversal/candidate-gathering.ts";
import { HolePunch } from "../traversal/hole-punch.ts";
import { type PunchRole, punchRole } from "../traversal/punch-plan.ts";
import { type CandidatesBody, decodeCandidates, encodeCandidates, encodePunch } from "../wire/candidate.ts";
import type { OwnSockets } from "./own-sockets.ts";
import { StreamMeeting, type StreamMeetingContext } from "./stream-meeting.ts";

export interface DirectSearchContext extends StreamMeetingContext {
  readonly random: Random;
  readonly sockets: OwnSockets;
  /** Direct paths are not looked for before a connection is this old; 0 but for measuring the relay. */
  readonly directAfterMs: number;
  /** Asks the rendezvous where the socket of this carrier is seen; `onMappedAddress` follows. */
  queryMappedAddress(nowMs: number, carrier: Carrier): void;
}

export class DirectSearch {
  private readonly connection: Connection;
  private readonly context: DirectSearchContext;
  private readonly notBeforeMs: number;
  private readonly punch = new HolePunch();
  /** The search for one without UDP. */
  private readonly meeting: StreamMeeting;
  private theirs: CandidatesBody | undefined;
  private spray: BirthdaySpray | undefined;
  private sprays = 0;
  private spraySockets: readonly Carrier[] = [];
  private sprayAtMs = Number.POSITIVE_INFINITY;
  /** The newest fresh socket and where it is seen, once that is known. */
  private fresh: { readonly carrier: Carrier; seenAt: SocketAddress | undefined } | undefined;
  private freshSockets = 0;
  private freshAtMs = Number.POSITIVE_INFINITY;
  /** All sockets that this search has open. */
  private readonly opened = new Set<Carrier>();
  private sweepAtMs = Number.POSITIVE_INFINITY;
  /** A direct path that worked and failed, and when it is asked again. */
  private failedRoute: Route | undefined;
  private retryFailedAtMs = Number.POSITIVE_INFINITY;
  private retries = 0;

  constructor(nowMs: number, connection: Connection, context: DirectSearchContext) {
    this.connection = connection;
    this.context = context;
    this.notBeforeMs = nowMs + context.directAfterMs;
    this.meeting = new StreamMeeting(this.notBeforeMs, connection, context);
    this.sendCandidates();
  }

  /** Whether there is a direct path over UDP. One over a stream serves meanwhile. */
  private get hasDirect(): boolean {
    return this.connection.paths.all.some(
      ({ via, state, route }) => via === "direct" && state === "working" && !isStreamCarrier(route.carrier),
    );
  }

  /** What the two NATs ask of us. */
  get role(): PunchRole {
    return this.theirs === undefined ? "simultaneous" : punchRole(this.context.network.nat, this.theirs.nat);
  }

  // ---- candidates

  /** Tells the peer where we may be reached; called again whenever that changes. */
  sendCandidates(): void {
    const { hosts, mapped, observed, nat } = this.context.network;
    const streamCandidates = this.context.streams.candidates;
    const seenAt = this.fresh?.seenAt;
    const candidates = gatherCandidates(hosts, seenAt === undefined ? observed : [seenAt, ...observed], mapped);
    candidates.splice(CANDIDATES_MAX - streamCandidates.length);
    this.connection.sendCandidates(encodeCandidates({ nat, candidates: [...candidates, ...streamCandidates] }));
    this.meeting.review();
  }

  onCandidates(nowMs: number, body: Uint8Array): void {
    try {
      this.theirs = decodeCandidates(body);
    } catch (error) {
      // A list that cannot be read is as good as none: the relay serves.
      if (!(error instanceof ProtocolError)) throw error;
      return;
    }
    this.meeting.onCandidates(this.theirs.candidates);
    this.punch.forgetFailures();
    this.start(nowMs);
  }

  /** By then plain punching has had its answers. */
  private get freshAfterMs(): number {
    return Math.max(FRESH_SOCKET_AFTER_MS, 4 * this.connection.rttMs);
  }

  private start(nowMs: number): void {
    if (this.hasDirect || this.theirs === undefined) return;
    const startAtMs = Math.max(nowMs, this.notBeforeMs);
    const targets = plausibleTargets(this.theirs.candidates, this.context.network.hosts);
    this.punch.start(nowMs, targets, startAtMs - nowMs);
    const { role } = this;
    const sprays = role === "open-sockets" || role === "spray-ports";
    if (sprays && this.spray === undefined) {
      this.sprayAtMs = Math.min(this.sprayAtMs, startAtMs + Math.max(SPRAY_AFTER_MS, 3 * this.connection.rttMs));
    }
    // The two sides take turns, the initiator first: a fresh socket's first packet has to leave before any comes for it.
    if (role === "simultaneous" && this.freshAtMs === Number.POSITIVE_INFINITY && this.freshSockets === 0) {
      this.freshAtMs = startAtMs + this.freshAfterMs * (this.connection.role === "initiator" ? 1 : 2);
    }
  }

  /** Our addresses changed, or the host woke up: everything is asked anew. */
  onNetworkChange(nowMs: number): void {
    this.sendCandidates();
    this.punch.forgetFailures();
    this.freshSockets = 0;
    for (const path of this.connection.paths.all) if (path.via === "direct") this.connection.probe(nowMs, path.route);
    this.start(nowMs);
  }

  // ---- results

  onDirect(nowMs: number, route: Route): void {
    if (isStreamCarrier(route.carrier)) return;
    this.meeting.onDirect(nowMs);
    this.punch.stop();
    this.endSpray();
    this.sprayAtMs = Number.POSITIVE_INFINITY;
    this.freshAtMs = Number.POSITIVE_INFINITY;
    this.freshSockets = 0;
    this.failedRoute = undefined;
    this.retryFailedAtMs = Number.POSITIVE_INFINITY;
    if (this.opened.size > 0) this.sweepAtMs = nowMs + SPRAY_SOCKET_LINGER_MS;
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
    if (this.theirs === undefined || nowMs < this.notBeforeMs) return;
    this.punch.start(nowMs, plausibleTargets(this.theirs.candidates, this.context.network.hosts));
  }

  /** The connection is over. */
  stop(): void {
    this.punch.stop();
    this.meeting.stop();
    this.endSpray();
    this.context.sockets.close([...this.opened]);
    this.opened.clear();
  }

  // ---- time

  pollTimeout(): number {
    const sprayMs = this.spray?.pollTimeout() ?? Number.POSITIVE_INFINITY;
    const ownMs = Math.min(this.sprayAtMs, sprayMs, this.freshAtMs, this.sweepAtMs, this.retryFailedAtMs);
    return Math.min(ownMs, this.punch.pollTimeout(), this.meeting.pollTimeout());
  }

  handleTimeout(nowMs: number): void {
    for (const target of this.punch.takeDue(nowMs)) this.probe(nowMs, target, this.fresh?.carrier ?? MAIN_CARRIER);
    if (nowMs >= this.retryFailedAtMs && this.failedRoute !== undefined) {
      this.connection.probe(nowMs, this.failedRoute);
      this.retries++;
      this.retryFailedAtMs = nowMs + Math.min(PATH_RETRY_MS * 2 ** this.retries, PATH_RETRY_MAX_MS);
    }
    this.meeting.handleTimeout(nowMs);
    if (nowMs >= this.sprayAtMs) this.beginSpray(nowMs);
    this.continueSpray(nowMs);
    if (nowMs >= this.freshAtMs) this.openFreshSocket(nowMs);
    if (nowMs >= this.sweepAtMs) this.sweep();
  }

  private probe(nowMs: number, address: SocketAddress, carrier: Carrier): void {
    this.connection.probe(nowMs, this.context.routes.direct(address, carrier));
  }

  // ---- the birthday

  private beginSpray(nowMs: number): void {
    this.sprayAtMs = Number.POSITIVE_INFINITY;
    const { role } = this;
    if (this.hasDirect || this.spray !== undefined || (role !== "open-sockets" && role !== "spray-ports")) return;
    const target = this.sprayTarget();
    if (target === undefined) return;
    if (!this.context.network.beginSpray(this)) {
      this.sprayAtMs = nowMs + SPRAY_AFTER_MS;
      return;
    }
    // The peer's half has to be under way at the same time.
    this.connection.sendPunch(encodePunch({ round: ++this.sprays, seenFrom: [] }));
    this.spray = new BirthdaySpray(nowMs, role, target, this.context.random);
    if (role === "open-sockets") {
      this.spraySockets = this.context.sockets.open(SPRAY_SOCKETS);
      for (const carrier of this.spraySockets) this.opened.add(carrier);
    }
  }

  /** The peer has begun its half of a spray: ours is due now. */
  onPunch(nowMs: number): void {
    if (this.spray === undefined && nowMs >= this.notBeforeMs) this.beginSpray(nowMs);
  }

  /** Where the peer is seen by others. */
  private sprayTarget(): SocketAddress | undefined {
    const candidates = this.theirs?.candidates ?? [];
    const { hosts } = this.context.network;
    for (const type of ["port-mapped", "server-reflexive"] as const) {
      const [target] = plausibleTargets(
        candidates.filter((candidate) => candidate.type === type),
        hosts,
      );
      if (target !== undefined) return target;
    }
    return undefined;
  }

  private continueSpray(nowMs: number): void {
    const { spray } = this;
    if (spray === undefined) return;
    for (const { address, socket } of spray.takeDue(nowMs)) {
      this.probe(nowMs, address, socket === undefined ? MAIN_CARRIER : (this.spraySockets[socket] ?? MAIN_CARRIER));
    }
    if (!spray.isDone) return;
    this.endSpray();
    this.sweepAtMs = nowMs + SPRAY_SOCKET_LINGER_MS;
    // By then the routers have forgotten this spray's flows.
    this.sprayAtMs = nowMs + SPRAY_AGAIN_MS * 2 ** Math.min(this.sprays - 1, 5);
  }

  private endSpray(): void {
    if (this.spray === undefined) return;
    this.spray = undefined;
    this.context.network.endSpray(this);
  }

  // ---- fresh sockets

  /**
   * Probes from the main socket get nowhere although both NATs are easy: one of them keeps a mapping that went wrong, for its
   * owner's packet came after the peer's. A new socket speaks first, and only then is the peer told of it.
   */
  private openFreshSocket(nowMs: number): void {
    this.freshAtMs = Number.POSITIVE_INFINITY;
    if (this.hasDirect || this.freshSockets >= FRESH_SOCKETS_MAX || this.theirs === undefined) return;
    this.freshSockets++;
    this.freshAtMs = nowMs + this.freshAfterMs * 2 ** this.freshSockets;
    const carrier = this.context.sockets.open(1)[0] as Carrier;
    this.opened.add(carrier);
    this.fresh = { carrier, seenAt: undefined };
    // Sent at once a probe would be lost, for the driver has yet to open the socket; this question is repeated.
    this.context.queryMappedAddress(nowMs, carrier);
    this.sweepAtMs = nowMs + this.freshAfterMs * 2 ** (this.freshSockets + 1);
  }

  /** The rendezvous has told where one of our further sockets is seen: it is open, so now it speaks, and then the peer is told of it. */
  onMappedAddress(nowMs: number, carrier: Carrier, address: SocketAddress): void {
    if (this.fresh?.carrier !== carrier || this.fresh.seenAt !== undefined || this.theirs === undefined) return;
    this.fresh.seenAt = address;
    for (const target of plausibleTargets(this.theirs.candidates, this.context.network.hosts)) {
      this.probe(nowMs, target, carrier);
    }
    this.sendCandidates();
  }

  /** Closes the sockets that no path and no search uses. */
  private sweep(): void {
    this.sweepAtMs = Number.POSITIVE_INFINITY;
    const used = new Set(this.connection.paths.all.map((path) => path.route.carrier));
    if (this.hasDirect && this.fresh !== undefined && !used.has(this.fresh.carrier)) this.fresh = undefined;
    if (this.fresh !== undefined) used.add(this.fresh.carrier);
    const idle = [...this.opened].filter((carrier) => !used.has(carrier));
    for (const carrier of idle) this.opened.delete(carrier);
    this.context.sockets.close(idle);
  }
}
