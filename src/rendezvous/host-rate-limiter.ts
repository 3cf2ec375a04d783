// Token buckets for every host of the Internet in a fixed amount of memory. A host is hashed to one of a few thousand
// buckets under a secret seed, so that nobody can choose an address that shares the bucket of another's on purpose. It guards
// what is answered to senders nobody has authenticated: STUN and identity requests.

import type { SocketAddress } from "../base/address.ts";
import { hostKey } from "../base/host-key.ts";
import { HOST_RATE_BUCKETS } from "../base/limits.ts";
import { type Random, randomUint32 } from "../base/random.ts";

export class HostRateLimiter {
  private readonly ratePerMs: number;
  private readonly burst: number;
  private readonly seed: number;
  private readonly tokens: Float64Array;
  private readonly filledAtMs: Float64Array;

  /** @param ratePerSecond answers a second for each host. @param burst how many at once. */
  constructor(random: Random, ratePerSecond: number, burst: number) {
    this.ratePerMs = ratePerSecond / 1000;
    this.burst = burst;
    this.seed = randomUint32(random);
    this.tokens = new Float64Array(HOST_RATE_BUCKETS).fill(burst);
    this.filledAtMs = new Float64Array(HOST_RATE_BUCKETS).fill(Number.NEGATIVE_INFINITY);
  }

  /** @returns whether the host of `address` may have one more answer now. */
  take(nowMs: number, address: SocketAddress): boolean {
    const i = this.bucketOf(hostKey(address));
    const elapsedMs = nowMs - (this.filledAtMs[i] as number);
    const tokens = Math.min(this.burst, (this.tokens[i] as number) + elapsedMs * this.ratePerMs);
    this.filledAtMs[i] = nowMs;
    this.tokens[i] = tokens < 1 ? tokens : tokens - 1;
    return tokens >= 1;
  }

  /** FNV-1a over the host's key, seeded. */
  private bucketOf(host: string): number {
    let hash = this.seed;
    for (let i = 0; i < host.length; i++) hash = Math.imul(hash ^ host.charCodeAt(i), 0x01000193);
    hash ^= hash >>> 15;
    return (hash >>> 0) % HOST_RATE_BUCKETS;
  }
}
