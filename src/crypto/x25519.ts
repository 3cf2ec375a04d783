// X25519 (RFC 7748) on plain 32-byte keys. node:crypto takes keys only in a wrapping: as a JSON Web Key (RFC 8037), or in DER (RFC 8410),
// which is a constant prefix for each of the two kinds, and which OpenSSL takes its time to read. Measured with Node 20.20, in ms:
//
//                      private key   public key   the operation itself
//     JSON Web Key     0.04          0.01         0.04
//     DER              0.44          0.10         0.04
//
// A handshake has five of them at either side, and a rendezvous that was restarted has thousands of handshakes to do at once.

import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import { assert } from "../base/assert.ts";
import { KEY_BYTES } from "../base/limits.ts";

const PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const WEB_KEY = { kty: "OKP", crv: "X25519" } as const;

/** The point that a private key is multiplied with to get its public key: u = 9. */
const BASE_POINT = Buffer.alloc(KEY_BYTES);
BASE_POINT[0] = 9;

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");

const BASE_POINT_BASE64 = base64(BASE_POINT);

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: { ...WEB_KEY, x: base64(publicKey) }, format: "jwk" });
}

const basePoint = publicKeyObject(BASE_POINT);

/** As a web key, whose public half is asked for and not looked at: a node that does look makes of it another key, or none. */
function fromWebKey(privateKey: Uint8Array): KeyObject {
  return createPrivateKey({ key: { ...WEB_KEY, x: BASE_POINT_BASE64, d: base64(privateKey) }, format: "jwk" });
}

function fromDer(privateKey: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_KEY_PREFIX, privateKey]), format: "der", type: "pkcs8" });
}

const publicKeyOf = (own: KeyObject): Uint8Array =>
  new Uint8Array(diffieHellman({ privateKey: own, publicKey: basePoint }));

/** @returns whether this node takes web keys as `fromWebKey` makes them, tried with one of them. */
function takesWebKeys(): boolean {
  const key = Uint8Array.from({ length: KEY_BYTES }, (_, i) => 5 * i + 1);
  try {
    return Buffer.compare(publicKeyOf(fromWebKey(key)), publicKeyOf(fromDer(key))) === 0;
  } catch {
    return false;
  }
}

let wrap: ((privateKey: Uint8Array) => KeyObject) | undefined;

function privateKeyObject(privateKey: Uint8Array): KeyObject {
  assert(privateKey.length === KEY_BYTES, "an X25519 private key has 32 bytes");
  wrap ??= takesWebKeys() ? fromWebKey : fromDer;
  return wrap(privateKey);
}

/** @param privateKey 32 bytes; X25519 clamps them itself. @returns the 32 bytes of its public key. */
export function x25519PublicKey(privateKey: Uint8Array): Uint8Array {
  return publicKeyOf(privateKeyObject(privateKey));
}

/**
 * @param publicKey what the other side sent, of any content and length.
 * @returns the 32 bytes that both sides share, or undefined where the public key is none or a point of small order
 *   (the result would be all zeros, which anybody knows).
 */
export function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  if (publicKey.length !== KEY_BYTES) return undefined;
  const own = privateKeyObject(privateKey);
  const other = publicKeyObject(publicKey);
  try {
    return new Uint8Array(diffieHellman({ privateKey: own, publicKey: other }));
  } catch {
    // OpenSSL refuses to hand out a shared secret of zeros, which is all that can fail with two well-formed keys.
    return undefined;
  }
}
