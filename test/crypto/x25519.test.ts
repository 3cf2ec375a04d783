// X25519 against its RFC, and the keys it has to refuse.

import assert from "node:assert/strict";
import { test } from "node:test";
import { x25519 as reference } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { x25519, x25519PublicKey } from "../../src/crypto/x25519.ts";
import { counting, fromHex, toHex } from "./hex.ts";
import { SMALL_ORDER_X25519 } from "./small-order-points.ts";

test("the Diffie-Hellman of RFC 7748 §6.1 comes out", () => {
  const alice = fromHex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const bob = fromHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  assert.equal(toHex(x25519PublicKey(alice)), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  assert.equal(toHex(x25519PublicKey(bob)), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  assert.equal(toHex(x25519(alice, x25519PublicKey(bob)) as Uint8Array), shared);
  assert.equal(toHex(x25519(bob, x25519PublicKey(alice)) as Uint8Array), shared);
});

test("the result is that of another implementation, for keys of any content", () => {
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(key, key, (privateKey, content) => {
      const publicKey = x25519PublicKey(privateKey);
      assert.deepEqual(publicKey, reference.getPublicKey(privateKey));
      const other = reference.getPublicKey(content);
      assert.deepEqual(x25519(privateKey, other), reference.getSharedSecret(privateKey, other));
      // Half of these are no points that anybody has, and a bit of theirs is not looked at: both take them all the same.
      if (!SMALL_ORDER_X25519.some((point) => toHex(point) === toHex(content))) {
        assert.deepEqual(x25519(privateKey, content), reference.getSharedSecret(privateKey, content));
      }
    }),
    { numRuns: 30 },
  );
});

test("a public key of small order gives no shared secret", () => {
  for (const point of SMALL_ORDER_X25519) assert.equal(x25519(counting(32), point), undefined, toHex(point));
});

test("bytes of any content and length are taken for a public key without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (publicKey) => {
      const shared = x25519(counting(32), publicKey);
      if (publicKey.length !== 32) assert.equal(shared, undefined);
      else assert(shared === undefined || shared.some((byte) => byte !== 0));
    }),
  );
});
