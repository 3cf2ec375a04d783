// From an Ed25519 public key to the X25519 public key of the same secret: u = (1 + y) / (1 − y), the birational map
// of RFC 7748 §4.1. One identity thus serves both for signatures and for the handshake.
//
// It handles public keys alone, so it may take as long as their bits please. A library for curves does the same and
// is what the tests compare this with, but loading one and its tables took 50 ms of every process start on the machine
// where this takes 0.4 ms, and small boards are ten times slower.

import { KEY_BYTES } from "../base/limits.ts";

/** The field's prime. */
const P = 2n ** 255n - 19n;
/** The curve is −x² + y² = 1 + d x² y² (RFC 8032 §5.1). */
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

const modulo = (value: bigint): bigint => ((value % P) + P) % P;

function fromLittleEndian(bytes: Uint8Array): bigint {
  let hex = "0x";
  for (let i = bytes.length - 1; i >= 0; i--) hex += (bytes[i] as number).toString(16).padStart(2, "0");
  return BigInt(hex);
}

/**
 * @param publicKey an Ed25519 public key as it came, of any content and length.
 * @returns the 32 bytes of the X25519 public key, or undefined where the bytes are no point of the curve, not its
 *   canonical encoding, or a point of small order, with which every handshake has the same known result.
 */
export function montgomeryFromEdwards(publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== KEY_BYTES) return undefined;
  // The top bit is the sign of x, which the map does not need.
  const y = fromLittleEndian(publicKey) & (2n ** 255n - 1n);
  if (y >= P) return undefined;
  const y2 = (y * y) % P;
  // y = 0 has order 4, and doubling a point of order 8 gives y = 0, which works out to d y⁴ + 2 y² − 1 = 0.
  if (y === 0n || modulo(D * y2 * y2 + 2n * y2 - 1n) === 0n) return undefined;
  // x² = (y² − 1) / (d y² + 1) has to be a square; so then is the product of the two, and Euler's criterion gives 1.
  // It gives 0 for x = 0, the points of order 1 and 2.
  if (power(modulo((y2 - 1n) * (D * y2 + 1n)), (P - 1n) / 2n) !== 1n) return undefined;
  let u = modulo((1n + y) * power(modulo(1n - y), P - 2n));
  const bytes = new Uint8Array(KEY_BYTES);
  for (let i = 0; i < KEY_BYTES; i++, u >>= 8n) bytes[i] = Number(u & 0xffn);
  return bytes;
}
