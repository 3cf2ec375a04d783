// The handshake: a published vector, a reference written along the specification in both roles, and an attacker who
// alters, cuts and invents messages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { NoiseInitiator, NoiseResponder, type SessionKeys, type StaticKeys } from "../../src/crypto/noise.ts";
import { x25519PublicKey } from "../../src/crypto/x25519.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { FixedRandom } from "./fixed-random.ts";
import { counting, fromHex, toHex, withBitFlipped } from "./hex.ts";
import { IKPSK2, ReferenceNoise } from "./noise-reference.ts";
import { SMALL_ORDER_X25519 } from "./small-order-points.ts";

const PROLOGUE = new TextEncoder().encode("tunnel v1");

const keysOf = (dhPrivateKey: Uint8Array): StaticKeys => ({ dhPrivateKey, dhPublicKey: x25519PublicKey(dhPrivateKey) });

const INITIATOR = keysOf(counting(32, 1));
const RESPONDER = keysOf(counting(32, 101));
const PSK = counting(32, 201);
const HELLO = counting(128);
const WELCOME = counting(64);

interface Handshake {
  readonly initiator: NoiseInitiator;
  readonly responder: NoiseResponder;
  readonly initiation: Uint8Array;
}

function begin(seed = 1): Handshake {
  const initiator = new NoiseInitiator(INITIATOR, RESPONDER.dhPublicKey, new SeededRandom(seed));
  const responder = new NoiseResponder(RESPONDER, new SeededRandom(seed + 1000));
  return { initiator, responder, initiation: initiator.writeInitiation(HELLO) };
}

function assertKeysMeet(a: SessionKeys, b: SessionKeys): void {
  assert.deepEqual(a.sendKey, b.receiveKey);
  assert.deepEqual(a.receiveKey, b.sendKey);
  assert.deepEqual(a.handshakeHash, b.handshakeHash);
  assert.notDeepEqual(a.sendKey, a.receiveKey);
}

test("the vector of the cacophony project comes out in both roles", () => {
  const initiatorKeys = keysOf(fromHex("e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1"));
  const responderKeys = keysOf(fromHex("4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893"));
  const initiatorEphemeral = fromHex("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a");
  const responderEphemeral = fromHex("bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b");
  const prologue = new TextEncoder().encode("John Galt");
  const psk = new TextEncoder().encode("This is my Austrian perspective!");
  assert.equal(toHex(responderKeys.dhPublicKey), "31e0303fd6418d2f8c0e78b91f22e8caed0fbe48656dcf4767e4834f701b8f62");
  const initiation =
    fromHex(`ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944001e21de9f98ddd8e2ad57527207
    feb56253c9c94a9e496782ecfcb2a75fbcaf1b52948cc48daefe660c62119ab5000980c84831215f2441eba616548e832985464cf17e51ee9310
    9008399a21f7e13f`);
  const response = fromHex(`95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843cb765f2caef0751b8f007572dab0
    322217755c0632f365717edbf34d33e87a`);
  const hello = new TextEncoder().encode("Ludwig von Mises");
  const welcome = new TextEncoder().encode("Murray Rothbard");

  const initiator = new NoiseInitiator(
    initiatorKeys,
    responderKeys.dhPublicKey,
    new FixedRandom(initiatorEphemeral),
    prologue,
  );
  const responder = new NoiseResponder(responderKeys, new FixedRandom(responderEphemeral), prologue);
  assert.equal(toHex(initiator.writeInitiation(hello)), toHex(initiation));
  assert.deepEqual(responder.readInitiation(initiation), {
    remoteDhPublicKey: initiatorKeys.dhPublicKey,
    payload: hello,
  });
  assert.equal(toHex(responder.writeResponse(psk, welcome)), toHex(response));
  assert.deepEqual(initiator.readResponse(response, psk), welcome);

  const keys = initiator.sessionKeys();
  assertKeysMeet(keys, responder.sessionKeys());
  assert.equal(toHex(keys.handshakeHash), "f5191b875290abcd41347ac3622d9679688a7e980229cb937ef748336cfde0e5");
  const first = chacha20poly1305(keys.sendKey, new Uint8Array(12)).encrypt(new TextEncoder().encode("F. A. Hayek"));
  assert.equal(toHex(first), "8153ca9833bc3c1b91a7e66e5f4d4f5b59bf9e64c2f20d15f0bba7");
  const second = chacha20poly1305(keys.receiveKey, new Uint8Array(12)).encrypt(new TextEncoder().encode("Carl Menger"));
  assert.equal(toHex(second), "07af0c9c86e1b4e80f36b04ff7688d51141af3debd0332f0a705ef");
});

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const payload = fc.uint8Array({ maxLength: 200 });

test("an initiator agrees with the reference, whatever the keys and payloads", () => {
  fc.assert(
    fc.property(
      key,
      key,
      key,
      key,
      key,
      payload,
      payload,
      (own, ownEphemeral, theirs, theirEphemeral, psk, hello, welcome) => {
        const remote = keysOf(theirs);
        const initiator = new NoiseInitiator(keysOf(own), remote.dhPublicKey, new FixedRandom(ownEphemeral));
        const responder = new ReferenceNoise({
          pattern: IKPSK2,
          initiator: false,
          prologue: PROLOGUE,
          staticPrivateKey: theirs,
          ephemeralPrivateKey: theirEphemeral,
          psk,
        });
        assert.deepEqual(responder.read(initiator.writeInitiation(hello)), hello);
        assert.deepEqual(responder.remoteStatic, x25519PublicKey(own));
        assert.deepEqual(initiator.readResponse(responder.write(welcome), psk), welcome);
        assertKeysMeet(initiator.sessionKeys(), { ...responder.sessionKeys(), handshakeHash: responder.hash });
      },
    ),
    { numRuns: 25 },
  );
});

test("a responder agrees with the reference, whatever the keys and payloads", () => {
  fc.assert(
    fc.property(
      key,
      key,
      key,
      key,
      key,
      payload,
      payload,
      (own, ownEphemeral, theirs, theirEphemeral, psk, hello, welcome) => {
        const local = keysOf(own);
        const responder = new NoiseResponder(local, new FixedRandom(ownEphemeral));
        const initiator = new ReferenceNoise({
          pattern: IKPSK2,
          initiator: true,
          prologue: PROLOGUE,
          staticPrivateKey: theirs,
          ephemeralPrivateKey: theirEphemeral,
          remoteStatic: local.dhPublicKey,
          psk,
        });
        const opened = responder.readInitiation(initiator.write(hello));
        assert.deepEqual(opened, { remoteDhPublicKey: x25519PublicKey(theirs), payload: hello });
        assert.deepEqual(initiator.read(responder.writeResponse(psk, welcome)), welcome);
        assertKeysMeet(responder.sessionKeys(), { ...initiator.sessionKeys(), handshakeHash: initiator.hash });
      },
    ),
    { numRuns: 25 },
  );
});

test("two sides of ours finish with keys that meet", () => {
  const { initiator, responder, initiation } = begin();
  const opened = responder.readInitiation(initiation);
  assert.deepEqual(opened, { remoteDhPublicKey: INITIATOR.dhPublicKey, payload: HELLO });
  assert.deepEqual(initiator.readResponse(responder.writeResponse(PSK, WELCOME), PSK), WELCOME);
  assertKeysMeet(initiator.sessionKeys(), responder.sessionKeys());
});

test("a message is as much longer than its payload as the specification draws it", () => {
  const { responder, initiation } = begin();
  assert.equal(initiation.length, 32 + 48 + HELLO.length + 16);
  responder.readInitiation(initiation);
  assert.equal(responder.writeResponse(PSK, WELCOME).length, 32 + WELCOME.length + 16);
});

test("who holds another pre-shared key cannot finish, and the right response still can", () => {
  const { initiator, responder, initiation } = begin();
  responder.readInitiation(initiation);
  const response = responder.writeResponse(PSK, WELCOME);
  assert.equal(initiator.readResponse(response, withBitFlipped(PSK, 0)), undefined);
  assert.equal(initiator.readResponse(response, new Uint8Array(32)), undefined);
  assert.throws(() => initiator.sessionKeys(), AssertionError);
  assert.deepEqual(initiator.readResponse(response, PSK), WELCOME);
});

test("another prologue is another protocol", () => {
  const { initiation } = begin();
  const other = new NoiseResponder(RESPONDER, new SeededRandom(1), new TextEncoder().encode("tunnel v2"));
  assert.equal(other.readInitiation(initiation), undefined);
});

test("an initiation for another peer is not readable", () => {
  const { initiation } = begin();
  assert.equal(new NoiseResponder(keysOf(counting(32, 7)), new SeededRandom(1)).readInitiation(initiation), undefined);
});

test("an initiation altered or cut anywhere is refused, and the true one is still read", () => {
  const { responder, initiation } = begin();
  for (let byte = 0; byte < initiation.length; byte++) {
    // The top bit of an X25519 key is ignored by the curve; the hash of the handshake holds it.
    assert.equal(responder.readInitiation(withBitFlipped(initiation, byte * 8 + 7)), undefined, `byte ${byte}`);
  }
  for (let length = 0; length < initiation.length; length += 7) {
    assert.equal(responder.readInitiation(initiation.subarray(0, length)), undefined, `${length} bytes`);
  }
  assert.deepEqual(responder.readInitiation(initiation)?.payload, HELLO);
});

test("a response altered or cut anywhere is refused, and the true one is still read", () => {
  const { initiator, responder, initiation } = begin();
  responder.readInitiation(initiation);
  const response = responder.writeResponse(PSK, WELCOME);
  for (let byte = 0; byte < response.length; byte++) {
    assert.equal(initiator.readResponse(withBitFlipped(response, byte * 8 + 7), PSK), undefined, `byte ${byte}`);
  }
  for (let length = 0; length < response.length; length += 7) {
    assert.equal(initiator.readResponse(response.subarray(0, length), PSK), undefined, `${length} bytes`);
  }
  assert.deepEqual(initiator.readResponse(response, PSK), WELCOME);
  assertKeysMeet(initiator.sessionKeys(), responder.sessionKeys());
});

test("a key of small order in place of an ephemeral key is refused without a throw", () => {
  const { initiator, responder, initiation } = begin();
  for (const point of SMALL_ORDER_X25519) {
    const altered = initiation.slice();
    altered.set(point);
    assert.equal(responder.readInitiation(altered), undefined);
    assert.equal(initiator.readResponse(new Uint8Array([...point, ...new Uint8Array(80)]), PSK), undefined);
  }
});

test("an initiator whose static key is of small order is refused though its message is authentic", () => {
  for (const point of SMALL_ORDER_X25519) {
    // The attacker seals the weak key by the book and knows every secret but the responder's: "ss" would be zeros.
    const weak: StaticKeys = { dhPublicKey: point, dhPrivateKey: counting(32, 9) };
    const message = new NoiseInitiator(weak, RESPONDER.dhPublicKey, new SeededRandom(3)).writeInitiation(HELLO);
    assert.equal(new NoiseResponder(RESPONDER, new SeededRandom(4)).readInitiation(message), undefined);
  }
});

test("bytes of any content and length are read without a throw", () => {
  const { initiator, responder } = begin();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (message) => {
      assert.equal(responder.readInitiation(message), undefined);
      assert.equal(initiator.readResponse(message, PSK), undefined);
    }),
    { numRuns: 100 },
  );
});

test("the same initiation read twice gives the same sender, so that a copy on the way does no harm", () => {
  const { initiator, responder, initiation } = begin();
  assert.deepEqual(responder.readInitiation(initiation), responder.readInitiation(initiation));
  assert.deepEqual(initiator.readResponse(responder.writeResponse(PSK, WELCOME), PSK), WELCOME);
});

test("nothing that is handed out is part of the state", () => {
  const { initiator, responder, initiation } = begin();
  const copy = initiation.slice();
  const opened = responder.readInitiation(copy);
  copy.fill(0);
  opened?.remoteDhPublicKey.fill(0);
  opened?.payload.fill(0);
  assert.deepEqual(initiator.readResponse(responder.writeResponse(PSK, WELCOME), PSK), WELCOME);
});

test("calls out of turn are our own fault, said at once", () => {
  const { initiator, responder, initiation } = begin();
  assert.throws(() => initiator.writeInitiation(HELLO), AssertionError);
  assert.throws(() => initiator.sessionKeys(), AssertionError);
  assert.throws(() => responder.writeResponse(PSK, WELCOME), AssertionError);
  responder.readInitiation(initiation);
  assert.throws(() => responder.sessionKeys(), AssertionError);
  responder.writeResponse(PSK, WELCOME);
  assert.throws(() => responder.writeResponse(PSK, WELCOME), AssertionError);
});
