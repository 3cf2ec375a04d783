// Peer ids as people copy them.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createIdentity } from "../../src/crypto/identity.ts";
import { formatPeerId, parsePeerId } from "../../src/crypto/peer-id.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { fromHex } from "./hex.ts";
import { SMALL_ORDER_ED25519 } from "./small-order-points.ts";

const PUBLIC_KEY = fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
const PEER_ID = "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkena";

test("a peer id is the public key in 52 characters of base32", () => {
  assert.equal(formatPeerId(PUBLIC_KEY), PEER_ID);
  assert.deepEqual(parsePeerId(PEER_ID), PUBLIC_KEY);
  assert.deepEqual(parsePeerId(PEER_ID.toUpperCase()), PUBLIC_KEY);
});

test("every identity's peer id is read back", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { publicKey } = createIdentity(new SeededRandom(seed));
    assert.deepEqual(parsePeerId(formatPeerId(publicKey)), publicKey);
  }
});

test("a text that is cut, longer, padded or foreign is no peer id", () => {
  const texts = ["", PEER_ID.slice(1), `${PEER_ID}a`, `${PEER_ID}====`, ` ${PEER_ID}`, PEER_ID.replace("q", "0")];
  for (const text of texts) assert.equal(parsePeerId(text), undefined, text);
  // The last character has four bits that must be zero.
  assert.equal(parsePeerId(`${PEER_ID.slice(0, -1)}b`), undefined);
});

test("a key that no peer can have has no peer id", () => {
  for (const point of SMALL_ORDER_ED25519) assert.equal(parsePeerId(formatPeerId(point)), undefined);
});

test("about half of all mistyped peer ids are found", () => {
  let found = 0;
  for (let i = 0; i < 51; i++) {
    const other = PEER_ID[i] === "a" ? "b" : "a";
    const mistyped = PEER_ID.slice(0, i) + other + PEER_ID.slice(i + 1);
    const parsed = parsePeerId(mistyped);
    if (parsed === undefined) found++;
    else assert.notDeepEqual(parsed, PUBLIC_KEY);
  }
  assert(found > 12 && found < 40, `${found} of 51 were found`);
});

test("no text makes the parser throw", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => void parsePeerId(text)));
  fc.assert(
    fc.property(fc.stringMatching(/^[a-zA-Z2-7]{52}$/), (text) => {
      const parsed = parsePeerId(text);
      if (parsed !== undefined) assert.equal(formatPeerId(parsed), text.toLowerCase());
    }),
  );
});
