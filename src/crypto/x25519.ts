// X25519 (RFC 7748) on plain 32-byte keys. node:crypto takes keys only inside their DER wrapping (RFC 8410), which is
// a constant prefix for each of the two kinds.

import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import { assert } from "../base/assert.ts";
import { KEY_BYTES } from "../base/limits.ts";

const PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const PUBLIC_KEY_PREFIX = Buffer.from("302a300506032b656e032100", "hex");

function privateKeyObject(privateKey: Uint8Array): KeyObject {
  assert(privateKey.length === KEY_BYTES, "an X25519 private key has 32 bytes");
  return createPrivateKey({ key: Buffer.concat([PRIVATE_KEY_PREFIX, privateKey]), format: "der", type: "pkcs8" });
}

/** @param privateKey 32 bytes; X25519 clamps them itself. @returns the 32 bytes of its public key. */
export function x25519PublicKey(privateKey: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKeyObject(privateKey)).export({ format: "der", type: "spki" });
  return new Uint8Array(der.subarray(PUBLIC_KEY_PREFIX.length));
}

/**
 * @param publicKey what the other side sent, of any content and length.
 * @returns the 32 bytes that both sides share, or undefined where the public key is none or a point of small order
 *   (the result would be all zeros, which anybody knows).
 */
export function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== KEY_BYTES) return undefined;
  const own = privateKeyObject(privateKey);
  const spki = Buffer.concat([PUBLIC_KEY_PREFIX, publicKey]);
  const other = createPublicKey({ key: spki, format: "der", type: "spki" });
  try {
    return new Uint8Array(diffieHellman({ privateKey: own, publicKey: other }));
  } catch {
    // OpenSSL refuses to hand out a shared secret of zeros, which is all that can fail with two well-formed keys.
    return undefined;
  }
}
