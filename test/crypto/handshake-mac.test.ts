// mac1, mac2 and the cookies between them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import fc from "fast-check";
import { COOKIE_LIFE_MS } from "../../src/base/limits.ts";
import { blake2s } from "../../src/crypto/blake2s.ts";
import {
  CookieJar,
  checkMac1,
  checkMac2,
  mac1KeyOf,
  mac1Of,
  openCookie,
  sealCookie,
  writeMac1,
  writeMac2,
} from "../../src/crypto/handshake-mac.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { counting, toHex, withBitFlipped } from "./hex.ts";

const RECEIVER = counting(32);
const COOKIE = counting(16, 100);

/** 48 bytes of packet and both MACs, somewhere in a larger buffer. */
function packet(start: number): { bytes: Uint8Array; end: number } {
  const bytes = new Uint8Array(start + 80 + 5).fill(0xee);
  bytes.set(counting(48), start);
  return { bytes, end: start + 80 };
}

test("the MACs of a packet never change, wherever it lies", () => {
  assert.equal(toHex(mac1KeyOf(RECEIVER)), "e143d2694567d904873e9e9f96c39e52b0357dc8885b9b6cfd449f2059efaa04");
  for (const start of [0, 12]) {
    const { bytes, end } = packet(start);
    writeMac1(mac1KeyOf(RECEIVER), bytes, start, end);
    writeMac2(COOKIE, bytes, start, end);
    assert.deepEqual(bytes.subarray(start, start + 48), counting(48));
    assert.equal(toHex(bytes.subarray(start + 48, start + 64)), "3d173805793c055c3f97317195e87d35");
    assert.equal(toHex(bytes.subarray(start + 64, end)), "751136da6dd1cfe4befddc1b7dc31cd4");
    assert.deepEqual(bytes.subarray(end), new Uint8Array(5).fill(0xee));
    assert.deepEqual(mac1Of(bytes, end), bytes.subarray(start + 48, start + 64));
  }
});

test("a packet with any bit flipped has a wrong MAC", () => {
  const { bytes, end } = packet(0);
  const key = mac1KeyOf(RECEIVER);
  writeMac1(key, bytes, 0, end);
  writeMac2(COOKIE, bytes, 0, end);
  assert(checkMac1(key, bytes, 0, end) && checkMac2(COOKIE, bytes, 0, end));
  for (let bit = 0; bit < 64 * 8; bit++)
    assert(!checkMac1(key, withBitFlipped(bytes, bit), 0, end), `mac1, bit ${bit}`);
  for (let bit = 0; bit < 80 * 8; bit++)
    assert(!checkMac2(COOKIE, withBitFlipped(bytes, bit), 0, end), `mac2, bit ${bit}`);
});

test("mac1 says nothing of mac2, which is written later", () => {
  const { bytes, end } = packet(0);
  writeMac1(mac1KeyOf(RECEIVER), bytes, 0, end);
  bytes.fill(7, end - 16, end);
  assert(checkMac1(mac1KeyOf(RECEIVER), bytes, 0, end));
});

test("a MAC for one receiver or cookie is wrong for another", () => {
  const { bytes, end } = packet(0);
  writeMac1(mac1KeyOf(RECEIVER), bytes, 0, end);
  writeMac2(COOKIE, bytes, 0, end);
  assert(!checkMac1(mac1KeyOf(counting(32, 1)), bytes, 0, end));
  assert(!checkMac2(counting(16, 101), bytes, 0, end));
});

test("packets of any content and length are checked without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert(!checkMac1(RECEIVER, bytes, 0, bytes.length));
      assert(!checkMac2(COOKIE, bytes, 0, bytes.length));
    }),
  );
});

test("a route keeps its cookie for two minutes and has another one then", () => {
  const jar = new CookieJar(new SeededRandom(1));
  const first = jar.cookieFor(1000, "192.0.2.1:5000");
  assert.equal(first.length, 16);
  assert.deepEqual(jar.cookieFor(1000 + COOKIE_LIFE_MS - 1, "192.0.2.1:5000"), first);
  const second = jar.cookieFor(1000 + COOKIE_LIFE_MS, "192.0.2.1:5000");
  assert.notDeepEqual(second, first);
  assert.deepEqual(jar.cookieFor(1001 + COOKIE_LIFE_MS, "192.0.2.1:5000"), second);
});

test("every route has a cookie of its own, and every responder", () => {
  const jar = new CookieJar(new SeededRandom(1));
  const cookies = ["192.0.2.1:5000", "192.0.2.1:5001", "192.0.2.2:5000"].map((key) => toHex(jar.cookieFor(0, key)));
  cookies.push(toHex(new CookieJar(new SeededRandom(2)).cookieFor(0, "192.0.2.1:5000")));
  assert.equal(new Set(cookies).size, cookies.length);
});

test("a cookie reply is opened by whoever sent that initiation to that responder, and by nobody else", () => {
  const mac1 = counting(16, 50);
  const nonce = counting(24, 70);
  const box = sealCookie(RECEIVER, mac1, nonce, COOKIE);
  assert.equal(box.length, 32);
  assert.deepEqual(openCookie(RECEIVER, mac1, nonce, box), COOKIE);
  assert.equal(openCookie(counting(32, 1), mac1, nonce, box), undefined);
  assert.equal(openCookie(RECEIVER, counting(16, 51), nonce, box), undefined);
  assert.equal(openCookie(RECEIVER, mac1, counting(24, 71), box), undefined);
  for (let bit = 0; bit < 256; bit++)
    assert.equal(openCookie(RECEIVER, mac1, nonce, withBitFlipped(box, bit)), undefined);
});

test("the box of a cookie reply is NaCl's secretbox under the key of the specification", () => {
  const mac1 = counting(16, 50);
  const nonce = counting(24, 70);
  const key = blake2s("tunnel cookie", RECEIVER, mac1);
  assert.deepEqual(sealCookie(RECEIVER, mac1, nonce, COOKIE), xsalsa20poly1305(key, nonce).encrypt(COOKIE));
});

test("a cookie reply with a nonce or a box of another length is refused without a throw", () => {
  const box = sealCookie(RECEIVER, counting(16), counting(24), COOKIE);
  for (const length of [0, 23, 25]) assert.equal(openCookie(RECEIVER, counting(16), counting(length), box), undefined);
  for (const length of [0, 15, 31]) {
    assert.equal(openCookie(RECEIVER, counting(16), counting(24), box.subarray(0, length)), undefined);
  }
});

test("a cookie reply of any content and length is opened without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (nonce, box) => {
      assert.equal(openCookie(RECEIVER, counting(16), nonce, box), undefined);
    }),
  );
});
