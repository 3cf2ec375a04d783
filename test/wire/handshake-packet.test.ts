// The packets of the handshake in hex, their payloads, and the fields that are found in them again.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { packetLength, readSession } from "../../src/wire/datagram.ts";
import {
  assembleInitiation,
  assembleResponse,
  cookieReplyBox,
  cookieReplyNonce,
  decodeInitiationPayload,
  decodeResponsePayload,
  encodeCookieReply,
  encodeInitiationPayload,
  encodeResponsePayload,
  INITIATION_PAYLOAD_BYTES,
  type InitiationPayload,
  initiationNoiseMessage,
  mac1Offset,
  mac2Offset,
  RESPONSE_PAYLOAD_BYTES,
  type ResponsePayload,
  responseNoiseMessage,
  responseReceiverSession,
} from "../../src/wire/handshake-packet.ts";
import type { TransportParameters } from "../../src/wire/transport-parameters.ts";
import { bytesOf, counting, hex, mutated, record, uint32, varintValue } from "./arbitrary.ts";

const someParameters: TransportParameters = {
  maxDataBytes: 1,
  maxStreamDataBytes: 2,
  maxStreams: 3,
  idleTimeoutMs: 4,
  maxDatagramBytes: 1200,
};
const someParametersHex = "010101" + "020102" + "030103" + "040104" + "050244b0";

const parameters: fc.Arbitrary<TransportParameters> = record({
  maxDataBytes: varintValue,
  maxStreamDataBytes: varintValue,
  maxStreams: varintValue,
  idleTimeoutMs: varintValue,
  maxDatagramBytes: varintValue.map((value) => Math.max(value, 1200)),
});
const initiationPayload: fc.Arbitrary<InitiationPayload> = record({
  identity: bytesOf(32),
  instance: bytesOf(8),
  secretTag: bytesOf(16),
  parameters,
});
const responsePayload: fc.Arbitrary<ResponsePayload> = record({ instance: bytesOf(8), parameters });

/** Noise messages of the least size: payload 128 or 168, the tags, the keys. */
const initiationNoise = counting(1, 32 + 48 + INITIATION_PAYLOAD_BYTES + 16);
const responseNoise = counting(1, 32 + RESPONSE_PAYLOAD_BYTES + 16);

test("the payload of an initiation is version, identity, instance, secret tag, parameters, padded to 128 bytes", () => {
  const bytes = encodeInitiationPayload({
    identity: counting(0x10, 32),
    instance: counting(0x40, 8),
    secretTag: counting(0x50, 16),
    parameters: someParameters,
  });
  const identity = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";
  const expected = `01${identity}4041424344454647505152535455565758595a5b5c5d5e5f${someParametersHex}`;
  assert.equal(hex(bytes), expected.padEnd(2 * 128, "0"));
});

test("the payload of a response is version, instance, parameters, padded to 168 bytes", () => {
  const bytes = encodeResponsePayload({ instance: counting(0x40, 8), parameters: someParameters });
  assert.equal(hex(bytes), `014041424344454647${someParametersHex}`.padEnd(2 * 168, "0"));
});

test("a response is never longer than the initiation that it answers", () => {
  const initiation = assembleInitiation(1, initiationNoise);
  assert.ok(assembleResponse(1, 2, responseNoise).length <= initiation.length);
});

test("payloads are read back as they were written, with the largest parameters too", () => {
  fc.assert(
    fc.property(initiationPayload, responsePayload, (initiation, response) => {
      assert.deepEqual(decodeInitiationPayload(encodeInitiationPayload(initiation)), initiation);
      assert.deepEqual(decodeResponsePayload(encodeResponsePayload(response)), response);
    }),
  );
});

test("a payload of another version is refused", () => {
  const initiation = encodeInitiationPayload({
    identity: counting(0, 32),
    instance: counting(0, 8),
    secretTag: counting(0, 16),
    parameters: someParameters,
  });
  const response = encodeResponsePayload({ instance: counting(0, 8), parameters: someParameters });
  initiation[0] = 2;
  response[0] = 0;
  assert.equal(decodeInitiationPayload(initiation), undefined);
  assert.equal(decodeResponsePayload(response), undefined);
});

test("no bytes make a payload's decoder throw", () => {
  fc.assert(
    fc.property(
      mutated(initiationPayload.map(encodeInitiationPayload)),
      mutated(responsePayload.map(encodeResponsePayload)),
      (initiation, response) => {
        for (const bytes of [initiation, response]) {
          decodeInitiationPayload(bytes);
          decodeResponsePayload(bytes);
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test("an initiation is header, session, Noise message and two empty MACs", () => {
  const packet = assembleInitiation(0xf102_0304, initiationNoise);
  assert.equal(hex(packet), `c1000108f1020304${hex(initiationNoise)}${"00".repeat(32)}`);
  assert.equal(packet.length, 264);
  assert.equal(packetLength(packet, 0, packet.length), 264);
  assert.equal(readSession(packet, 0), 0xf102_0304);
  assert.deepEqual(initiationNoiseMessage(packet), initiationNoise);
  assert.deepEqual([mac1Offset(packet), mac2Offset(packet)], [232, 248]);
});

test("a response is header, both sessions, Noise message and two empty MACs", () => {
  const packet = assembleResponse(0xf102_0304, 0xf506_0708, responseNoise);
  assert.equal(hex(packet), `c2000104f1020304f5060708${hex(responseNoise)}${"00".repeat(32)}`);
  assert.equal(packet.length, 260);
  assert.equal(packetLength(packet, 0, packet.length), 260);
  assert.equal(readSession(packet, 0), 0xf102_0304);
  assert.equal(responseReceiverSession(packet), 0xf506_0708);
  assert.deepEqual(responseNoiseMessage(packet), responseNoise);
  assert.deepEqual([mac1Offset(packet), mac2Offset(packet)], [228, 244]);
});

test("a cookie reply is header, session, nonce, box", () => {
  const packet = encodeCookieReply(0xf102_0304, counting(0x10, 24), counting(0x40, 32));
  const nonce = "101112131415161718191a1b1c1d1e1f2021222324252627";
  const box = "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f";
  assert.equal(hex(packet), `c3000040f1020304${nonce}${box}`);
  assert.equal(packetLength(packet, 0, packet.length), 64);
  assert.equal(readSession(packet, 0), 0xf102_0304);
  assert.equal(hex(cookieReplyNonce(packet)), nonce);
  assert.equal(hex(cookieReplyBox(packet)), box);
});

test("the fields of an assembled packet are those it was made of", () => {
  fc.assert(
    fc.property(uint32, uint32, fc.nat(500), (sender, receiver, extraBytes) => {
      const noise = counting(7, responseNoise.length + extraBytes);
      const packet = assembleResponse(sender, receiver, noise);
      assert.equal(packetLength(packet, 0, packet.length), packet.length);
      assert.equal(readSession(packet, 0), sender);
      assert.equal(responseReceiverSession(packet), receiver);
      assert.deepEqual(responseNoiseMessage(packet), noise);
    }),
  );
});
