// What everybody else's CUBIC does: RFC 9438, and nothing besides.

import type { CongestionControllerFactory } from "../../src/transport/congestion-controller.ts";
import { CongestionCubic } from "../../src/transport/congestion-cubic.ts";

export const plainCubic: CongestionControllerFactory = (packetBytes) => new CongestionCubic(packetBytes);
