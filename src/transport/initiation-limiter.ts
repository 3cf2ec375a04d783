// How many initiations of one source are looked into while a responder is under load. A cookie shows that a sender receives at
// its address; this keeps a single one from wearing the responder down all the same (WireGuard whitepaper §5.3). Sources are
// hashed under a secret seed to a fixed number of buckets, so nobody can choose whose bucket to share.

import { hostKey } from "../base/host-key.ts";
import { INITIATION_SOURCES, INITIATIONS_PER_SOURCE_BURST, INITIATIONS_PER_SOURCE_PER_SECOND } from "../base/limits.ts";
import { type Random, randomUint32 } from "../base/random.ts";
import type { Route } from "../base/route.ts";

export class InitiationLimiter {
  private readonly seed: number;
  private readonly tokens = new Float64Array(INITIATION_SOURCES).fill(INITIATIONS_PER_SOURCE_BURST);
  private readonly filledAtMs = new Float64Array(INITIATION_SOURCES).fill(Number.NEGATIVE_INFINITY);

  constructor(random: Random) {
    this.seed = randomUint32(random);
  }

  /** @returns whether one more initiation from this route may be looked into now. */
  take(nowMs: number, route: Route): boolean {
    // Who changes its port is the same source; a relay's channel is one each.
    const i = this.bucketOf(route.via === "direct" ? hostKey(route.remote) : route.key);
    const filled = ((nowMs - (this.filledAtMs[i] as number)) * INITIATIONS_PER_SOURCE_PER_SECOND) / 1000;
    const tokens = Math.min(INITIATIONS_PER_SOURCE_BURST, (this.tokens[i] as number) + filled);
    this.filledAtMs[i] = nowMs;
    this.tokens[i] = tokens < 1 ? tokens : tokens - 1;
    return tokens >= 1;
  }

  /** FNV-1a, seeded. */
  private bucketOf(text: string): number {
    let hash = this.seed;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash ^= hash >>> 15;
    return (hash >>> 0) % INITIATION_SOURCES;
  }
}
