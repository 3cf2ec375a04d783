// The proof of a secret, remembered for each connection and never for another.

import assert from "node:assert/strict";
import { test } from "node:test";
import { streamProofOf } from "../../src/crypto/secret.ts";
import { StreamProof } from "../../src/crypto/stream-proof.ts";

const secret = new Uint8Array(16).fill(1);

test("each connection has the proof of its own handshake, whichever was asked for before", () => {
  const proof = new StreamProof(secret);
  const first = new Uint8Array(32).fill(2);
  const second = new Uint8Array(32).fill(3);
  for (const hash of [first, second, first, second]) assert.deepEqual(proof.on(hash), streamProofOf(secret, hash));
  assert.notDeepEqual(new StreamProof(new Uint8Array(16).fill(9)).on(first), proof.on(first));
});

test("the proof of a connection is made once", () => {
  const proof = new StreamProof(secret);
  const hash = new Uint8Array(32).fill(2);
  assert.equal(proof.on(hash), proof.on(hash));
});
