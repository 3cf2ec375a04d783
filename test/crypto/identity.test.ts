// Identities: that the signature key and the handshake key belong together, and which public keys are none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { DH_KEY_CACHE_ENTRIES } from "../../src/base/limits.ts";
import { createIdentity, dhPublicKeyOf, identityFromSecretKey } from "../../src/crypto/identity.ts";
import { montgomeryFromEdwards } from "../../src/crypto/montgomery.ts";
import { x25519PublicKey } from "../../src/crypto/x25519.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { FixedRandom } from "./fixed-random.ts";
import { fromHex, toHex, withBitFlipped } from "./hex.ts";
import { seededIdentity } from "./seeded-identity.ts";
import { SMALL_ORDER_ED25519 } from "./small-order-points.ts";

/** RFC 8032 §7.1, test 1. */
const SEED = fromHex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
const PUBLIC_KEY = fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");

/** What another library makes of the bytes; undefined where it refuses them. */
function nobleMontgomery(publicKey: Uint8Array): Uint8Array | undefined {
  try {
    return ed25519.utils.toMontgomery(publicKey);
  } catch {
    return undefined;
  }
}

test("the identity of a seed is the key pair of RFC 8032", () => {
  const identity = createIdentity(new FixedRandom(SEED));
  assert.deepEqual(identity.publicKey, PUBLIC_KEY);
  assert.deepEqual(identity.secretKey, new Uint8Array([...SEED, ...PUBLIC_KEY]));
  assert.equal(toHex(identity.dhPublicKey), "d85e07ec22b0ad881537c2f44d662d1a143cf830c57aca4305d85c7a90f6b62e");
});

test("a stored secret key gives the same identity back", () => {
  for (let seed = 0; seed < 20; seed++) {
    const identity = createIdentity(new SeededRandom(seed));
    assert.deepEqual(identityFromSecretKey(identity.secretKey), identity);
  }
});

test("a stored secret key with a flipped bit or another length is no identity", () => {
  const { secretKey } = createIdentity(new SeededRandom(2));
  for (let bit = 0; bit < 512; bit += 41)
    assert.equal(identityFromSecretKey(withBitFlipped(secretKey, bit)), undefined);
  for (const length of [0, 32, 63]) assert.equal(identityFromSecretKey(secretKey.subarray(0, length)), undefined);
  assert.equal(identityFromSecretKey(new Uint8Array([...secretKey, 0])), undefined);
});

test("bytes of any content and length are taken for a stored secret key without a throw", () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ minLength: 64, maxLength: 64 }));
  fc.assert(fc.property(bytes, (secretKey) => assert.equal(identityFromSecretKey(secretKey), undefined)));
});

test("the X25519 form of a public key is the public key of the X25519 private key", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { publicKey, secretKey, dhPublicKey, dhPrivateKey } = createIdentity(new SeededRandom(seed));
    assert.deepEqual(dhPublicKeyOf(publicKey), dhPublicKey);
    assert.deepEqual(x25519PublicKey(dhPrivateKey), dhPublicKey);
    assert.deepEqual(dhPrivateKey, ed25519.utils.toMontgomerySecret(secretKey.slice(0, 32)));
  }
});

test("bytes that are no point are refused, and points are mapped, as another library does", () => {
  let points = 0;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
      const ours = montgomeryFromEdwards(bytes);
      assert.deepEqual(ours, nobleMontgomery(bytes));
      if (ours !== undefined) points++;
    }),
    { numRuns: 300 },
  );
  assert(points > 50, `${points} of 300 were points`);
});

test("a point of small order is no public key, whatever its sign", () => {
  for (const point of SMALL_ORDER_ED25519) assert.equal(dhPublicKeyOf(point), undefined, toHex(point));
});

test("an encoding that is not reduced is no public key", () => {
  const prime = 2n ** 255n - 19n;
  for (let y = 0n; y < 19n; y++) {
    const bytes = fromHex((prime + y).toString(16).padStart(64, "0")).reverse();
    assert.equal(dhPublicKeyOf(bytes), undefined);
  }
});

test("bytes of any length are taken for a public key without a throw", () => {
  for (let length = 0; length < 70; length++) {
    if (length !== 32) assert.equal(dhPublicKeyOf(new Uint8Array(length).fill(3)), undefined);
  }
});

test("who alters what came back alters nothing that is remembered", () => {
  dhPublicKeyOf(PUBLIC_KEY)?.fill(0);
  assert.equal(toHex(dhPublicKeyOf(PUBLIC_KEY) as Uint8Array).slice(0, 8), "d85e07ec");
});

test("more keys than are remembered come out right, the forgotten ones too", () => {
  const random = new SeededRandom(5);
  const keys: Uint8Array[] = [];
  while (keys.length < DH_KEY_CACHE_ENTRIES + 20) {
    const bytes = new Uint8Array(32);
    random.fill(bytes);
    if (dhPublicKeyOf(bytes) !== undefined) keys.push(bytes);
  }
  for (const key of keys) assert.deepEqual(dhPublicKeyOf(key), montgomeryFromEdwards(key));
});

test("simulated machines have the identities that createIdentity would give them", () => {
  for (let seed = 0; seed < 5; seed++) {
    assert.deepEqual(seededIdentity(new SeededRandom(seed)), createIdentity(new SeededRandom(seed)));
  }
});
