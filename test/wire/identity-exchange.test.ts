// The question for a rendezvous's key and the answer, in hex.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { packetLength } from "../../src/wire/datagram.ts";
import {
  decodeIdentityReply,
  decodeIdentityRequest,
  encodeIdentityReply,
  encodeIdentityRequest,
} from "../../src/wire/identity-exchange.ts";
import { bytesOf, counting, hex, mutated } from "./arbitrary.ts";

test("an identity request is header, nonce and zeros", () => {
  const packet = encodeIdentityRequest(counting(1, 8));
  assert.equal(hex(packet), `c600002c0102030405060708${"00".repeat(32)}`);
  assert.equal(packetLength(packet, 0, packet.length), packet.length);
});

test("an identity reply is header, nonce and key, and no longer than the request", () => {
  const packet = encodeIdentityReply({ nonce: counting(1, 8), publicKey: counting(0x10, 32) });
  const key = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";
  assert.equal(hex(packet), `c700002c0102030405060708${key}`);
  assert.equal(packetLength(packet, 0, packet.length), packet.length);
  assert.equal(packet.length, encodeIdentityRequest(counting(1, 8)).length);
});

test("request and reply are read back, and neither is taken for the other", () => {
  fc.assert(
    fc.property(bytesOf(8), bytesOf(32), (nonce, publicKey) => {
      const request = encodeIdentityRequest(nonce);
      const reply = encodeIdentityReply({ nonce, publicKey });
      assert.deepEqual(decodeIdentityRequest(request), nonce);
      assert.deepEqual(decodeIdentityReply(reply), { nonce, publicKey });
      assert.equal(decodeIdentityRequest(reply), undefined);
      assert.equal(decodeIdentityReply(request), undefined);
    }),
  );
});

test("no bytes make a decoder throw, and another length is refused", () => {
  fc.assert(
    fc.property(mutated(bytesOf(8).map(encodeIdentityRequest)), (bytes) => {
      const request = decodeIdentityRequest(bytes);
      assert.equal(decodeIdentityReply(bytes) !== undefined && request !== undefined, false);
      if (request !== undefined) assert.equal(bytes.length, 44);
    }),
  );
  assert.equal(decodeIdentityRequest(encodeIdentityRequest(counting(1, 8)).subarray(0, 43)), undefined);
});
