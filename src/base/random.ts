// Randomness as an injected interface, so that the pure layers repeat from a seed.

export interface Random {
  /** Overwrites every byte of `bytes` with random ones. */
  fill(bytes: Uint8Array): void;
}

/** @returns `lengthBytes` fresh random bytes. */
export function randomBytes(random: Random, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  random.fill(bytes);
  return bytes;
}

/** @returns an integer in [0, 2^32). */
export function randomUint32(random: Random): number {
  const bytes = randomBytes(random, 4);
  return new DataView(bytes.buffer).getUint32(0);
}

/** @returns a float in [0, 1) with 32 bits of randomness; for jitter, not for secrets. */
export function randomFraction(random: Random): number {
  return randomUint32(random) / 0x1_0000_0000;
}
