// One spray of the birthday paradox, paced and bounded for the sake of the user's own router, whose table holds one or two thousand
// flows. 700 ports tried on one side meet one of 160 sockets on the other with a chance of 82 %, half of the time within 280; another
// 96 sockets that are opened when all ports have been tried make it 94 %. They also help where the router of the side that tries
// ports is spoilt by packets that come before its own go out: for them every port has been spoken to before.

import type { SocketAddress } from "../base/address.ts";
import {
  SPRAY_INTERVAL_MS,
  SPRAY_PER_STEP,
  SPRAY_PORT_MIN,
  SPRAY_PORTS,
  SPRAY_PORTS_MS,
  SPRAY_SOCKETS,
  SPRAY_SOCKETS_FIRST,
} from "../base/limits.ts";
import { type Random, randomUint32 } from "../base/random.ts";

export interface SprayProbe {
  readonly address: SocketAddress;
  /** Which of the spray's sockets sends it, from 0; undefined for the main one. */
  readonly socket: number | undefined;
}

export class BirthdaySpray {
  private readonly role: "open-sockets" | "spray-ports";
  private readonly target: SocketAddress;
  private readonly random: Random;
  private readonly tried = new Set<number>();
  private sent = 0;
  private atMs: number;
  private readonly startedAtMs: number;

  /** @param target the peer's address as others see it; for "spray-ports" only its host counts. */
  constructor(nowMs: number, role: "open-sockets" | "spray-ports", target: SocketAddress, random: Random) {
    this.role = role;
    this.target = target;
    this.random = random;
    this.atMs = nowMs;
    this.startedAtMs = nowMs;
  }

  get isDone(): boolean {
    return this.sent >= (this.role === "open-sockets" ? SPRAY_SOCKETS : SPRAY_PORTS);
  }

  /** When `takeDue` has something, in ms; Infinity when the spray is over. */
  pollTimeout(): number {
    return this.isDone ? Number.POSITIVE_INFINITY : this.atMs;
  }

  takeDue(nowMs: number): SprayProbe[] {
    const probes: SprayProbe[] = [];
    if (nowMs < this.atMs) return probes;
    const wasFirst = this.role === "open-sockets" && this.sent < SPRAY_SOCKETS_FIRST;
    // A late call sends no more than an early one: the rate is a bound, not an aim.
    this.atMs = nowMs + SPRAY_INTERVAL_MS;
    for (let i = 0; i < SPRAY_PER_STEP && !this.isDone; i++) probes.push(this.next());
    const isFirst = this.role === "open-sockets" && this.sent < SPRAY_SOCKETS_FIRST;
    if (wasFirst && !isFirst) this.atMs = Math.max(this.atMs, this.startedAtMs + SPRAY_PORTS_MS);
    return probes;
  }

  private next(): SprayProbe {
    const number = this.sent++;
    if (this.role === "open-sockets") return { address: this.target, socket: number };
    let port = 0;
    while (port === 0 || this.tried.has(port)) {
      port = SPRAY_PORT_MIN + (randomUint32(this.random) % (65_536 - SPRAY_PORT_MIN));
    }
    this.tried.add(port);
    return { address: { ...this.target, port }, socket: undefined };
  }
}
