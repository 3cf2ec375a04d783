// Which of several paths carries the data.

import { IPV6_FAVOUR_MS, SWITCH_GAIN_MS } from "../base/limits.ts";
import { isStreamCarrier } from "../base/route.ts";
import type { Path } from "./path.ts";

/** Chooses the path that carries data. @returns one of `paths` (none has failed), or undefined where there is none. */
export type PathSelector = (paths: readonly Path[], current: Path | undefined) => Path | undefined;

/** Working before suspect, one that data fare well on before one that loses them, direct before relay, UDP before streams, then the shorter round trip if it is clearly shorter; IPv6 where it is as short. */
export const preferDirect: PathSelector = (paths, current) => {
  let best: Path | undefined;
  for (const path of paths) if (best === undefined || isBetter(path, best, current)) best = path;
  return best;
};

function isBetter(path: Path, than: Path, current: Path | undefined): boolean {
  if (path.state !== than.state) return path.state === "working";
  if (path.demoted !== than.demoted) return than.demoted;
  if (path.via !== than.via) return path.via === "direct";
  const isStream = isStreamCarrier(path.route.carrier);
  if (isStream !== isStreamCarrier(than.route.carrier)) return !isStream;
  // The least round trip is the path's own; the smoothed one is the queue's as well, and the busy path would always lose by it.
  return path.rtt.minMs - favourMs(path, than, current) < than.rtt.minMs - favourMs(than, path, current);
}

/** How much longer its round trip may be: the path in use stays, but not against IPv6, which no NAT is in the way of. */
function favourMs(path: Path, against: Path, current: Path | undefined): number {
  const { family } = path.route.remote;
  if (family === 4 && against.route.remote.family === 6) return 0;
  if (path === current) return SWITCH_GAIN_MS;
  return family === against.route.remote.family ? 0 : IPV6_FAVOUR_MS;
}
