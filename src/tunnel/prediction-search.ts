// Predicted ports, where a hard NAT gives them in sequence. The side behind it lets the rendezvous see a new socket, tells the peer where
// that is, and knows as the peer does which ports come next:
//
//   mutual        both sides send from many new sockets to the one port that is so many mappings ahead of what the other has told. One
//                 socket of each gets just that port, if nobody else takes too many: those two meet.
//   predictable   the peer's NAT is easy: it tries all ports that come next, and we send to it from a few new sockets.
//   predicting    the other side of that. Behind a router that takes unsolicited packets in it does so from a new socket, and tells where
//                 that is: one probe of the peer's that came too early has given the main socket another port towards all who are new.
//
// Who is behind the hard NAT counts the rounds; of two, the responder. It is a spray in that it is bounded, one at a time, and left
// out where sprays are.

import type { SocketAddress } from "../base/address.ts";
import {
  PREDICTION_AHEAD,
  PREDICTION_PORTS,
  PREDICTION_PROBES_PER_STEP,
  PREDICTION_REPEATS,
  PREDICTION_REST_MS,
  PREDICTION_ROUND_MS,
  PREDICTION_ROUNDS,
  PREDICTION_ROUNDS_EASY,
  PREDICTION_SOCKETS,
  SPRAY_SOCKET_LINGER_MS,
} from "../base/limits.ts";
import { type Carrier, MAIN_CARRIER } from "../base/route.ts";
import { predictedAddress } from "../traversal/port-allocation.ts";
import { type PredictionRole, predictionRole } from "../traversal/punch-plan.ts";
import type { PunchBody } from "../wire/candidate.ts";
import type { SearchGround } from "./search-ground.ts";

const NEVER = Number.POSITIVE_INFINITY;

interface Probe {
  readonly address: SocketAddress;
  readonly carrier: Carrier;
}

export class PredictionSearch {
  private readonly ground: SearchGround;
  private round = 0;
  private series = 0;
  /** All rounds of a series have failed. */
  private isResting = false;
  /** The first one is for the rendezvous to see. */
  private carriers: readonly Carrier[] = [];
  private isTold = false;
  /** The peer's newest mapping, of this round. */
  private theirs: SocketAddress | undefined;
  /** What is sent in this round, over and over, and from which place on it is due. */
  private probes: readonly Probe[] = [];
  private next = 0;
  private repeats = 0;
  private probeAtMs = NEVER;
  private roundEndsAtMs = NEVER;

  constructor(ground: SearchGround) {
    this.ground = ground;
  }

  get role(): PredictionRole {
    const { ourNat, theirNat } = this.ground;
    return theirNat === undefined ? "none" : predictionRole(ourNat, theirNat);
  }

  get inUse(): readonly Carrier[] {
    return this.carriers;
  }

  private get countsRounds(): boolean {
    return this.role === "predictable" || (this.role === "mutual" && !this.ground.isInitiator);
  }

  start(nowMs: number): void {
    if (this.countsRounds && this.roundEndsAtMs === NEVER) this.beginRound(nowMs, this.round + 1);
  }

  stop(): void {
    this.endRound();
    this.isResting = false;
    this.series = 0;
  }

  private endRound(): void {
    this.carriers = [];
    this.probes = [];
    this.probeAtMs = NEVER;
    this.roundEndsAtMs = NEVER;
    this.ground.network.endSpray(this);
  }

  pollTimeout(): number {
    return Math.min(this.probeAtMs, this.roundEndsAtMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.probeAtMs) this.sendNext(nowMs);
    if (nowMs < this.roundEndsAtMs) return;
    const { ground } = this;
    this.endRound();
    ground.sockets.sweepAt(nowMs + SPRAY_SOCKET_LINGER_MS);
    if (ground.hasDirect || !this.countsRounds) return;
    if (this.isResting || this.round % this.roundsMax !== 0) {
      this.beginRound(nowMs, this.round + 1);
    } else {
      this.isResting = true;
      this.roundEndsAtMs = nowMs + PREDICTION_REST_MS * 2 ** Math.min(this.series++, 5);
    }
  }

  private get roundsMax(): number {
    return this.role === "mutual" ? PREDICTION_ROUNDS : PREDICTION_ROUNDS_EASY;
  }

  private get roundMs(): number {
    return Math.max(PREDICTION_ROUND_MS, 4 * this.ground.connection.rttMs);
  }

  private beginRound(nowMs: number, round: number): void {
    const { ground, role } = this;
    this.round = round;
    this.isResting = false;
    this.theirs = undefined;
    this.isTold = false;
    this.probes = [];
    this.probeAtMs = NEVER;
    this.roundEndsAtMs = nowMs + this.roundMs;
    // The peer may want another round before this one is over.
    if (this.carriers.length > 0) ground.sockets.sweepAt(nowMs + SPRAY_SOCKET_LINGER_MS);
    this.carriers = [];
    if (role === "predicting" && !ground.ourNat.takesUnsolicited) return;
    const others = role === "mutual" ? PREDICTION_SOCKETS : role === "predictable" ? PREDICTION_SOCKETS / 4 : 0;
    const sockets = 1 + others;
    if (!ground.network.beginSpray(nowMs, this, sockets)) return;
    this.carriers = ground.sockets.open(sockets);
    ground.sockets.ask(nowMs, this.carriers.slice(0, 1));
  }

  onMappedAddress(nowMs: number): void {
    const { ground, seenAt } = this;
    if (this.isTold || seenAt === undefined) return;
    if (this.role === "predicting") {
      this.tryNext(nowMs);
      return;
    }
    this.isTold = true;
    ground.tell("prediction", this.round, [seenAt]);
    const target = ground.mainTarget;
    if (this.role === "mutual") this.aim(nowMs);
    else if (target !== undefined && !ground.theirNat?.takesUnsolicited) this.send(nowMs, this.fromEach(target));
  }

  /** Where the rendezvous has seen the first socket of this round. */
  private get seenAt(): SocketAddress | undefined {
    const [first] = this.carriers;
    return first === undefined ? undefined : this.ground.sockets.seenAt(first);
  }

  onPunch(nowMs: number, { round, addresses }: PunchBody): void {
    const { ground, role } = this;
    if (ground.hasDirect || role === "none") return;
    if (round > this.round && !this.countsRounds) this.beginRound(nowMs, round);
    if (round !== this.round) return;
    const [newest] = addresses;
    const told = newest !== undefined && ground.isPlausible(newest) ? newest : undefined;
    if (role === "predictable") {
      // The peer's probes have left: what may have been too early comes again.
      const target = told ?? ground.mainTarget;
      if (target !== undefined) this.send(nowMs, this.fromEach(target));
    } else if (told !== undefined) {
      this.theirs = told;
      if (role === "mutual") this.aim(nowMs);
      else this.tryNext(nowMs);
    }
  }

  /** One probe from each socket that the rendezvous has not seen. */
  private fromEach(address: SocketAddress): Probe[] {
    return this.carriers.slice(1).map((carrier) => ({ address, carrier }));
  }

  private aim(nowMs: number): void {
    const stride = this.ground.theirNat?.portStride;
    if (!this.isTold || this.theirs === undefined || stride === undefined) return;
    // Others' mappings and uneven steps shift what comes when; each round aims a little differently.
    const ahead = PREDICTION_AHEAD + (this.round % 2 === 0 ? PREDICTION_AHEAD / 2 : 0);
    this.send(nowMs, this.fromEach(predictedAddress(this.theirs, stride, ahead)));
  }

  private tryNext(nowMs: number): void {
    const { ground, theirs } = this;
    const stride = ground.theirNat?.portStride;
    if (stride === undefined || theirs === undefined || this.probes.length > 0) return;
    // A new socket is of use once it can be told of.
    if (this.carriers.length > 0 && this.seenAt === undefined) return;
    const [carrier = MAIN_CARRIER] = this.carriers;
    if (!ground.network.beginSpray(nowMs, this, PREDICTION_PORTS)) return;
    const probes = Array.from({ length: PREDICTION_PORTS }, (_, i) => ({
      address: predictedAddress(theirs, stride, i + 1),
      carrier,
    }));
    this.send(nowMs, probes);
  }

  private send(nowMs: number, probes: readonly Probe[]): void {
    this.probes = probes;
    this.next = 0;
    this.repeats = 0;
    this.probeAtMs = nowMs;
  }

  private sendNext(nowMs: number): void {
    const { ground, probes } = this;
    const due = probes.slice(this.next, this.next + PREDICTION_PROBES_PER_STEP);
    for (const { address, carrier } of due) ground.probe(nowMs, address, carrier);
    this.next += due.length;
    if (this.next < probes.length) {
      this.probeAtMs = nowMs + 1;
      return;
    }
    if (this.repeats === 0 && this.role === "predicting") {
      const { seenAt } = this;
      ground.tell("prediction", this.round, seenAt === undefined ? [] : [seenAt]);
    }
    this.next = 0;
    this.repeats++;
    this.probeAtMs = this.repeats < PREDICTION_REPEATS ? nowMs + this.roundMs / (2 * PREDICTION_REPEATS) : NEVER;
  }
}
