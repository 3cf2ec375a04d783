// Who an agent or a rendezvous is: an Ed25519 key pair (RFC 8032). The handshake uses the X25519 form of the same
// pair, so that one public key is all that anybody has to know of a peer.

import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { DH_KEY_CACHE_ENTRIES, KEY_BYTES } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import { montgomeryFromEdwards } from "./montgomery.ts";
import { equalBytes } from "./secret.ts";
import { tweetnacl } from "./tweetnacl.ts";
import { x25519PublicKey } from "./x25519.ts";

const SECRET_KEY_BYTES = 2 * KEY_BYTES;

export interface Identity {
  /** Ed25519, 32 bytes: what a peer id spells. */
  readonly publicKey: Uint8Array;
  /** Ed25519, 64 bytes: the seed and the public key, as NaCl keeps them. This is what is stored. */
  readonly secretKey: Uint8Array;
  /** X25519, 32 bytes: `dhPublicKeyOf(publicKey)`. */
  readonly dhPublicKey: Uint8Array;
  /** X25519, 32 bytes, clamped. */
  readonly dhPrivateKey: Uint8Array;
}

/** A secret key begins with the 32 bytes that it was made from. */
const seedOf = (secretKey: Uint8Array): Uint8Array => secretKey.subarray(0, KEY_BYTES);

function withDhKeys(publicKey: Uint8Array, secretKey: Uint8Array): Identity {
  // The scalar of an Ed25519 key is the first half of the seed's SHA-512, clamped (RFC 8032 §5.1.5).
  const dhPrivateKey = new Uint8Array(createHash("sha512").update(seedOf(secretKey)).digest().subarray(0, KEY_BYTES));
  dhPrivateKey[0] = (dhPrivateKey[0] as number) & 0xf8;
  dhPrivateKey[31] = ((dhPrivateKey[31] as number) & 0x7f) | 0x40;
  return { publicKey, secretKey, dhPublicKey: x25519PublicKey(dhPrivateKey), dhPrivateKey };
}

/** @returns a fresh identity. */
export function createIdentity(random: Random): Identity {
  const { publicKey, secretKey } = tweetnacl().sign.keyPair.fromSeed(randomBytes(random, KEY_BYTES));
  return withDhKeys(publicKey, secretKey);
}

/** The DER wrapping of an Ed25519 private key (RFC 8410). */
const PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/**
 * Every start of the program comes by here: cold, node:crypto computes the public key in 2 ms and tweetnacl in 35.
 * @param seed 32 bytes. @returns the Ed25519 public key that belongs to it.
 */
export function publicKeyOfSeed(seed: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([PRIVATE_KEY_PREFIX, seed]), format: "der", type: "pkcs8" });
  return new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-KEY_BYTES));
}

/**
 * @param secretKey what was stored.
 * @returns undefined where it is not 64 bytes, or its halves do not belong together.
 */
export function identityFromSecretKey(secretKey: Uint8Array): Identity | undefined {
  if (secretKey.length !== SECRET_KEY_BYTES) return undefined;
  const publicKey = publicKeyOfSeed(seedOf(secretKey));
  return equalBytes(publicKey, secretKey.subarray(KEY_BYTES)) ? withDhKeys(publicKey, secretKey.slice()) : undefined;
}

/** Least recently used first. */
const dhPublicKeys = new Map<string, Uint8Array>();

/**
 * @param publicKey Ed25519, as a peer or a user gave it.
 * @returns the X25519 public key of the same peer, or undefined where no honest peer has such a key.
 */
export function dhPublicKeyOf(publicKey: Uint8Array): Uint8Array | undefined {
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString("latin1");
  const dhPublicKey = dhPublicKeys.get(name) ?? montgomeryFromEdwards(publicKey);
  if (dhPublicKey === undefined) return undefined;
  dhPublicKeys.delete(name);
  dhPublicKeys.set(name, dhPublicKey);
  if (dhPublicKeys.size > DH_KEY_CACHE_ENTRIES) dhPublicKeys.delete(dhPublicKeys.keys().next().value as string);
  return dhPublicKey.slice();
}
