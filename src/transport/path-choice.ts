// Which of several paths carries the data.

import { SWITCH_GAIN_MS } from "../base/limits.ts";
import { isStreamCarrier } from "../base/route.ts";
import type { Path } from "./path.ts";

/** Chooses the path that carries data. @returns one of `paths` (none has failed), or undefined where there is none. */
export type PathSelector = (paths: readonly Path[], current: Path | undefined) => Path | undefined;

/** Working before suspect, one that data fare well on before one that loses them, direct before relay, UDP before streams, then the shorter round trip if it is clearly shorter. */
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
  const margin = path === current ? -SWITCH_GAIN_MS : than === current ? SWITCH_GAIN_MS : 0;
  return path.rtt.minMs + margin < than.rtt.minMs;
}
