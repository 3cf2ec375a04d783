// The birthday part of a search: when a spray begins, with whom it shares this machine's router, and when the next one may come.

import { SPRAY_AFTER_MS, SPRAY_AGAIN_MS, SPRAY_HOLD_MS, SPRAY_SOCKET_LINGER_MS } from "../base/limits.ts";
import { type Carrier, MAIN_CARRIER } from "../base/route.ts";
import { BirthdaySpray } from "../traversal/birthday-spray.ts";
import { punchRole } from "../traversal/punch-plan.ts";
import type { SearchGround } from "./search-ground.ts";

const NEVER = Number.POSITIVE_INFINITY;

export class SpraySearch {
  private readonly ground: SearchGround;
  private spray: BirthdaySpray | undefined;
  private sprays = 0;
  private carriers: readonly Carrier[] = [];
  private atMs = NEVER;

  constructor(ground: SearchGround) {
    this.ground = ground;
  }

  /** Which half of a spray is ours; undefined where none is wanted. */
  private get role(): "open-sockets" | "spray-ports" | undefined {
    const { ourNat, theirNat } = this.ground;
    const role = theirNat === undefined ? "relay" : punchRole(ourNat, theirNat);
    return role === "open-sockets" || role === "spray-ports" ? role : undefined;
  }

  /** Its sockets, while it is under way. */
  get inUse(): readonly Carrier[] {
    return this.spray === undefined ? [] : this.carriers;
  }

  /** A search starts; the cheaper ways get `holdMs` more than usual. */
  start(startAtMs: number, holdMs: number): void {
    if (this.role === undefined || this.spray !== undefined) return;
    const { ground } = this;
    const hasMapping = ground.network.mapped.length > 0 || ground.targets("port-mapped").length > 0;
    const afterMs = Math.max(SPRAY_AFTER_MS, 3 * ground.connection.rttMs) + holdMs + (hasMapping ? SPRAY_HOLD_MS : 0);
    this.atMs = Math.min(this.atMs, startAtMs + afterMs);
  }

  /** There is a direct path, or nobody who wants one. */
  stop(): void {
    this.atMs = NEVER;
    this.end();
  }

  pollTimeout(): number {
    return Math.min(this.atMs, this.spray?.pollTimeout() ?? NEVER);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.atMs) this.begin(nowMs);
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
    const easy = role === "open-sockets" ? ground.theirNat : ground.ourNat;
    const spray = new BirthdaySpray(nowMs, role, target, ground.random, easy?.takesUnsolicited ?? false);
    if (!ground.network.beginSpray(nowMs, this, spray.total)) {
      this.atMs = nowMs + SPRAY_AFTER_MS;
      return;
    }
    // The peer's half has to be under way at the same time.
    ground.tell("spray", ++this.sprays);
    this.spray = spray;
    if (role === "open-sockets") this.carriers = ground.sockets.open(spray.total);
  }

  private continue(nowMs: number): void {
    const { spray, ground } = this;
    if (spray === undefined) return;
    for (const { address, socket } of spray.takeDue(nowMs)) {
      ground.probe(nowMs, address, socket === undefined ? MAIN_CARRIER : (this.carriers[socket] ?? MAIN_CARRIER));
    }
    if (!spray.isDone) return;
    this.end();
    ground.sockets.sweepAt(nowMs + SPRAY_SOCKET_LINGER_MS);
    // By then the routers have forgotten this spray's flows.
    this.atMs = nowMs + SPRAY_AGAIN_MS * 2 ** Math.min(this.sprays - 1, 5);
  }

  private end(): void {
    if (this.spray === undefined) return;
    this.spray = undefined;
    this.ground.network.endSpray(this);
  }
}
