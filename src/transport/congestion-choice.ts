// The congestion controllers that there are, by name, and the one that is used unless told: CUBIC, and BBR where a link loses packets by
// itself (congestion-auto.ts).
//
// CUBIC is held to a queue limit, and has its plateau where the link is just full as long as the queue is its own (queue-trial.ts). On a link of
// 100 Mbit/s and 50 ms with a buffer of as much its packets wait 15 ms in the mean instead of 35, and on one with four times that 55 instead
// of 166; both are used in full. It takes what the others' CUBIC takes, and loses as little: on a small buffer (0.3 bandwidth-delay products of
// 10 Mbit/s and 20 ms) two flows with BBR lose 4 %. What spoke for BBR on a fast short network, tens of milliseconds of queue in the
// receiver's socket, the queue limit takes away: 5 ms instead of 51 at 600 Mbit/s.
//
// On links that lose packets by chance CUBIC is of no use: at 50 ms and 1 % of loss it has 29 % of 10 Mbit/s and 3 % of 100, and BBR 92 and 93 %.
// The choice between them has 91 and 93 %, and is CUBIC to the packet where only queues lose any.
// These are figures of the simulator (test/sim/congestion.test.ts and congestion-auto.test.ts); scripts/bench/LINKS.md has those of real processes.

import { CongestionAuto } from "./congestion-auto.ts";
import { CongestionBbr } from "./congestion-bbr.ts";
import type { CongestionControllerFactory } from "./congestion-controller.ts";
import { CongestionCubic } from "./congestion-cubic.ts";
import { QueueLimit } from "./queue-limit.ts";
import { QueueTrial } from "./queue-trial.ts";

const makeCubic = (packetBytes: number): CongestionCubic =>
  new CongestionCubic(packetBytes, new QueueLimit(), new QueueTrial());

export const congestionControllers = {
  auto: (packetBytes) => new CongestionAuto(packetBytes, makeCubic),
  cubic: makeCubic,
  bbr: (packetBytes) => new CongestionBbr(packetBytes),
} as const satisfies Record<string, CongestionControllerFactory>;

export type CongestionName = keyof typeof congestionControllers;

export const CONGESTION_DEFAULT: CongestionName = "auto";
