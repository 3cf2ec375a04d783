// One spray of the birthday paradox, paced and bounded for the sake of each router on the way: of the one or two thousand flows that a
// home router has room for it may cost 1,000, and 300 new ones a second. A good router counts what leaves by it; one that takes
// unsolicited packets in counts those as well, and so the figures depend on what is known of the easy side's:
//
//   together   it is known to be none of the bad ones. Both sides begin at once. Nobody can tell of a hard NAT whether it counts what
//              comes in, so that the sockets and the ports that reach it share one budget; further ports are tried with packets that
//              die on the way, having opened their own NAT, and are met when every socket sends once more. Two misses in a thousand.
//   careful    it is not known. All sockets and all ports share one budget, and a part of the sockets waits until all ports have been
//              tried: they help where the router is a bad one, for which every port has then been spoken to before. Three in a hundred.
//   in turn    it is known to be bad: all ports first, then all sockets, faster. Three in a hundred. A hard NAT of the bad kind gives no
//              socket a port that has been tried, which is why the packets of every second spray die before it.

import type { SocketAddress } from "../base/address.ts";
import {
  SPRAY_AGAIN_PER_STEP,
  SPRAY_HOPS,
  SPRAY_INTERVAL_MS,
  SPRAY_PER_STEP,
  SPRAY_PER_STEP_IN_TURN,
  SPRAY_PORT_MIN,
  SPRAY_PORTS,
  SPRAY_PORTS_CAREFUL,
  SPRAY_PORTS_IN_TURN,
  SPRAY_PORTS_SHORT,
  SPRAY_SLACK_MS,
  SPRAY_SOCKETS,
  SPRAY_SOCKETS_CAREFUL,
  SPRAY_SOCKETS_CAREFUL_FIRST,
  SPRAY_SOCKETS_IN_TURN,
} from "../base/limits.ts";
import { type Random, randomUint32 } from "../base/random.ts";
import type { NatBehaviour } from "../wire/candidate.ts";

export type SprayRole = "open-sockets" | "spray-ports";

/** How the two sides share their time and the routers' tables. */
export type SprayManner = "together" | "careful" | "in-turn";

/** @param easy the NAT of the side that tries ports. */
export function sprayManner(easy: NatBehaviour): SprayManner {
  if (easy.takesUnsolicited === undefined) return "careful";
  return easy.takesUnsolicited ? "in-turn" : "together";
}

export interface SprayProbe {
  readonly address: SocketAddress;
  /** Which of the spray's sockets sends it, from 0; undefined for the main one. */
  readonly socket: number | undefined;
  /** The hops after which it is to die, having opened our own NAT. */
  readonly hopLimit: number | undefined;
}

/** Probes that leave at one pace. */
interface Stretch {
  readonly count: number;
  readonly perStep: number;
  /** Not before this, in ms from the beginning. */
  readonly fromMs?: number;
  readonly hopLimit?: number;
  /** From the first socket on once more: what leaves now makes no flow. */
  readonly isAgain?: boolean;
}

const flowsOf = (stretches: readonly Stretch[]): number =>
  stretches.reduce((sum, { count, isAgain }) => sum + (isAgain ? 0 : count), 0);

const lastsMs = (count: number, perStep: number): number => Math.ceil(count / perStep) * SPRAY_INTERVAL_MS;

const PORTS: Readonly<Record<SprayManner, readonly Stretch[]>> = {
  together: [
    { count: SPRAY_PORTS, perStep: SPRAY_PER_STEP },
    { count: SPRAY_PORTS_SHORT, perStep: SPRAY_PER_STEP, hopLimit: SPRAY_HOPS },
  ],
  careful: [{ count: SPRAY_PORTS_CAREFUL, perStep: SPRAY_PER_STEP }],
  "in-turn": [{ count: SPRAY_PORTS_IN_TURN, perStep: SPRAY_PER_STEP_IN_TURN }],
};

/** When the other side has tried all its ports, however far away it is. */
function portsDoneMs(manner: SprayManner, rttMs: number): number {
  const triedMs = PORTS[manner].reduce((sumMs, { count, perStep }) => sumMs + lastsMs(count, perStep), 0);
  return triedMs + Math.max(SPRAY_SLACK_MS, rttMs);
}

function socketStretches(manner: SprayManner, rttMs: number): readonly Stretch[] {
  const fromMs = portsDoneMs(manner, rttMs);
  switch (manner) {
    case "together":
      return [
        { count: SPRAY_SOCKETS, perStep: SPRAY_PER_STEP },
        { count: SPRAY_SOCKETS, perStep: SPRAY_AGAIN_PER_STEP, fromMs, isAgain: true },
      ];
    case "careful":
      return [
        { count: SPRAY_SOCKETS_CAREFUL_FIRST, perStep: SPRAY_PER_STEP },
        { count: SPRAY_SOCKETS_CAREFUL - SPRAY_SOCKETS_CAREFUL_FIRST, perStep: SPRAY_PER_STEP, fromMs },
      ];
    case "in-turn":
      return [{ count: SPRAY_SOCKETS_IN_TURN, perStep: SPRAY_PER_STEP_IN_TURN, fromMs }];
  }
}

export interface BirthdaySprayOptions {
  readonly role: SprayRole;
  readonly manner: SprayManner;
  /** The peer's address as others see it; for "spray-ports" only its host counts. */
  readonly target: SocketAddress;
  readonly random: Random;
  /** Of the relay, over which the two agree to begin. */
  readonly rttMs: number;
  /** Ports that were tried already, otherwise: so many fewer are tried now. */
  readonly portsSpent?: number;
  /** How many sprays there were with this one; 1 unless told. */
  readonly attempt?: number;
}

function portStretches(manner: SprayManner, portsSpent: number, attempt: number): readonly Stretch[] {
  const dying = manner === "in-turn" && attempt % 2 === 0 ? { hopLimit: SPRAY_HOPS } : {};
  return PORTS[manner].map((part, i) => ({ ...part, ...dying, count: i === 0 ? part.count - portsSpent : part.count }));
}

export class BirthdaySpray {
  private readonly options: BirthdaySprayOptions;
  private readonly startedAtMs: number;
  private readonly stretches: readonly Stretch[];
  private readonly tried = new Set<number>();
  /** Which stretch is under way, and how many of it have left. */
  private stretch = 0;
  private sent = 0;
  private nextSocket = 0;
  private atMs: number;

  constructor(nowMs: number, options: BirthdaySprayOptions) {
    const { role, manner, rttMs, portsSpent = 0, attempt = 1 } = options;
    this.options = options;
    this.startedAtMs = nowMs;
    this.stretches =
      role === "open-sockets" ? socketStretches(manner, rttMs) : portStretches(manner, portsSpent, attempt);
    this.atMs = nowMs + (this.stretches[0]?.fromMs ?? 0);
  }

  /** Flows that it opens in our router in all; with "open-sockets" each takes a socket. */
  get flows(): number {
    return flowsOf(this.stretches);
  }

  /** Those that it has not opened yet. */
  get flowsLeft(): number {
    const sent = this.stretches[this.stretch]?.isAgain ? 0 : this.sent;
    return flowsOf(this.stretches.slice(this.stretch)) - sent;
  }

  get isDone(): boolean {
    return this.stretch >= this.stretches.length;
  }

  /** When `takeDue` has something, in ms; Infinity when the spray is over. */
  pollTimeout(): number {
    return this.isDone ? Number.POSITIVE_INFINITY : this.atMs;
  }

  takeDue(nowMs: number): SprayProbe[] {
    const stretch = this.stretches[this.stretch];
    if (stretch === undefined || nowMs < this.atMs) return [];
    const count = Math.min(stretch.perStep, stretch.count - this.sent);
    const probes = Array.from({ length: count }, () => this.next(stretch));
    // A late call sends no more than an early one: the rate is a bound, not an aim.
    this.atMs = nowMs + SPRAY_INTERVAL_MS;
    this.sent += count;
    if (this.sent >= stretch.count) this.turn();
    return probes;
  }

  private turn(): void {
    this.stretch++;
    this.sent = 0;
    const next = this.stretches[this.stretch];
    if (next?.isAgain) this.nextSocket = 0;
    if (next?.fromMs !== undefined) this.atMs = Math.max(this.atMs, this.startedAtMs + next.fromMs);
  }

  private next({ hopLimit }: Stretch): SprayProbe {
    const { role, target } = this.options;
    if (role === "open-sockets") return { address: target, socket: this.nextSocket++, hopLimit };
    return { address: { ...target, port: this.takePort() }, socket: undefined, hopLimit };
  }

  private takePort(): number {
    let port = 0;
    while (port === 0 || this.tried.has(port)) {
      port = SPRAY_PORT_MIN + (randomUint32(this.options.random) % (65_536 - SPRAY_PORT_MIN));
    }
    this.tried.add(port);
    return port;
  }
}
