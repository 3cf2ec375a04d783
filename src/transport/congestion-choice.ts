// The congestion controllers that there are, by name, and the one that is used unless told: CUBIC, held to a queue limit, and with its
// plateau where the link is just full as long as the queue is its own (queue-trial.ts). On a link of 100 Mbit/s and 50 ms with a buffer of as
// much its packets wait 15 ms in the mean instead of 35, and on one with four times that 55 instead of 166; both are used in full.
//
// BBR keeps its rate on links that lose packets by chance (88 % of 100 Mbit/s at 50 ms and 3 % of loss, where CUBIC has 2 %). CUBIC uses
// links that do not lose any better: 95.6 % against 92.4 % of the same link, stream data alone, which is all that there is. And it
// takes what the others' CUBIC takes, and loses as little; on a small buffer (0.3 bandwidth-delay products of 10 Mbit/s and 20 ms) two flows with
// BBR lose 4 %. What spoke for BBR on a fast short network, tens of milliseconds of queue in the receiver's socket,
// the queue limit takes away: 5 ms instead of 51 at 600 Mbit/s.
// These are figures of test/sim/congestion.test.ts and its grid; scripts/bench/LINKS.md has those of real processes.

import { CongestionBbr } from "./congestion-bbr.ts";
import type { CongestionControllerFactory } from "./congestion-controller.ts";
import { CongestionCubic } from "./congestion-cubic.ts";
import { QueueLimit } from "./queue-limit.ts";
import { QueueTrial } from "./queue-trial.ts";

export const congestionControllers = {
  cubic: (packetBytes) => new CongestionCubic(packetBytes, new QueueLimit(), new QueueTrial()),
  bbr: (packetBytes) => new CongestionBbr(packetBytes),
} as const satisfies Record<string, CongestionControllerFactory>;

export type CongestionName = keyof typeof congestionControllers;

export const CONGESTION_DEFAULT: CongestionName = "cubic";
