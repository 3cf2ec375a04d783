// Identities for simulated machines: those that createIdentity makes, computed by node:crypto in a twentieth of the time. Simulations make
// thousands, which took a quarter of the time of their tests.

import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { KEY_BYTES } from "../../src/base/limits.ts";
import { type Random, randomBytes } from "../../src/base/random.ts";
import { type Identity, identityFromSecretKey } from "../../src/crypto/identity.ts";

/** The DER wrapping of an Ed25519 private key (RFC 8410). */
const PRIVATE_KEY_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** @returns what createIdentity makes of the same random bytes. */
export function seededIdentity(random: Random): Identity {
  const seed = randomBytes(random, KEY_BYTES);
  const key = createPrivateKey({ key: Buffer.concat([PRIVATE_KEY_PREFIX, seed]), format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-KEY_BYTES);
  const identity = identityFromSecretKey(new Uint8Array(Buffer.concat([seed, publicKey])));
  assert.ok(identity !== undefined);
  return identity;
}
