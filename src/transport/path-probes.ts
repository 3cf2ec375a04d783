// Challenges that are out, from the probing space (path 0): which token went to which route and when. An answer proves that
// packets reach the route and come back; only then is a path opened there (RFC 9000 §8.2).

import type { SocketAddress } from "../base/address.ts";
import { PATH_PROBING, PROBE_LIFE_MS, PROBE_QUEUE_MAX, PROBES_OUT_MAX } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import type { Route } from "../base/route.ts";
import { PATH_TOKEN_BYTES } from "../wire/frame.ts";
import { ReplayWindow } from "./replay-window.ts";

/** A packet of the probing space that wants to be sent. */
export interface ProbePacket {
  readonly route: Route;
  /** A challenge to send along, with its token. */
  readonly challenge: Uint8Array | undefined;
  /** A response to send, with the token that came. */
  readonly response: Uint8Array | undefined;
  /** With a response: where the challenge came from. */
  readonly observed: SocketAddress | undefined;
  /** With a challenge that only opens our own NAT: the hops after which it is to die. */
  readonly hopLimit: number | undefined;
}

interface ProbeOut {
  readonly route: Route;
  readonly sentAtMs: number;
}

const tokenKey = (token: Uint8Array): string => String.fromCharCode(...token);

export class PathProbes {
  private readonly random: Random;
  private readonly out = new Map<string, ProbeOut>();
  /** When each route with a challenge out was challenged last. */
  private readonly challengedAtMs = new Map<Route, number>();
  private readonly queue: ProbePacket[] = [];
  /** Packet numbers of the peer's probing space. */
  readonly seen = new ReplayWindow();
  private nextPacketNumber = 0;

  constructor(random: Random) {
    this.random = random;
  }

  readonly path = PATH_PROBING;

  takePacketNumber(): number {
    return this.nextPacketNumber++;
  }

  get hasToSend(): boolean {
    return this.queue.length > 0;
  }

  takeNext(): ProbePacket | undefined {
    return this.queue.shift();
  }

  /** When the route was last challenged, in ms; −∞ where that was long ago, or an answer has come since. */
  lastChallengeMs(route: Route): number {
    return this.challengedAtMs.get(route) ?? Number.NEGATIVE_INFINITY;
  }

  /** Sends a challenge to the route, or so many hops towards it. @returns false when too many are out. */
  challenge(nowMs: number, route: Route, hopLimit?: number): boolean {
    this.expire(nowMs);
    if (this.out.size >= PROBES_OUT_MAX || this.queue.length >= PROBE_QUEUE_MAX) return false;
    const token = randomBytes(this.random, PATH_TOKEN_BYTES);
    this.out.set(tokenKey(token), { route, sentAtMs: nowMs });
    this.challengedAtMs.set(route, nowMs);
    this.queue.push({ route, challenge: token, response: undefined, observed: undefined, hopLimit });
    return true;
  }

  /** Answers a challenge, to where it came from. One answer a packet: nobody is flooded by us. */
  respond(route: Route, token: Uint8Array): void {
    if (this.queue.length >= PROBE_QUEUE_MAX) return;
    const observed = route.via === "direct" ? route.remote : undefined;
    this.queue.push({ route, challenge: undefined, response: new Uint8Array(token), observed, hopLimit: undefined });
  }

  /** @returns the route that the answered challenge went to, and the round-trip time; undefined for an unknown token. */
  onResponse(nowMs: number, token: Uint8Array): { route: Route; rttMs: number } | undefined {
    const key = tokenKey(token);
    const probe = this.out.get(key);
    if (probe === undefined) return undefined;
    this.out.delete(key);
    this.challengedAtMs.delete(probe.route);
    return { route: probe.route, rttMs: nowMs - probe.sentAtMs };
  }

  private expire(nowMs: number): void {
    // The map is in order of sending, so the expired ones stand in front.
    for (const [key, probe] of this.out) {
      if (nowMs - probe.sentAtMs < PROBE_LIFE_MS) break;
      this.out.delete(key);
      if (this.challengedAtMs.get(probe.route) === probe.sentAtMs) this.challengedAtMs.delete(probe.route);
    }
  }
}
