// The one clock that the machines live by. `performance.now` never goes back and does not follow the wall clock,
// which on a small board may be years off until the network is there.

import { performance } from "node:perf_hooks";

/** @returns milliseconds since the process started, a float. */
export function monotonicNowMs(): number {
  return performance.now();
}
