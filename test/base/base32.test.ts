// Base32 against the vectors of RFC 4648 §10, and the promise that one text stands for each byte string.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBase32, encodeBase32 } from "../../src/base/base32.ts";

test("the vectors of RFC 4648 §10 come out, in lower case and without padding", () => {
  const vectors = [
    ["", ""],
    ["f", "my"],
    ["fo", "mzxq"],
    ["foo", "mzxw6"],
    ["foob", "mzxw6yq"],
    ["fooba", "mzxw6ytb"],
    ["foobar", "mzxw6ytboi"],
  ] as const;
  for (const [text, encoded] of vectors) {
    const bytes = new TextEncoder().encode(text);
    assert.equal(encodeBase32(bytes), encoded);
    assert.deepEqual(decodeBase32(encoded), bytes);
    assert.deepEqual(decodeBase32(encoded.toUpperCase()), bytes);
  }
});

test("an Ed25519 key takes 52 characters", () => {
  assert.equal(encodeBase32(new Uint8Array(32)).length, 52);
});

test("every byte string is read back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.deepEqual(decodeBase32(encodeBase32(bytes)), bytes);
    }),
  );
});

test("one text stands for each byte string: what decodes encodes to itself", () => {
  const text = fc.string({ unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz234567"), maxLength: 30 });
  fc.assert(
    fc.property(text, (candidate) => {
      const bytes = decodeBase32(candidate);
      if (bytes !== undefined) assert.equal(encodeBase32(bytes), candidate);
    }),
    { numRuns: 1000 },
  );
});

test("foreign characters, impossible lengths and bits left over are refused", () => {
  const foreign = ["m1", "m0", "m8", "m9", "m=", "m y", "mÿ", "\u212ay", "\u0130y", "😀y"];
  const impossible = ["a", "aaa", "aaaaaa"];
  for (const text of [...foreign, ...impossible, "mz", "mzxr"]) assert.equal(decodeBase32(text), undefined, text);
});
