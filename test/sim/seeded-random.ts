// The randomness of a simulation: sfc32, a small fast generator with 128 bits of state, behind the interface that the
// machines draw from. A run repeats from its seed alone. Forks are derived from the seed and a label, never from the
// state, so that one more draw in one place does not disturb what another place draws.

import type { Random } from "../../src/base/random.ts";

/** Mixes all bits of an integer; the finaliser of MurmurHash3. */
function scramble(value: number): number {
  let v = value | 0;
  v = Math.imul(v ^ (v >>> 16), 0x85ebca6b);
  v = Math.imul(v ^ (v >>> 13), 0xc2b2ae35);
  return (v ^ (v >>> 16)) >>> 0;
}

export class SeededRandom implements Random {
  /** Two generators of one seed give the same numbers. */
  readonly seed: number;
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** @param seed any non-negative integer below 2^53. */
  constructor(seed: number) {
    this.seed = seed;
    this.a = scramble(seed);
    this.b = scramble(Math.floor(seed / 0x1_0000_0000) ^ 0x9e3779b9);
    this.c = scramble(this.a ^ this.b ^ 0x7f4a7c15);
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** @returns an integer in [0, 2^32). */
  uint32(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** @returns a float in [0, 1). */
  fraction(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** @returns an integer in [low, high], both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low + 1));
  }

  /** @returns a float in [low, high). */
  between(low: number, high: number): number {
    return low + this.fraction() * (high - low);
  }

  /** @returns true with this probability; 0 and 1 are certain and draw nothing. */
  chance(probability: number): boolean {
    if (probability <= 0) return false;
    return probability >= 1 || this.fraction() < probability;
  }

  /** @returns one of `items`, of which there has to be one at least. */
  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)] as T;
  }

  fill(bytes: Uint8Array): void {
    let word = 0;
    for (let i = 0; i < bytes.length; i++) {
      if ((i & 3) === 0) word = this.uint32();
      bytes[i] = word >>> ((i & 3) * 8);
    }
  }

  /** @returns an independent generator that depends on this one's seed and on `label`, not on what was drawn before. */
  fork(label: string): SeededRandom {
    let hash = scramble(this.seed);
    let high = scramble(Math.floor(this.seed / 0x1_0000_0000) + 1);
    for (let i = 0; i < label.length; i++) {
      hash = scramble(Math.imul(hash, 31) + label.charCodeAt(i));
      high = Math.imul(high ^ hash, 0x01000193);
    }
    return new SeededRandom((scramble(high) & 0x1f_ffff) * 0x1_0000_0000 + hash);
  }
}
