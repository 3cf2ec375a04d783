// Lets what this process does in the background wait for what somebody waits for. V8 compiles on threads of its own, for seconds of processor
// time after a connection's first packets, and the scheduler takes these threads for the equals of the one that carries the packets: on two
// cores a keystroke waited behind the compiler. Linux has a nice level for each thread. What libuv's own threads do, which is files and names,
// is nicer too; there is hardly any of it.
//
// Measured with Node 20, all programs on two cores, in the first, second and third second of use, together with the smaller pieces of engine-tuning.ts.
// Round trips of one byte, p50 1.7 -> 1.4, 0.84 -> 0.73 and 0.59 -> 0.52 ms, p99 11 -> 8, 7.4 -> 5.2 and 5.1 -> 3.6 ms. Connections in each of the first six
// seconds 247, 322, 567, 749, 988, 1285 -> 302, 495, 670, 1008, 1198, 1278; by smaller pieces alone 287, 395, 697, 806, 1052, 1279, by yielding alone fewer
// than before. From then on there is no difference, and none in what a fast transfer costs.

import { existsSync, readdirSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";
import { BACKGROUND_NICENESS } from "../base/limits.ts";

const THREADS = "/proc/self/task";

/** @returns how many threads of this process are nicer now than the one that calls; to be called from the first one, once. */
export function letBackgroundYield(): number {
  if (process.platform !== "linux" || !existsSync(THREADS)) return 0;
  const others = readdirSync(THREADS).map(Number);
  return others.filter((thread) => thread !== process.pid && makeNicer(thread)).length;
}

/** @returns false where the thread has ended in the meantime, or a sandbox knows no such call: nothing is lost but time. */
function makeNicer(thread: number): boolean {
  try {
    setPriority(thread, Math.min(getPriority(thread) + BACKGROUND_NICENESS, constants.priority.PRIORITY_LOW));
    return true;
  } catch {
    return false;
  }
}
