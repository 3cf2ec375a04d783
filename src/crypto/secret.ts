// The secret of a ticket and what is derived from it (SPEC.md, "Tickets and secrets"). Whoever holds the secret may
// use the service; each derived value shows that, or finds the service, and tells nothing of the secret.

import { timingSafeEqual } from "node:crypto";
import { MAC_BYTES, SECRET_BYTES, SELECTOR_BYTES } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import { blake2s, hmacBlake2s } from "./blake2s.ts";

/** @returns a fresh secret of 16 bytes. */
export function createSecret(random: Random): Uint8Array {
  return randomBytes(random, SECRET_BYTES);
}

/** @returns the pre-shared key of the handshake, 32 bytes. */
export function pskOf(secret: Uint8Array): Uint8Array {
  return hmacBlake2s(secret, "tunnel handshake psk");
}

/** @returns the 16 bytes by which an initiation names the secret to whoever knows it. */
export function secretTagOf(secret: Uint8Array): Uint8Array {
  return hmacBlake2s(secret, "tunnel handshake tag").slice(0, MAC_BYTES);
}

/** @returns the 8 bytes by which the rendezvous finds the instance that serves this secret. */
export function selectorOf(secret: Uint8Array): Uint8Array {
  return hmacBlake2s(secret, "tunnel rendezvous selector").slice(0, SELECTOR_BYTES);
}

/** @param name of a service; "" is the one that is meant when none is named. @returns 8 bytes. */
export function selectorOfService(publicKey: Uint8Array, name: string): Uint8Array {
  if (name === "") return new Uint8Array(SELECTOR_BYTES);
  return blake2s("tunnel service name", publicKey, name).slice(0, SELECTOR_BYTES);
}

/**
 * @param handshakeHash of the connection on which the stream is opened, so that a proof is good for no other.
 * @returns the 16 bytes by which a stream's preamble proves the secret.
 */
export function streamProofOf(secret: Uint8Array, handshakeHash: Uint8Array): Uint8Array {
  return hmacBlake2s(secret, "tunnel stream proof", handshakeHash).slice(0, MAC_BYTES);
}

/** Compares in a time that depends on the lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
