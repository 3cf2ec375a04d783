// BLAKE2s against its RFC, and HMAC over it against another implementation.

import assert from "node:assert/strict";
import { test } from "node:test";
import { blake2s as nobleBlake2s } from "@noble/hashes/blake2.js";
import { hmac as nobleHmac } from "@noble/hashes/hmac.js";
import fc from "fast-check";
import { blake2s, hmacBlake2s } from "../../src/crypto/blake2s.ts";
import { toHex } from "./hex.ts";

test("BLAKE2s of abc is that of RFC 7693, appendix B", () => {
  assert.equal(toHex(blake2s("abc")), "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
});

test("parts are hashed as if they were one", () => {
  assert.deepEqual(blake2s("a", new TextEncoder().encode("b"), "c"), blake2s("abc"));
  assert.deepEqual(hmacBlake2s(new Uint8Array(3), "a", "bc"), hmacBlake2s(new Uint8Array(3), "abc"));
});

test("HMAC-BLAKE2s is RFC 2104's with blocks of 64 bytes, for keys of any length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 130 }), fc.uint8Array({ maxLength: 300 }), (key, data) => {
      assert.deepEqual(hmacBlake2s(key, data), nobleHmac(nobleBlake2s, key, data));
    }),
  );
});

test("a hash is plain bytes whose slice is a copy", () => {
  for (const hash of [blake2s("x"), hmacBlake2s(new Uint8Array(1), "x")]) {
    assert.equal(Object.getPrototypeOf(hash), Uint8Array.prototype);
    hash.slice().fill(0);
    assert.notDeepEqual(hash, new Uint8Array(32));
  }
});
