// The birthday part of a search: when a spray begins, with whom it shares this machine's router, and when the next one may come.

import {
  PREDICTION_PORTS,
  PREDICTION_ROUNDS_EASY,
  SPRAY_AFTER_MS,
  SPRAY_AGAIN_MS,
  SPRAY_HOLD_MS,
  SPRAY_MEASURE_MS,
  SPRAY_SOCKET_LINGER_MS,
} from "../base/limits.ts";
import { type Carrier, MAIN_CARRIER } from "../base/route.ts";
import { BirthdaySpray, type SprayRole, sprayManner } from "../traversal/birthday-spray.ts";
import { isMeasured, predictionRole, punchRole } from "../traversal/punch-plan.ts";
import type { SearchGround } from "./search-ground.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** Ports that predictions have tried by the time of a spray. */
const PREDICTION_PORTS_SERIES = PREDICTION_PORTS * PREDICTION_ROUNDS_EASY;

export class SpraySearch {
  private readonly ground: SearchGround;
  private spray: BirthdaySpray | undefined;
  private sprays = 0;
  private carriers: readonly Carrier[] = [];
  private atMs = NEVER;
  /** Until then a NAT that has not been measured holds it back. */
  private measuredByMs: number | undefined;

  constructor(ground: SearchGround) {
    this.ground = ground;
  }

  /** Which half of a spray is ours; undefined where none is wanted. */
  private get role(): SprayRole | undefined {
    const { ourNat, theirNat } = this.ground;
    const role = theirNat === undefined ? "relay" : punchRole(ourNat, theirNat);
    return role === "open-sockets" || role === "spray-ports" ? role : undefined;
  }

  /** Its sockets, while it is under way. */
  get inUse(): readonly Carrier[] {
    return this.spray === undefined ? [] : this.carriers;
  }

  /** When ours is to begin. A NAT that is not known yet is taken for easy, and may turn out to be hard as the other is. */
  private get dueAtMs(): number {
    const { ourNat, theirNat } = this.ground;
    if (theirNat !== undefined && isMeasured(ourNat) && isMeasured(theirNat)) return this.atMs;
    return Math.max(this.atMs, this.measuredByMs ?? 0);
  }

  /** A search starts; the cheaper ways get `holdMs` more than usual. */
  start(startAtMs: number, holdMs: number): void {
    if (this.role === undefined || this.spray !== undefined) return;
    const { ground } = this;
    const hasMapping = ground.network.mapped.length > 0 || ground.targets("port-mapped").length > 0;
    const afterMs = Math.max(SPRAY_AFTER_MS, 3 * ground.connection.rttMs) + holdMs + (hasMapping ? SPRAY_HOLD_MS : 0);
    this.atMs = Math.min(this.atMs, startAtMs + afterMs);
    this.measuredByMs ??= startAtMs + SPRAY_MEASURE_MS;
  }

  /** There is a direct path, or nobody who wants one. */
  stop(): void {
    this.atMs = NEVER;
    this.end();
  }

  pollTimeout(): number {
    return Math.min(this.dueAtMs, this.spray?.pollTimeout() ?? NEVER);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.dueAtMs) this.begin(nowMs);
    this.continue(nowMs);
  }

  /** The peer has begun its half of a spray: ours is due now. */
  onPunch(nowMs: number): void {
    if (this.spray === undefined) this.begin(nowMs);
  }

  private begin(nowMs: number): void {
    this.atMs = NEVER;
    const { ground, role } = this;
    const target = ground.mainTarget;
    if (ground.hasDirect || this.spray !== undefined || role === undefined || target === undefined) return;
    const { random, ourNat, theirNat = ourNat } = ground;
    const manner = sprayManner(role === "open-sockets" ? theirNat : ourNat);
    const portsSpent = predictionRole(ourNat, theirNat) === "predicting" ? PREDICTION_PORTS_SERIES : 0;
    const { rttMs } = ground.connection;
    const attempt = this.sprays + 1;
    const spray = new BirthdaySpray(nowMs, { role, manner, target, random, rttMs, portsSpent, attempt });
    if (!ground.network.beginSpray(nowMs, this, spray.flows)) {
      this.atMs = nowMs + SPRAY_AFTER_MS;
      return;
    }
    // The peer's half has to be under way at the same time.
    this.sprays = attempt;
    ground.tell("spray", attempt);
    this.spray = spray;
    if (role === "open-sockets") this.carriers = ground.sockets.open(spray.flows);
  }

  private continue(nowMs: number): void {
    const { spray, ground } = this;
    if (spray === undefined) return;
    for (const { address, socket, hopLimit } of spray.takeDue(nowMs)) {
      const carrier = socket === undefined ? MAIN_CARRIER : (this.carriers[socket] ?? MAIN_CARRIER);
      ground.probe(nowMs, address, carrier, hopLimit);
    }
    if (!spray.isDone) return;
    this.end();
    ground.sockets.sweepAt(nowMs + SPRAY_SOCKET_LINGER_MS);
    // By then the routers have forgotten this spray's flows.
    this.atMs = nowMs + SPRAY_AGAIN_MS * 2 ** Math.min(this.sprays - 1, 5);
  }

  private end(): void {
    if (this.spray === undefined) return;
    this.ground.network.endSpray(this, this.spray.flowsLeft);
    this.spray = undefined;
  }
}
