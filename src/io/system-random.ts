// The operating system's random numbers, behind the interface that the pure layers take.

import { randomFillSync } from "node:crypto";
import type { Random } from "../base/random.ts";

export const systemRandom: Random = {
  fill(bytes) {
    randomFillSync(bytes);
  },
};
