// Identities for simulated machines: those that createIdentity makes, computed by node:crypto in a twentieth of the time. Simulations make
// thousands, which took a quarter of the time of their tests.

import assert from "node:assert/strict";
import { KEY_BYTES } from "../../src/base/limits.ts";
import { type Random, randomBytes } from "../../src/base/random.ts";
import { type Identity, identityFromSecretKey, publicKeyOfSeed } from "../../src/crypto/identity.ts";

/** @returns what createIdentity makes of the same random bytes. */
export function seededIdentity(random: Random): Identity {
  const seed = randomBytes(random, KEY_BYTES);
  const identity = identityFromSecretKey(new Uint8Array([...seed, ...publicKeyOfSeed(seed)]));
  assert.ok(identity !== undefined);
  return identity;
}
