// How often an idle path needs a packet so that the NATs on it do not forget it. They say nothing, so it is learnt: a direct path that was
// found dead after it had been idle, and came back soon, lay behind a NAT that forgets sooner than was thought. Such a path is asked
// more often from then on, until the network changes.

import { KEEPALIVE_MIN_MS, KEEPALIVE_RETURN_MS, KEEPALIVE_SHORTER } from "../base/limits.ts";
import type { Path } from "./path.ts";

export class KeepaliveInterval {
  private readonly usualMs: number;
  private readonly leastMs: number;
  private currentMs: number;
  /** Direct paths that stopped working after they had been idle, and when. */
  private readonly dead = new Map<Path, number>();

  /** @param usualMs where nothing else has been learnt. */
  constructor(usualMs: number) {
    this.usualMs = usualMs;
    this.leastMs = Math.min(usualMs, KEEPALIVE_MIN_MS);
    this.currentMs = usualMs;
  }

  /** For a path that carries data, or may have to. */
  get ms(): number {
    return this.currentMs;
  }

  /** To be called for every path whenever its state may have changed. */
  observe(nowMs: number, path: Path): void {
    if (path.via !== "direct") return;
    const deadSinceMs = this.dead.get(path);
    if (path.state === "working") {
      if (deadSinceMs === undefined) return;
      this.dead.delete(path);
      const backAtMs = Math.max(path.outageEndedMs, path.lastHeardAtMs);
      if (backAtMs - deadSinceMs > KEEPALIVE_RETURN_MS) return;
      this.currentMs = Math.max(this.leastMs, this.currentMs * KEEPALIVE_SHORTER);
    } else if (deadSinceMs === undefined && path.suspectSinceMs - path.lastHeardAtMs >= this.leastMs) {
      this.dead.set(path, nowMs);
    }
  }

  /** Another network: what was learnt was about the last one's NAT. */
  reset(): void {
    this.currentMs = this.usualMs;
    this.dead.clear();
  }
}
