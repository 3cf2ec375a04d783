// What is derived from a secret: pinned, because both ends have to derive the same for ever.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  createSecret,
  equalBytes,
  pskOf,
  secretTagOf,
  selectorOf,
  selectorOfService,
  streamProofOf,
} from "../../src/crypto/secret.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { counting, fromHex, toHex } from "./hex.ts";

const SECRET = counting(16);
const PUBLIC_KEY = fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");

test("what is derived from a secret never changes", () => {
  assert.equal(toHex(pskOf(SECRET)), "d46787c7f793492fc3f25b9699f7badc7aa187615b3169a3afc8686add621f53");
  assert.equal(toHex(secretTagOf(SECRET)), "de6663eee29fa8e921e85d25d371dd85");
  assert.equal(toHex(selectorOf(SECRET)), "110cfdedff940423");
  assert.equal(toHex(streamProofOf(SECRET, counting(32))), "9e0b12e6e7cff7c9323a63d8af10e537");
});

test("the selector of a named service never changes", () => {
  assert.equal(toHex(selectorOfService(PUBLIC_KEY, "web")), "1db5bab026c4de14");
});

test("the default service has the selector of zeros, and no named one has", () => {
  assert.deepEqual(selectorOfService(PUBLIC_KEY, ""), new Uint8Array(8));
  assert.notDeepEqual(selectorOfService(PUBLIC_KEY, "0"), new Uint8Array(8));
});

test("a proof is good for one secret and one handshake", () => {
  const proof = streamProofOf(SECRET, counting(32));
  assert(!equalBytes(proof, streamProofOf(SECRET, counting(32, 1))));
  assert(!equalBytes(proof, streamProofOf(counting(16, 1), counting(32))));
});

test("a secret has 16 bytes and is drawn anew each time", () => {
  const random = new SeededRandom(1);
  const first = createSecret(random);
  assert.equal(first.length, 16);
  assert.notDeepEqual(createSecret(random), first);
});

test("bytes are equal when each of them is and there are as many", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (a, b) => {
      assert(equalBytes(a, a.slice()));
      assert.equal(equalBytes(a, b), Buffer.compare(a, b) === 0);
    }),
  );
});
