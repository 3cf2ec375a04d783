// The congestion controllers that there are, by name, and the one that is used unless told.

import { CongestionBbr } from "./congestion-bbr.ts";
import type { CongestionControllerFactory } from "./congestion-controller.ts";
import { CongestionCubic } from "./congestion-cubic.ts";
import { QueueLimit } from "./queue-limit.ts";

export const congestionControllers = {
  cubic: (packetBytes) => new CongestionCubic(packetBytes, new QueueLimit()),
  bbr: (packetBytes) => new CongestionBbr(packetBytes),
} as const satisfies Record<string, CongestionControllerFactory>;

export type CongestionName = keyof typeof congestionControllers;

export const CONGESTION_DEFAULT: CongestionName = "cubic";
