// How much slower than a quiet one this machine is while a test runs, seen from how long a program takes to start. What a claim says of
// the tunnel in milliseconds is as much longer on a machine that is busy or slow: half of a first byte is processes that wait for a core.

import { spawn } from "node:child_process";
import { once } from "node:events";

/** An empty program starts in 40 ms on a quiet machine of the kind that the figures are from, and in less than this on most. */
const QUIET_START_MS = 80;

export class MachinePace {
  private slowest = 1;

  /** To be called before what is timed. */
  async look(): Promise<void> {
    const startMs = performance.now();
    await once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "exit");
    this.slowest = Math.max(this.slowest, (performance.now() - startMs) / QUIET_START_MS);
  }

  /** Looks again, behind what is timed. @returns how long that may take here and now, in ms, which takes `quietMs` at most on a quiet machine. */
  async allowedMs(quietMs: number): Promise<number> {
    await this.look();
    return quietMs * this.slowest;
  }
}
