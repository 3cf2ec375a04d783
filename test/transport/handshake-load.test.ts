// A responder under load asks for a cookie first, and whoever shows one may still not knock without end.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import { HANDSHAKES_PER_TURN, INITIATION_WAIT_MS } from "../../src/base/limits.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { addressOf, give, Tap, type TappedDatagram, take } from "./datagram-tap.ts";
import { EndpointMachine } from "./endpoint-machine.ts";

const elsewhere = addressOf("203.0.113.7");

function pair(psk?: Uint8Array): Tap {
  const random = new SeededRandom(7);
  return new Tap(new EndpointMachine(random.fork("a"), {}, psk), new EndpointMachine(random.fork("b"), {}, psk));
}

/** An initiation towards `tap.b`, each time another one. */
function initiation(tap: Tap, machine: EndpointMachine): TappedDatagram[] {
  machine.connect(tap.nowMs, tap.b.identity, tap.addressB);
  return take(machine, tap.nowMs);
}

function flipped(datagrams: readonly TappedDatagram[], at: number): TappedDatagram[] {
  return datagrams.map(({ route, bytes }) => {
    const copy = bytes.slice();
    const index = at < 0 ? copy.length + at : at;
    copy[index] = (copy[index] as number) ^ 1;
    return { route, bytes: copy };
  });
}

/** Lets `count` strangers knock within a moment. */
function load(tap: Tap, count: number): void {
  const stranger = new EndpointMachine(new SeededRandom(11));
  for (let i = 0; i < count; i++) {
    give(tap.b, tap.nowMs, elsewhere, initiation(tap, stranger));
    take(tap.b, tap.nowMs);
  }
  // A few handshakes are made at a time.
  tap.pass(100);
}

test("under load an initiation is answered with a cookie, and with the cookie at once", () => {
  const tap = pair();
  load(tap, 101);
  assert.ok(tap.b.endpoint.refused.cookieAsked > 0);
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  const count = tap.b.endpoint.connectionCount;
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  const cookie = take(tap.b, tap.nowMs);
  assert.equal(cookie[0]?.bytes[0], 0xc3);
  assert.equal(tap.b.endpoint.connectionCount, count, "no work was done for it");
  give(tap.a, tap.nowMs, tap.addressB, cookie);
  tap.settle();
  assert.equal(connection.state, "connected");
});

test("a cookie is good for the address that it was sent to, and for no other", () => {
  const tap = pair();
  load(tap, 101);
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  give(tap.a, tap.nowMs, tap.addressB, take(tap.b, tap.nowMs));
  give(tap.b, tap.nowMs, elsewhere, take(tap.a, tap.nowMs));
  assert.equal(take(tap.b, tap.nowMs)[0]?.bytes[0], 0xc3);
  assert.equal(connection.state, "handshaking");
});

test("a forged cookie reply changes nothing, and cookies one after another are not answered one by one", () => {
  const tap = pair();
  load(tap, 101);
  tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  const first = take(tap.a, tap.nowMs);
  give(tap.b, tap.nowMs, tap.addressA, first);
  const cookie = take(tap.b, tap.nowMs);
  give(tap.a, tap.nowMs, tap.addressB, flipped(cookie, 40));
  assert.deepEqual(take(tap.a, tap.nowMs), []);
  // Each time the responder sees another address, as behind a NAT that maps every packet anew.
  let initiations = 0;
  let next = cookie;
  for (let i = 0; i < 50; i++) {
    give(tap.a, tap.nowMs, tap.addressB, next);
    const again = take(tap.a, tap.nowMs);
    initiations += again.length;
    give(tap.b, tap.nowMs, addressOf("203.0.113.8", 2000 + i), again.length > 0 ? again : first);
    next = take(tap.b, tap.nowMs);
  }
  assert.ok(initiations <= 3, `${initiations} initiations without any time passing`);
});

const responsesOf = (sent: readonly TappedDatagram[]): number => sent.filter(({ bytes }) => bytes[0] === 0xc2).length;

/** Knocks 200 times with a cookie, each time from the address for that. @returns how often there was an answer. */
function knockWithCookies(tap: Tap, from: (i: number) => SocketAddress): number {
  load(tap, 101);
  let answered = 0;
  const machine = new EndpointMachine(new SeededRandom(12));
  for (let i = 0; i < 200; i++) {
    give(tap.b, tap.nowMs, from(i), initiation(tap, machine));
    give(machine, tap.nowMs, tap.addressB, take(tap.b, tap.nowMs));
    give(tap.b, tap.nowMs, from(i), take(machine, tap.nowMs));
    answered += responsesOf(take(tap.b, tap.nowMs));
  }
  for (let i = 0; i < 100; i++) {
    tap.nowMs++;
    answered += responsesOf(take(tap.b, tap.nowMs));
  }
  assert.ok(answered > 0);
  return answered;
}

test("with a cookie an address may still not knock without end", () => {
  const tap = pair();
  const answered = knockWithCookies(tap, () => elsewhere);
  assert.ok(answered <= 30, `${answered} handshakes for one address in no time`);
  // Somebody else is served all the same.
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  tap.pass(100);
  assert.equal(connection.state, "connected");
});

test("all addresses of one IPv6 customer knock as one", () => {
  const answered = knockWithCookies(pair(), (i) => addressOf(`2001:db8:0:${(i % 7).toString(16)}::${i + 1}`));
  assert.ok(answered <= 30, `${answered} handshakes for one customer in no time`);
});

test("handshakes are made a few at a time, and what belongs to a connection does not wait for them", () => {
  const tap = pair();
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  tap.settle();
  tap.nowMs++;
  const stranger = new EndpointMachine(new SeededRandom(11));
  for (let i = 0; i < 40; i++) give(tap.b, tap.nowMs, elsewhere, initiation(tap, stranger));
  tap.a.send(tap.nowMs, tap.a.open(tap.nowMs, connection), 500);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  const perTurn: number[] = [];
  for (let turn = 0; turn < 12; turn++, tap.nowMs += 1) {
    perTurn.push(responsesOf(take(tap.b, tap.nowMs)));
    assert.equal([...tap.b.records.values()][0]?.received, 500);
    const wakeMs = tap.b.pollTimeout();
    if (turn < 9) assert.ok(wakeMs > tap.nowMs && wakeMs <= tap.nowMs + 1, `woken at ${wakeMs}, now ${tap.nowMs}`);
  }
  assert.deepEqual(perTurn, [...new Array<number>(10).fill(HANDSHAKES_PER_TURN), 0, 0]);
});

test("an initiation that is sent again while it waits is answered once, and one that nobody waits for not at all", () => {
  const tap = pair();
  const stranger = new EndpointMachine(new SeededRandom(11));
  for (let i = 0; i < 40; i++) give(tap.b, tap.nowMs, elsewhere, initiation(tap, stranger));
  const patient = initiation(tap, new EndpointMachine(new SeededRandom(13)));
  for (let i = 0; i < 5; i++) give(tap.b, tap.nowMs, tap.addressA, patient);
  take(tap.b, tap.nowMs);
  tap.nowMs += INITIATION_WAIT_MS;
  give(tap.b, tap.nowMs, tap.addressA, patient);
  tap.nowMs++;
  const sent = take(tap.b, tap.nowMs);
  assert.deepEqual(
    sent.map(({ route }) => route.remote),
    [tap.addressA],
  );
});
