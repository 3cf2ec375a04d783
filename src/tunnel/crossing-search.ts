// Crossing packets, between two routers that are spoilt by what comes too early (see ../traversal/crossing.ts). Each round has new
// sockets on both sides, because a pair of ports that failed is lost for as long as the routers remember it:
//
//   responder  opens sockets, learns where they are seen ── PUNCH(crossing, its sockets) ──▶
//   initiator  has done the same                         ◀─ PUNCH(crossing, its sockets) ───
//              begins half a round trip later                    begins when that comes
//
// The initiator has some sockets more, and before it tells of them it has sent a packet from each that dies on the way: past its own NAT,
// which is open from then on, and not as far as the responder's, which is as good as ever. The responder sends to those, one after the
// other, and that is enough wherever at least one router lies between the two sides' own. Crossing is for where none does.
//
// The responder counts the rounds, and begins another one when no packets have met.

import type { SocketAddress } from "../base/address.ts";
import {
  CROSSING_AGAIN_FIRST_MS,
  CROSSING_AGAIN_MS,
  CROSSING_MEASURE_MS,
  CROSSING_REST_MS,
  CROSSING_ROUNDS,
  CROSSING_SOCKETS,
  CROSSING_SOCKETS_FIRST,
  CROSSING_WAIT_MS,
  OPENER_HOPS,
  OPENER_INTERVAL_MS,
  SPRAY_SOCKET_LINGER_MS,
} from "../base/limits.ts";
import type { Carrier } from "../base/route.ts";
import { Crossing } from "../traversal/crossing.ts";
import { mustCross } from "../traversal/punch-plan.ts";
import type { PunchBody } from "../wire/candidate.ts";
import type { SearchGround } from "./search-ground.ts";

const NEVER = Number.POSITIVE_INFINITY;

export class CrossingSearch {
  private readonly ground: SearchGround;
  private round = 0;
  private series = 0;
  /** All rounds of a series have failed. */
  private isResting = false;
  private carriers: readonly Carrier[] = [];
  /** The initiator's sockets whose first packets die on the way. */
  private openers: readonly Carrier[] = [];
  /** Where the peer's are seen; nothing in place of what is no address for a probe. */
  private theirs: readonly (SocketAddress | undefined)[] | undefined;
  /** The initiator's sockets that are open already and have not been sent to, and when the next one is due. */
  private opened: readonly (SocketAddress | undefined)[] = [];
  private openedAtMs = NEVER;
  private isTold = false;
  private crossing: Crossing | undefined;
  /** Until when a round may be without an answer; the responder's next one begins then. */
  private nextAtMs = NEVER;
  private startedAtMs = 0;
  /** When the first round of all began. */
  private firstAtMs = 0;

  constructor(ground: SearchGround) {
    this.ground = ground;
  }

  /** The sockets of the present round. */
  get inUse(): readonly Carrier[] {
    return [...this.carriers, ...this.openers];
  }

  /** To be called as soon as it is known that there is need of it, and again whenever something has changed. */
  start(nowMs: number): void {
    // The initiator's later rounds begin at the responder's word.
    if (this.ground.isInitiator && this.round > 0) return;
    if (this.carriers.length > 0 || this.nextAtMs !== NEVER) return;
    if (this.round === 0) this.firstAtMs = nowMs;
    this.beginRound(nowMs, this.round + 1);
  }

  private forgetSockets(): void {
    this.carriers = [];
    this.openers = [];
    this.opened = [];
    this.openedAtMs = NEVER;
  }

  /** Nothing else has helped, and nobody knows what the routers are like: it is tried once. */
  guess(nowMs: number): void {
    if (this.round === 0) this.start(nowMs);
  }

  stop(): void {
    this.ground.network.endSpray(this);
    this.isResting = false;
    this.forgetSockets();
    this.crossing = undefined;
    this.nextAtMs = NEVER;
    this.series = 0;
  }

  pollTimeout(): number {
    return Math.min(this.nextAtMs, this.openedAtMs, this.crossing?.pollTimeout() ?? NEVER);
  }

  handleTimeout(nowMs: number): void {
    const { crossing, ground, theirs } = this;
    for (const pair of crossing?.takeDue(nowMs) ?? []) {
      const [carrier, address] = [this.carriers[pair.ours], theirs?.[pair.theirs]];
      if (carrier !== undefined && address !== undefined) ground.probe(nowMs, address, carrier);
    }
    if (nowMs >= this.openedAtMs) this.tryOpened(nowMs);
    if (nowMs < this.nextAtMs) return;
    this.nextAtMs = NEVER;
    this.forgetSockets();
    this.crossing = undefined;
    ground.network.endSpray(this);
    ground.sockets.sweepAt(nowMs + SPRAY_SOCKET_LINGER_MS);
    if (ground.hasDirect || ground.isInitiator) return;
    if (this.isUnmeasured && nowMs - this.firstAtMs < CROSSING_MEASURE_MS) {
      this.nextAtMs = nowMs + CROSSING_AGAIN_FIRST_MS;
      return;
    }
    if (this.isResting || this.round % CROSSING_ROUNDS !== 0) {
      this.beginRound(nowMs, this.round + 1);
    } else if (mustCross(ground.ourNat, ground.theirNat ?? ground.ourNat)) {
      // Where it was only a guess that the routers are such, once is enough.
      this.isResting = true;
      this.nextAtMs = nowMs + CROSSING_REST_MS * 2 ** Math.min(this.series++, 5);
    }
  }

  onMappedAddress(nowMs: number): void {
    this.proceed(nowMs);
  }

  onPunch(nowMs: number, { round, addresses }: PunchBody): void {
    const { ground } = this;
    if (ground.hasDirect) return;
    if (ground.isInitiator && (round !== this.round || this.carriers.length === 0)) this.beginRound(nowMs, round);
    if (round !== this.round || this.carriers.length === 0 || this.theirs !== undefined) return;
    const plausible = addresses.map((address) => (ground.isPlausible(address) ? address : undefined));
    // Both have the same number of sockets that cross: what the initiator has told beyond are those that are open already.
    const count = this.carriers.length;
    this.theirs = plausible.slice(0, count);
    if (ground.isInitiator) {
      this.proceed(nowMs);
      return;
    }
    this.opened = plausible.slice(count, count + OPENER_HOPS.length);
    this.tryOpened(nowMs);
    this.cross(nowMs);
  }

  /** One at a time, since nobody wants more paths than one. */
  private tryOpened(nowMs: number): void {
    const { ground, carriers } = this;
    const [address, ...others] = this.opened;
    const [first] = carriers;
    this.opened = others;
    this.openedAtMs = others.length > 0 ? nowMs + Math.max(OPENER_INTERVAL_MS, ground.connection.rttMs) : NEVER;
    if (address !== undefined && first !== undefined && !ground.hasDirect) ground.probe(nowMs, address, first);
  }

  /** Whether one of the NATs may still turn out to be a hard one. */
  private get isUnmeasured(): boolean {
    const { ourNat, theirNat } = this.ground;
    return ourNat.mapping === "unknown" || theirNat === undefined || theirNat.mapping === "unknown";
  }

  private beginRound(nowMs: number, round: number): void {
    const { ground } = this;
    this.round = round;
    this.isResting = false;
    this.theirs = undefined;
    this.isTold = false;
    this.crossing = undefined;
    this.startedAtMs = nowMs;
    this.nextAtMs = nowMs + Math.max(CROSSING_WAIT_MS, 3 * ground.connection.rttMs);
    // The peer may want another round before this one is over.
    if (this.carriers.length > 0) ground.sockets.sweepAt(nowMs + SPRAY_SOCKET_LINGER_MS);
    this.forgetSockets();
    // It is a spray in that it is bounded, one at a time, and left out where sprays are.
    const count = round % CROSSING_ROUNDS === 1 ? CROSSING_SOCKETS_FIRST : CROSSING_SOCKETS;
    const opened = OPENER_HOPS.length;
    if (!ground.network.beginSpray(nowMs, this, count * (count + 1) + 2 * opened)) return;
    this.carriers = ground.sockets.open(count);
    this.openers = ground.isInitiator ? ground.sockets.open(opened) : [];
    ground.sockets.ask(nowMs, this.inUse);
  }

  /** Tells the peer as soon as all our sockets have been seen, the initiator not before it knows the peer's. */
  private proceed(nowMs: number): void {
    const { ground, carriers } = this;
    if (this.isTold || carriers.length === 0 || (ground.isInitiator && this.theirs === undefined)) return;
    const seen = this.inUse.flatMap((carrier) => ground.sockets.seenAt(carrier) ?? []);
    if (seen.length < this.inUse.length) return;
    this.isTold = true;
    if (ground.isInitiator) this.openOurNat(nowMs);
    ground.tell("crossing", this.round, seen);
    if (ground.isInitiator) this.cross(nowMs);
  }

  /** Towards the peer's first socket, by one of each number of hops: how deep our own NATs are nobody knows. */
  private openOurNat(nowMs: number): void {
    const [first] = this.theirs ?? [];
    if (first === undefined) return;
    for (const [i, carrier] of this.openers.entries()) this.ground.probe(nowMs, first, carrier, OPENER_HOPS[i]);
  }

  private cross(nowMs: number): void {
    const { ground, carriers, theirs = [] } = this;
    const rttMs = ground.connection.paths.active?.rtt.minMs ?? ground.connection.rttMs;
    const startAtMs = ground.isInitiator ? nowMs + rttMs / 2 : nowMs;
    // What was too short is tried longer, and the other way round.
    const widening = this.round % 2 === 1 ? 1 : 4;
    this.crossing = new Crossing(startAtMs, ground.isInitiator, carriers.length, theirs.length, rttMs, widening);
    const againMs = carriers.length === CROSSING_SOCKETS ? CROSSING_AGAIN_MS : CROSSING_AGAIN_FIRST_MS;
    this.nextAtMs = Math.max(this.startedAtMs + againMs, nowMs + 3 * rttMs);
  }
}
