// One spray of the birthday paradox, paced and bounded for the sake of the user's own router, whose table holds one or two thousand
// flows. 576 ports tried on one side meet one of 256 sockets on the other with a chance of 90 %, half of the time within 210; another
// 128 sockets that are opened when all ports have been tried make it 97 %. They also help where the router of the side that tries
// ports is spoilt by packets that come before its own go out: for them every port has been spoken to before. Where that is known
// the sides take turns: all ports first, then all sockets, each faster.

import type { SocketAddress } from "../base/address.ts";
import {
  SPRAY_INTERVAL_MS,
  SPRAY_PER_STEP,
  SPRAY_PER_STEP_IN_TURN,
  SPRAY_PORT_MIN,
  SPRAY_PORTS,
  SPRAY_PORTS_IN_TURN,
  SPRAY_PORTS_IN_TURN_MS,
  SPRAY_PORTS_MS,
  SPRAY_SOCKETS,
  SPRAY_SOCKETS_FIRST,
  SPRAY_SOCKETS_IN_TURN,
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
  private readonly inTurn: boolean;

  /**
   * @param target the peer's address as others see it; for "spray-ports" only its host counts.
   * @param inTurn the sockets wait until the ports have been tried.
   */
  constructor(
    nowMs: number,
    role: "open-sockets" | "spray-ports",
    target: SocketAddress,
    random: Random,
    inTurn: boolean,
  ) {
    this.role = role;
    this.inTurn = inTurn;
    this.target = target;
    this.random = random;
    this.startedAtMs = nowMs;
    this.atMs = inTurn && role === "open-sockets" ? nowMs + SPRAY_PORTS_IN_TURN_MS : nowMs;
  }

  /** Probes in all; with "open-sockets" each takes a socket. */
  get total(): number {
    if (this.role === "open-sockets") return this.inTurn ? SPRAY_SOCKETS_IN_TURN : SPRAY_SOCKETS;
    return this.inTurn ? SPRAY_PORTS_IN_TURN : SPRAY_PORTS;
  }

  get isDone(): boolean {
    return this.sent >= this.total;
  }

  /** When `takeDue` has something, in ms; Infinity when the spray is over. */
  pollTimeout(): number {
    return this.isDone ? Number.POSITIVE_INFINITY : this.atMs;
  }

  takeDue(nowMs: number): SprayProbe[] {
    const probes: SprayProbe[] = [];
    if (nowMs < this.atMs) return probes;
    const pauses = this.role === "open-sockets" && !this.inTurn;
    const wasFirst = pauses && this.sent < SPRAY_SOCKETS_FIRST;
    // A late call sends no more than an early one: the rate is a bound, not an aim.
    this.atMs = nowMs + SPRAY_INTERVAL_MS;
    const perStep = this.inTurn ? SPRAY_PER_STEP_IN_TURN : SPRAY_PER_STEP;
    for (let i = 0; i < perStep && !this.isDone; i++) probes.push(this.next());
    const isFirst = pauses && this.sent < SPRAY_SOCKETS_FIRST;
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
