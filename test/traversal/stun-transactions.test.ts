// Questions to STUN servers: sent again on schedule, answered by the right one alone, given up in the end.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSocketAddress } from "../../src/base/address.ts";
import { STUN_REQUESTS_MAX, STUN_RTO_MAX_MS } from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import { Transmit } from "../../src/base/transmit.ts";
import { type StunQuestion, type StunTransaction, StunTransactions } from "../../src/traversal/stun-transactions.ts";
import { encodeStun, type StunMessage } from "../../src/wire/stun.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const server = parseSocketAddress("192.0.2.1:3478")!;
const otherPort = { ...server, port: 3479 };
const other = { ...otherPort, host: "192.0.2.2" };
const mapped = parseSocketAddress("203.0.113.1:1000")!;
const out = new Transmit();

function ask(question: Partial<StunQuestion> = {}, requestsMax = STUN_REQUESTS_MAX) {
  const transactions = new StunTransactions(new RouteTable(), new SeededRandom(1));
  const asked = transactions.ask(0, { to: server, carrier: 3, ...question }, { requestsMax });
  assert.equal(transactions.pollTransmit(0, out), true);
  const answer = (fields: Partial<StunMessage> = {}, from = server, carrier = 3, nowMs = 40) =>
    transactions.handlePacket(nowMs, from, answerTo(asked, fields), carrier);
  return { transactions, asked, answer };
}

const answerTo = ({ transactionId }: StunTransaction, fields: Partial<StunMessage>): Uint8Array =>
  encodeStun({ class: "success", transactionId, xorMappedAddress: mapped, fingerprint: false, ...fields });

test("a question without an answer is sent Rc times, at intervals that double up to a bound, and is silent then", () => {
  const { transactions, asked } = ask();
  const sentAtMs = [0];
  let nowMs = 0;
  while (asked.state === "waiting") {
    nowMs = transactions.pollTimeout();
    transactions.handleTimeout(nowMs);
    if (transactions.pollTransmit(nowMs, out)) sentAtMs.push(nowMs);
  }
  assert.deepEqual(sentAtMs, [0, 500, 1_500, 2_500, 3_500, 4_500, 5_500]);
  assert.equal(sentAtMs.length, STUN_REQUESTS_MAX);
  assert.equal(nowMs, 5_500 + STUN_RTO_MAX_MS);
  assert.equal(asked.state, "silent");
  assert.equal(transactions.pollTimeout(), Number.POSITIVE_INFINITY);
});

test("an early timeout changes nothing", () => {
  const { transactions, asked } = ask();
  transactions.handleTimeout(499);
  assert.equal(transactions.pollTransmit(499, out), false);
  assert.deepEqual([asked.state, transactions.pollTimeout()], ["waiting", 500]);
});

test("an answer tells where the socket is seen, and the round trip", () => {
  const { asked, answer } = ask();
  assert.equal(answer({ otherAddress: other, responseOrigin: server }), undefined);
  assert.deepEqual([asked.state, asked.mapped, asked.other, asked.rttMs], ["answered", mapped, other, 40]);
});

test("the round trip of a question that was sent twice is not known", () => {
  const { transactions, asked, answer } = ask();
  transactions.handleTimeout(500);
  transactions.pollTransmit(500, out);
  answer({}, server, 3, 510);
  assert.deepEqual([asked.state, asked.rttMs], ["answered", undefined]);
});

test("an answer from elsewhere, at another socket, or with another transaction id is none", () => {
  const { transactions, asked, answer } = ask();
  answer({}, otherPort);
  answer({}, other);
  answer({}, server, 4);
  answer({ transactionId: new Uint8Array(12) });
  answer({ class: "indication" });
  answer({ xorMappedAddress: undefined });
  assert.equal(asked.state, "waiting");
  assert.equal(transactions.pollTimeout(), 500);
});

test("a request, and what answers nobody's question, is handed back", () => {
  const { asked, answer } = ask();
  assert.equal(answer({ class: "request" })?.class, "request");
  assert.equal(answer({ transactionId: new Uint8Array(12).fill(9) })?.class, "success");
  assert.equal(asked.state, "waiting");
});

test("an error is a refusal", () => {
  const { asked, answer } = ask();
  answer({ class: "error", errorCode: { code: 420, reason: "" }, xorMappedAddress: undefined });
  assert.equal(asked.state, "refused");
});

test("what was to come from elsewhere counts only from just there", () => {
  const change = (changeAddress: boolean, changePort: boolean) => ({ changeRequest: { changeAddress, changePort } });
  for (const [question, from, state] of [
    [change(true, true), other, "answered"],
    [change(true, true), otherPort, "waiting"],
    [change(false, true), otherPort, "answered"],
    [change(false, true), other, "waiting"],
    [change(false, true), server, "refused"],
  ] as const) {
    const { asked, answer } = ask(question);
    answer({}, from);
    assert.equal(asked.state, state);
  }
});

test("an answer that was to go to another socket counts only there, and at the asking one it is a refusal", () => {
  const question = { answerCarrier: 5, responsePort: 1234 };
  const there = ask(question);
  there.answer({}, server, 5);
  assert.equal(there.asked.state, "answered");
  const here = ask(question);
  here.answer({}, server, 3);
  assert.equal(here.asked.state, "refused");
});

test("a question that is asked once only is given up when its time is over", () => {
  const { transactions, asked } = ask({}, 1);
  transactions.handleTimeout(499);
  assert.equal(asked.state, "waiting");
  transactions.handleTimeout(500);
  assert.equal(asked.state, "silent");
});
