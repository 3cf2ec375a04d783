// STUN at the rendezvous, and answers to strangers in general.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSocketAddress, socketAddress } from "../../src/base/address.ts";
import { ANSWERS_PER_HOST_BURST, ANSWERS_WAITING_MAX } from "../../src/base/limits.ts";
import { Transmit } from "../../src/base/transmit.ts";
import { AnswerQueue } from "../../src/rendezvous/answer-queue.ts";
import { StunResponder } from "../../src/rendezvous/stun-responder.ts";
import { decodeStun, encodeStun, type StunMessage } from "../../src/wire/stun.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const client = socketAddress("198.51.100.9", 40_000)!;
const transactionId = Uint8Array.from({ length: 12 }, (_, i) => i + 1);
const sockets = ["192.0.2.1:3478", "192.0.2.1:3479", "192.0.2.2:3478", "192.0.2.2:3479"].map((text, carrier) => ({
  carrier,
  address: parseSocketAddress(text)!,
}));

function request(fields: Partial<StunMessage> = {}): Uint8Array {
  return encodeStun({ class: "request", transactionId, fingerprint: false, ...fields });
}

test("a binding request is answered with the address that it came from", () => {
  const answer = new StunResponder([]).respond(client, request(), 0);
  assert.equal(answer?.to, client);
  assert.equal(answer?.carrier, 0);
  const message = decodeStun(answer!.bytes)!;
  assert.equal(message.class, "success");
  assert.deepEqual(message.transactionId, transactionId);
  assert.deepEqual(message.xorMappedAddress, client);
  assert.equal(message.otherAddress, undefined);
  assert.equal(message.fingerprint, false);
});

test("a request with a fingerprint is answered with one", () => {
  const answer = new StunResponder([]).respond(client, request({ fingerprint: true }), 0);
  assert.equal(decodeStun(answer!.bytes)?.fingerprint, true);
});

test("an indication, an answer and noise are not answered", () => {
  const responder = new StunResponder([]);
  assert.equal(responder.respond(client, request({ class: "indication" }), 0), undefined);
  assert.equal(responder.respond(client, request({ class: "success" }), 0), undefined);
  assert.equal(responder.respond(client, new Uint8Array(20), 0), undefined);
});

test("an attribute that has to be understood and is not is refused by name", () => {
  const bytes = new Uint8Array(28);
  bytes.set(request());
  bytes[3] = 8;
  bytes.set([0x7f, 0x01, 0, 4, 1, 2, 3, 4], 20);
  const message = decodeStun(new StunResponder([]).respond(client, bytes, 0)!.bytes)!;
  assert.equal(message.class, "error");
  assert.equal(message.errorCode?.code, 420);
  assert.deepEqual(message.unknownAttributes, [0x7f01]);
});

test("a change of address or port is answered from the socket that differs in just that", () => {
  const responder = new StunResponder(sockets);
  const from = (changeAddress: boolean, changePort: boolean, carrier: number) =>
    responder.respond(client, request({ changeRequest: { changeAddress, changePort } }), carrier)?.carrier;
  assert.equal(from(false, false, 0), 0);
  assert.equal(from(false, true, 0), 1);
  assert.equal(from(true, false, 0), 2);
  assert.equal(from(true, true, 0), 3);
  assert.equal(from(true, true, 1), 2);
});

test("an answer names the socket that it comes from, and the one that differs in both", () => {
  const answer = new StunResponder(sockets).respond(
    client,
    request({ changeRequest: { changeAddress: false, changePort: true } }),
    0,
  );
  const message = decodeStun(answer!.bytes)!;
  assert.deepEqual(message.responseOrigin, sockets[1]?.address);
  assert.deepEqual(message.otherAddress, sockets[3]?.address);
});

test("a server without a second address refuses to change it, and says so", () => {
  const responder = new StunResponder(sockets.slice(0, 2));
  const answer = responder.respond(client, request({ changeRequest: { changeAddress: true, changePort: false } }), 0);
  assert.equal(decodeStun(answer!.bytes)?.errorCode?.code, 420);
  const plain = decodeStun(responder.respond(client, request(), 0)!.bytes);
  assert.deepEqual(plain?.otherAddress, sockets[1]?.address);
});

test("a socket of both families is two, and each family has an alternate of its own", () => {
  const places = ["192.0.2.1:3478", "[2001:db8::1]:3478", "192.0.2.1:3479", "[2001:db8::1]:3479"];
  const dual = places.map((text, i) => ({ carrier: i >> 1, address: parseSocketAddress(text)! }));
  const responder = new StunResponder(dual);
  for (const [host, family] of [
    ["198.51.100.9", 0],
    ["2001:db8::9", 1],
  ] as const) {
    const answer = responder.respond(socketAddress(host, 5000)!, request(), 1);
    assert.deepEqual(decodeStun(answer!.bytes)?.responseOrigin, dual[2 + family]?.address);
    assert.deepEqual(decodeStun(answer!.bytes)?.otherAddress, dual[family]?.address);
  }
  const alone = new StunResponder(dual.slice(0, 3)).respond(socketAddress("2001:db8::9", 5000)!, request(), 0);
  assert.equal(decodeStun(alone!.bytes)?.responseOrigin, undefined);
});

test("over TCP nothing is answered by another way than it came", () => {
  const responder = new StunResponder(sockets);
  const plain = responder.respond(client, request(), 1, "tcp");
  assert.equal(plain?.carrier, 1);
  assert.deepEqual(decodeStun(plain!.bytes)?.otherAddress, sockets[2]?.address);
  for (const fields of [{ responsePort: 777 }, { changeRequest: { changeAddress: false, changePort: true } }]) {
    const answer = responder.respond(client, request(fields), 0, "tcp");
    assert.equal(answer?.carrier, 0);
    assert.equal(answer?.to, client);
    assert.equal(decodeStun(answer!.bytes)?.errorCode?.code, 420);
  }
});

test("an answer goes to the port that was asked for, at the host that asked", () => {
  const answer = new StunResponder(sockets).respond(client, request({ responsePort: 777 }), 0);
  assert.deepEqual(answer?.to, { ...client, port: 777 });
  assert.deepEqual(decodeStun(answer!.bytes)?.xorMappedAddress, client);
});

test("a padded request has an answer of its own length, which is never sent to another port", () => {
  const responder = new StunResponder(sockets);
  for (const paddingBytes of [40, 996, 997, 1448]) {
    const padded = request({ paddingBytes, fingerprint: paddingBytes === 996 });
    assert.equal(responder.respond(client, padded, 0)?.bytes.length, padded.length);
  }
  const short = responder.respond(client, request({ paddingBytes: 0 }), 0);
  assert.equal(short?.bytes.length, responder.respond(client, request(), 0)?.bytes.length);
  const both = responder.respond(client, request({ paddingBytes: 1000, responsePort: 777 }), 0);
  assert.equal(both?.to, client);
  assert.equal(decodeStun(both!.bytes)?.errorCode?.code, 400);
});

test("a host that asks too often gets no more answers, and the queue of answers is bounded", () => {
  const queue = new AnswerQueue(new SeededRandom(1));
  let admitted = 0;
  for (let i = 0; i < 1000; i++) if (queue.admits(0, client)) admitted++;
  assert.equal(admitted, ANSWERS_PER_HOST_BURST);
  admitted = 0;
  for (let i = 0; i < ANSWERS_WAITING_MAX * 2; i++) {
    const from = socketAddress(`10.1.${i >> 8}.${i & 255}`, 1000)!;
    if (!queue.admits(0, from)) continue;
    queue.push(0, from, new Uint8Array(1));
    admitted++;
  }
  assert.ok(admitted <= ANSWERS_WAITING_MAX);
});

test("answers leave in their order, each by its own socket", () => {
  const queue = new AnswerQueue(new SeededRandom(1));
  queue.push(1, client, Uint8Array.of(1));
  queue.push(0, client, Uint8Array.of(2));
  const out = new Transmit();
  for (const carrier of [1, 0]) {
    assert.equal(queue.pollTransmit(out), true);
    assert.equal(out.route?.carrier, carrier);
    assert.equal(out.route?.remote, client);
    assert.deepEqual(out.buffer.slice(0, out.lengthBytes), Uint8Array.of(2 - carrier));
  }
  assert.equal(queue.pollTransmit(out), false);
});
