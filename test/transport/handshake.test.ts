// The handshake between two endpoints whose datagrams lie in the test's hands: who is answered, who meets silence, and what
// repeating, delaying and forging packets can do.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HALF_OPEN_LIFE_MS, HALF_OPEN_MAX, HANDSHAKE_RETRY_MS } from "../../src/base/limits.ts";
import { randomBytes } from "../../src/base/random.ts";
import { mac1KeyOf, writeMac1 } from "../../src/crypto/handshake-mac.ts";
import { NoiseInitiator } from "../../src/crypto/noise.ts";
import { NO_SECRET_TAG } from "../../src/transport/endpoint.ts";
import { relayPrefix } from "../../src/wire/datagram.ts";
import { assembleInitiation, encodeInitiationPayload } from "../../src/wire/handshake-packet.ts";
import { defaultTransportParameters } from "../../src/wire/transport-parameters.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { addressOf, give, Tap, type TappedDatagram, take } from "./datagram-tap.ts";
import { EndpointMachine } from "./endpoint-machine.ts";

const PSK = new Uint8Array(32).fill(9);
const elsewhere = addressOf("203.0.113.7");

function pair(psk?: Uint8Array): Tap {
  const random = new SeededRandom(7);
  return new Tap(new EndpointMachine(random.fork("a"), {}, psk), new EndpointMachine(random.fork("b"), {}, psk));
}

/** A new endpoint's initiation towards `tap.b`. */
function initiation(tap: Tap, label: string, psk?: Uint8Array): { machine: EndpointMachine; sent: TappedDatagram[] } {
  const machine = new EndpointMachine(new SeededRandom(11).fork(label), {}, psk);
  machine.connect(tap.nowMs, tap.b.identity, tap.addressB, psk);
  return { machine, sent: take(machine, tap.nowMs) };
}

function flipped(datagrams: readonly TappedDatagram[], at: number): TappedDatagram[] {
  return datagrams.map(({ route, bytes }) => {
    const copy = bytes.slice();
    const index = at < 0 ? copy.length + at : at;
    copy[index] = (copy[index] as number) ^ 1;
    return { route, bytes: copy };
  });
}

test("one round trip connects both sides under the same handshake hash", () => {
  const tap = pair(PSK);
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB, PSK);
  tap.settle();
  const accepted = tap.b.accepted[0] ?? assert.fail();
  assert.equal(connection.state, "connected");
  assert.deepEqual(accepted.handshakeHash, connection.handshakeHash);
  assert.deepEqual(accepted.remoteIdentity, tap.a.identity.publicKey);
  assert.deepEqual(accepted.remoteInstance, tap.a.endpoint.instance);
  assert.deepEqual(connection.remoteInstance, tap.b.endpoint.instance);
  assert.equal(tap.a.count("connected") + tap.b.count("connected"), 2);
});

test("the response is no longer than the initiation", () => {
  const tap = pair();
  tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  const first = take(tap.a, tap.nowMs);
  give(tap.b, tap.nowMs, tap.addressA, first);
  const answer = take(tap.b, tap.nowMs);
  assert.equal(answer.length, 1);
  assert.ok((answer[0]?.bytes.length as number) <= (first[0]?.bytes.length as number));
});

test("an initiator without a route is carried by somebody else, and retransmits once it has a route", () => {
  const tap = pair();
  const connection = tap.a.connectOver(tap.nowMs, tap.b.identity, undefined);
  assert.deepEqual(take(tap.a, tap.nowMs), []);
  const packet = connection.handshakePacket(tap.nowMs) ?? assert.fail();
  // The one who carries it is slow: the time for a retransmission comes and goes.
  tap.pass(HANDSHAKE_RETRY_MS * 4);
  assert.equal(connection.state, "handshaking");
  connection.addHandshakeRoute(tap.a.routes.direct(tap.addressB));
  tap.pass(4_000);
  assert.equal(connection.state, "connected");
  // The carried copy arrives late and changes nothing.
  tap.b.handleDatagram(tap.nowMs, tap.addressA, packet);
  tap.settle();
  assert.equal(tap.b.accepted.length, 1);
});

test("an initiation that was carried is answered over the relay, and the connection begins there", () => {
  const tap = pair();
  const connection = tap.a.connectOver(tap.nowMs, tap.b.identity, undefined);
  const packet = connection.handshakePacket(tap.nowMs) ?? assert.fail();
  const relay = tap.b.routes.relay(elsewhere, relayPrefix(new Uint8Array(8).fill(3)));
  tap.b.endpoint.handlePacket(tap.nowMs, relay, packet, 0, packet.length);
  const [answer] = take(tap.b, tap.nowMs);
  assert.equal(answer?.route, relay);
  tap.a.handleDatagram(tap.nowMs, elsewhere, answer?.bytes ?? assert.fail());
  assert.equal(connection.state, "connected");
  assert.equal(connection.activePath?.via, "relay");
});

test("a lost response is sent again, the same, without another handshake", () => {
  const tap = pair();
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  const lost = take(tap.b, tap.nowMs);
  tap.nowMs = tap.a.pollTimeout();
  tap.a.handleTimeout(tap.nowMs);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  const second = take(tap.b, tap.nowMs);
  assert.deepEqual(second[0]?.bytes, lost[0]?.bytes);
  assert.equal(tap.b.endpoint.connectionCount, 1);
  give(tap.a, tap.nowMs, tap.addressB, second);
  tap.settle();
  assert.equal(connection.state, "connected");
  assert.equal(tap.b.accepted.length, 1);
});

test("a responder that is asked again waits as long again for the first packet", () => {
  const tap = pair();
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  // For fifteen seconds no response arrives, and then one does.
  let response: TappedDatagram[] = [];
  while (tap.nowMs < 16_000) {
    give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
    const sent = take(tap.b, tap.nowMs);
    if (sent.length > 0) response = sent;
    tap.nowMs = Math.min(tap.a.pollTimeout(), tap.b.pollTimeout());
    tap.a.handleTimeout(tap.nowMs);
    tap.b.handleTimeout(tap.nowMs);
  }
  assert.equal(tap.b.endpoint.connectionCount, 1, "one handshake");
  give(tap.a, tap.nowMs, tap.addressB, response);
  tap.pass(1_000);
  assert.equal(connection.state, "connected");
  assert.equal(tap.b.accepted.length, 1);
});

test("an initiator whom the responder never hears gives up when the responder has", () => {
  const tap = pair();
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  give(tap.a, tap.nowMs, tap.addressB, take(tap.b, tap.nowMs));
  // From now on everything is lost.
  const startMs = tap.nowMs;
  while (connection.state === "connected" && tap.nowMs < 60_000) {
    take(tap.a, tap.nowMs);
    tap.nowMs = tap.a.pollTimeout();
    tap.a.handleTimeout(tap.nowMs);
  }
  assert.equal(tap.nowMs - startMs, HALF_OPEN_LIFE_MS);
  assert.equal(connection.state, "closed");
});

test("an initiation is repeated ever more slowly for as long as nobody answers", () => {
  const tap = pair();
  tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  const times: number[] = [];
  while (tap.nowMs < 61_000) {
    if (take(tap.a, tap.nowMs).length > 0) times.push(tap.nowMs);
    tap.nowMs = tap.a.pollTimeout();
    tap.a.handleTimeout(tap.nowMs);
  }
  assert.ok(times.length >= 12 && times.length <= 20, `${times.length} in a minute`);
});

test("whatever bit of an initiation is changed, it meets silence and leaves nothing behind", () => {
  const tap = pair();
  const { sent } = initiation(tap, "stranger");
  const length = sent[0]?.bytes.length as number;
  // mac2 is zero without a cookie and is only looked at under load.
  for (let at = 1; at < length - 16; at += 7) {
    if (at === 2 || at === 3) continue;
    give(tap.b, tap.nowMs, tap.addressA, flipped(sent, at));
    assert.deepEqual(take(tap.b, tap.nowMs), [], `byte ${at}`);
  }
  assert.equal(tap.b.endpoint.connectionCount, 0);
  assert.ok(tap.b.endpoint.refused.mac1 > 0);
});

test("whoever is not admitted meets silence", () => {
  const tap = pair();
  tap.b.admit = () => undefined;
  give(tap.b, tap.nowMs, tap.addressA, initiation(tap, "stranger").sent);
  assert.deepEqual(take(tap.b, tap.nowMs), []);
  assert.equal(tap.b.endpoint.refused.notAdmitted, 1);
  assert.equal(tap.b.endpoint.connectionCount, 0);
});

test("who asks is told with identity, instance, tag and route", () => {
  const tap = pair();
  const asked: unknown[] = [];
  tap.b.admit = (request) => {
    asked.push([request.identity, request.instance, request.secretTag, request.route.key]);
    return undefined;
  };
  const { machine, sent } = initiation(tap, "stranger");
  give(tap.b, tap.nowMs, tap.addressA, sent);
  assert.deepEqual(take(tap.b, tap.nowMs), []);
  const { identity, endpoint } = machine;
  assert.deepEqual(asked, [[identity.publicKey, endpoint.instance, NO_SECRET_TAG, "198.51.100.1:4000"]]);
});

test("with another pre-shared key nobody connects, and the half-open state goes without a word", () => {
  const tap = pair();
  tap.b.admit = () => ({ psk: PSK });
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  tap.pass(3_000);
  assert.equal(connection.state, "handshaking");
  connection.close(tap.nowMs, 0, "enough");
  tap.pass(HALF_OPEN_LIFE_MS + 1_000);
  assert.equal(tap.b.endpoint.connectionCount, 0);
  assert.deepEqual(
    tap.b.events.map(({ event }) => event.type),
    [],
    "a knock that led to nothing is no event",
  );
  assert.deepEqual(
    tap.a.events.map(({ event }) => event.type),
    ["closed"],
  );
});

test("an identity that is not the static key's meets silence", () => {
  const tap = pair();
  const random = new SeededRandom(3);
  const mine = seededIdentity(random);
  const noise = new NoiseInitiator(mine, tap.b.identity.dhPublicKey, random);
  const payload = encodeInitiationPayload({
    identity: seededIdentity(random).publicKey,
    instance: randomBytes(random, 8),
    secretTag: NO_SECRET_TAG,
    parameters: defaultTransportParameters,
  });
  const packet = assembleInitiation(77, noise.writeInitiation(payload));
  writeMac1(mac1KeyOf(tap.b.identity.dhPublicKey), packet, 0, packet.length);
  tap.b.handleDatagram(tap.nowMs, tap.addressA, packet);
  assert.deepEqual(take(tap.b, tap.nowMs), []);
  assert.equal(tap.b.endpoint.refused.unreadable, 1);
});

test("an initiation that is replayed never disturbs a live connection", () => {
  const tap = pair();
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  const first = take(tap.a, tap.nowMs);
  give(tap.b, tap.nowMs, tap.addressA, first);
  tap.settle();
  tap.pass(60_000);
  for (let i = 0; i < 50; i++) {
    give(tap.b, tap.nowMs, elsewhere, first);
    take(tap.b, tap.nowMs);
    tap.pass(1_000);
  }
  assert.equal(connection.state, "connected");
  assert.equal(tap.b.count("closed"), 0);
  const record = tap.a.open(tap.nowMs, connection);
  tap.a.send(tap.nowMs, record, 5_000);
  tap.pass(100);
  assert.equal([...tap.b.records.values()][0]?.received, 5_000);
  tap.pass(HALF_OPEN_LIFE_MS + 1);
  assert.equal(tap.b.endpoint.connectionCount, 1);
});

test("half-open handshakes are bounded, the oldest go first, and nothing of them stays", () => {
  const tap = pair();
  const stranger = new EndpointMachine(new SeededRandom(11).fork("stranger"));
  for (let i = 0; i < HALF_OPEN_MAX + 40; i++) {
    tap.nowMs += 20;
    const connection = stranger.connect(tap.nowMs, tap.b.identity, tap.addressB);
    give(tap.b, tap.nowMs, addressOf("203.0.113.9", 1000 + i), take(stranger, tap.nowMs));
    connection.close(tap.nowMs, 0, "that was all");
    take(tap.b, tap.nowMs);
  }
  assert.ok(tap.b.endpoint.connectionCount <= HALF_OPEN_MAX, `${tap.b.endpoint.connectionCount} half-open`);
  tap.pass(HALF_OPEN_LIFE_MS);
  assert.equal(tap.b.endpoint.connectionCount, 0);
  assert.equal(tap.b.pollTimeout(), Number.POSITIVE_INFINITY);
});

test("a newer connection of the same direction between the same instances replaces the older, once confirmed", () => {
  const tap = pair();
  const older = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  tap.settle();
  const other = tap.b.connect(tap.nowMs, tap.a.identity, tap.addressA);
  tap.settle();
  const newer = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  const sent = take(tap.a, tap.nowMs);
  give(tap.b, tap.nowMs, tap.addressA, sent);
  assert.equal(older.state, "connected", "a knock alone replaces nothing");
  tap.settle();
  tap.pass(2_000);
  assert.equal(newer.state, "connected");
  assert.equal(older.state, "closed");
  assert.equal(other.state, "connected", "the other direction is another connection");
  assert.equal(tap.b.endpoint.connectionCount, 2);
});

test("a data packet that confirms the handshake from a strange address opens no path there unasked", () => {
  const tap = pair();
  tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  give(tap.a, tap.nowMs, tap.addressB, take(tap.b, tap.nowMs));
  // Somebody on the way forges the source of the first packet.
  const confirming = take(tap.a, tap.nowMs);
  give(tap.b, tap.nowMs, elsewhere, confirming);
  const asked = take(tap.b, tap.nowMs);
  const accepted = tap.b.accepted[0] ?? assert.fail();
  const record = tap.b.open(tap.nowMs, accepted);
  tap.b.send(tap.nowMs, record, 100_000);
  const victim = tap.b.routes.direct(elsewhere);
  const received = confirming.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const aimed = [...asked, ...take(tap.b, tap.nowMs)].filter(({ route }) => route === victim);
  const bytes = aimed.reduce((sum, datagram) => sum + datagram.bytes.length, 0);
  assert.ok(bytes <= 3 * received + 1200, `${bytes} bytes for ${received}`);
});

test("a response that is forwarded from a strange address aims nothing there", () => {
  const tap = pair();
  const connection = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  give(tap.a, tap.nowMs, elsewhere, take(tap.b, tap.nowMs));
  assert.equal(connection.state, "connected");
  const record = tap.a.open(tap.nowMs, connection);
  tap.a.send(tap.nowMs, record, 100_000);
  const victim = tap.a.routes.direct(elsewhere);
  const aimed = take(tap.a, tap.nowMs).filter(({ route }) => route === victim);
  assert.ok(aimed.reduce((sum, { bytes }) => sum + bytes.length, 0) <= 1200);
});

test("no bytes make an endpoint throw, and none make it speak", () => {
  const tap = pair();
  tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  const first = take(tap.a, tap.nowMs);
  const kinds = fc.constantFrom(0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0x00);
  const route = tap.a.routes.direct(elsewhere);
  fc.assert(
    fc.property(kinds, fc.uint8Array({ maxLength: 400 }), fc.boolean(), (kind, bytes, rightSession) => {
      const packet = Uint8Array.from([kind, ...bytes]);
      // The sender's session of the initiation is the number that answers are addressed to.
      if (rightSession && packet.length > 12) packet.set(first[0]?.bytes.subarray(4, 8) ?? [], kind === 0xc2 ? 8 : 4);
      tap.a.endpoint.handlePacket(tap.nowMs, route, packet, 0, packet.length);
      assert.deepEqual(take(tap.a, tap.nowMs), []);
    }),
    { numRuns: 500 },
  );
});
