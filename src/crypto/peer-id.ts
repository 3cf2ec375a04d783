// A peer id is an Ed25519 public key in lower-case base32 without padding: 52 characters that survive being read
// aloud, double-clicked and put in a file name.

import { decodeBase32, encodeBase32 } from "../base/base32.ts";
import { dhPublicKeyOf } from "./identity.ts";

const PEER_ID_PATTERN = /^[a-zA-Z2-7]{52}$/;

/** @param publicKey Ed25519, 32 bytes. @returns 52 characters. */
export function formatPeerId(publicKey: Uint8Array): string {
  return encodeBase32(publicKey);
}

/**
 * @param text what a user typed; upper case is accepted.
 * @returns the Ed25519 public key, or undefined where no peer can have this id. Half of all mistyped ids are no point
 *   of the curve and are found here.
 */
export function parsePeerId(text: string): Uint8Array | undefined {
  if (!PEER_ID_PATTERN.test(text)) return undefined;
  const publicKey = decodeBase32(text);
  return publicKey !== undefined && dhPublicKeyOf(publicKey) !== undefined ? publicKey : undefined;
}
