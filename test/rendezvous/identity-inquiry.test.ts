// Asking a rendezvous for its key.

import assert from "node:assert/strict";
import { test } from "node:test";
import { socketAddress } from "../../src/base/address.ts";
import { IDENTITY_RETRY_MAX_MS, IDENTITY_RETRY_MS } from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import { Transmit } from "../../src/base/transmit.ts";
import { IdentityInquiry } from "../../src/rendezvous/identity-inquiry.ts";
import { decodeIdentityRequest, encodeIdentityReply } from "../../src/wire/identity-exchange.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const asked = socketAddress("192.0.2.1", 4700)!;
const publicKey = new Uint8Array(32).fill(9);

/** @returns the nonce of the question that goes out now. */
function nonceOf(inquiry: IdentityInquiry, nowMs: number): Uint8Array | undefined {
  const out = new Transmit();
  if (!inquiry.pollTransmit(nowMs, out)) return undefined;
  assert.equal(out.route?.remote, asked);
  return decodeIdentityRequest(out.buffer.slice(0, out.lengthBytes));
}

test("the question is repeated, less and less often, until it is answered", () => {
  const inquiry = new IdentityInquiry(new SeededRandom(1));
  inquiry.start(0, new RouteTable().direct(asked));
  const times: number[] = [];
  let nonce: Uint8Array | undefined;
  for (let nowMs = 0; nowMs < 10_000; nowMs = inquiry.pollTimeout()) {
    nonce = nonceOf(inquiry, nowMs);
    assert.ok(nonce);
    assert.equal(nonceOf(inquiry, nowMs), undefined);
    times.push(nowMs);
  }
  assert.deepEqual(times.slice(0, 3), [0, IDENTITY_RETRY_MS, 3 * IDENTITY_RETRY_MS]);
  assert.equal(times.at(-1)! - times.at(-2)!, IDENTITY_RETRY_MAX_MS);
  assert.deepEqual(inquiry.handleReply(asked, encodeIdentityReply({ nonce: nonce!, publicKey })), publicKey);
  assert.equal(inquiry.pollTimeout(), Number.POSITIVE_INFINITY);
});

test("an answer with another nonce, from elsewhere, or to no question is not believed", () => {
  const inquiry = new IdentityInquiry(new SeededRandom(1));
  inquiry.start(0, new RouteTable().direct(asked));
  const nonce = nonceOf(inquiry, 0)!;
  const reply = encodeIdentityReply({ nonce, publicKey });
  assert.equal(inquiry.handleReply(socketAddress("192.0.2.2", 4700)!, reply), undefined);
  assert.equal(inquiry.handleReply(asked, encodeIdentityReply({ nonce: new Uint8Array(8), publicKey })), undefined);
  assert.equal(inquiry.handleReply(asked, reply.subarray(0, 43)), undefined);
  assert.deepEqual(inquiry.handleReply(asked, reply), publicKey);
  assert.equal(inquiry.handleReply(asked, reply), undefined);
});
