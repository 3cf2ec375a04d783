// What others may know of a path.

import type { Route, Via } from "../base/route.ts";

/** working: acknowledged lately, or nothing was asked. suspect: probes go unanswered. failed: given up until a challenge comes back. */
export type PathState = "working" | "suspect" | "failed";

/** A path, seen from outside: times in ms, sizes in bytes. */
export interface PathSummary {
  readonly id: number;
  readonly route: Route;
  readonly via: Via;
  readonly state: PathState;
  readonly rttMs: number;
  readonly hasRtt: boolean;
  readonly windowBytes: number;
  readonly bytesInFlight: number;
  readonly datagramBytes: number;
  readonly lostPackets: number;
  readonly active: boolean;
}
