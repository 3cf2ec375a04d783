// The ends of a connection: told, untold, from both sides at once, and by silence.

import assert from "node:assert/strict";
import { test } from "node:test";
import { closeCode } from "../../src/base/protocol-error.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { addressOf, give, Tap, take } from "./datagram-tap.ts";
import { EndpointMachine } from "./endpoint-machine.ts";
import { framesOf, PuppetPeer } from "./puppet-peer.ts";

const IDLE_MS = 60_000;

function connected(idleA = 600_000, idleB = 600_000): { tap: Tap; ours: ReturnType<EndpointMachine["connect"]> } {
  const random = new SeededRandom(21);
  const a = new EndpointMachine(random.fork("a"), { idleTimeoutMs: idleA });
  const b = new EndpointMachine(random.fork("b"), { idleTimeoutMs: idleB });
  const tap = new Tap(a, b);
  const ours = a.connect(tap.nowMs, b.identity, tap.addressB);
  tap.pass(1_000);
  return { tap, ours };
}

const typesOf = (machine: EndpointMachine): string[] => machine.events.map(({ event }) => event.type);

test("a close ends both sides with its code and reason, and leaves nothing behind", () => {
  const { tap, ours } = connected();
  ours.close(tap.nowMs, closeCode.goingAway, "good night");
  tap.pass(5_000);
  const closed = tap.b.events.at(-1)?.event;
  assert.deepEqual(closed, { type: "closed", code: closeCode.goingAway, reason: "good night", byPeer: true });
  assert.equal(ours.state, "closed");
  for (const machine of [tap.a, tap.b]) {
    assert.equal(machine.endpoint.connectionCount, 0);
    assert.equal(machine.pollTimeout(), Number.POSITIVE_INFINITY);
  }
});

test("streams that are open end before the connection does, once each", () => {
  const { tap, ours } = connected();
  const records = [0, 1, 2].map(() => tap.a.open(tap.nowMs, ours));
  for (const record of records) record.stream.write(tap.nowMs, new Uint8Array(10));
  tap.b.expectsPattern = false;
  tap.pass(100);
  ours.close(tap.nowMs, 0, "");
  tap.pass(5_000);
  for (const machine of [tap.a, tap.b]) {
    const types = typesOf(machine);
    assert.equal(types.filter((type) => type === "stream-reset").length, 3);
    assert.equal(types.filter((type) => type === "stream-closed").length, 3);
    assert.equal(types.at(-1), "closed");
  }
  // What is called from now on does nothing, and does it quietly.
  const stream = records[0]?.stream ?? assert.fail();
  assert.equal(stream.write(tap.nowMs, new Uint8Array(5)), true);
  stream.finish(tap.nowMs);
  stream.reset(tap.nowMs, 1);
  stream.stopSending(tap.nowMs, 1);
  ours.sendPunch(new Uint8Array(3));
  ours.ping();
  ours.close(tap.nowMs, 0, "again");
  assert.equal(ours.openStream(tap.nowMs), undefined);
  assert.equal(ours.probe(tap.nowMs, tap.a.routes.direct(tap.addressB)), false);
  assert.deepEqual(tap.settle(), { a: 0, b: 0 });
});

test("a CLOSE that is lost is sent again to a peer that says nothing", () => {
  const { tap, ours } = connected();
  ours.close(tap.nowMs, 0, "bye");
  assert.ok(take(tap.a, tap.nowMs).length > 0, "lost");
  tap.pass(5_000);
  assert.equal(tap.b.count("closed"), 1);
});

test("a peer that goes on talking is answered with the CLOSE, ever more seldom", () => {
  const puppet = new PuppetPeer();
  puppet.connection.close(puppet.nowMs, closeCode.none, "bye");
  assert.equal(framesOf(puppet.hear(), "close").length, 1);
  let answers = 0;
  for (let i = 0; i < 64; i++) answers += framesOf(puppet.send([{ type: "ping" }]), "close").length;
  assert.ok(answers >= 4 && answers <= 8, `${answers} answers to 64 packets`);
});

test("what is not authentic brings no CLOSE", () => {
  const puppet = new PuppetPeer();
  const replayed = puppet.packet([{ type: "ping" }]);
  puppet.deliver(replayed);
  puppet.connection.close(puppet.nowMs, closeCode.none, "bye");
  puppet.hear();
  const forged = puppet.packet([{ type: "ping" }]);
  forged[20] = (forged[20] as number) ^ 1;
  assert.deepEqual(puppet.deliver(forged), []);
  assert.deepEqual(puppet.deliver(replayed), []);
});

test("two sides that close at once do not answer each other's farewells", () => {
  const { tap, ours } = connected();
  const theirs = tap.b.accepted[0] ?? assert.fail();
  ours.close(tap.nowMs, 1, "a");
  theirs.close(tap.nowMs, 2, "b");
  const sent = tap.settle();
  assert.ok(sent.a <= 2 && sent.b <= 2, `${sent.a} and ${sent.b} packets`);
  tap.pass(5_000);
  assert.equal(tap.a.endpoint.connectionCount + tap.b.endpoint.connectionCount, 0);
  assert.equal(tap.a.count("closed"), 1);
});

test("the CLOSE goes over every path that has not failed", () => {
  const puppet = new PuppetPeer();
  const second = addressOf("198.51.100.9");
  puppet.connection.probe(puppet.nowMs, puppet.victim.routes.direct(second));
  const [challenge] = framesOf(puppet.hear(), "path-challenge");
  puppet.send([{ type: "path-response", token: challenge?.token ?? assert.fail() }], 0, second);
  assert.equal(puppet.connection.paths.all.length, 2);
  puppet.connection.close(puppet.nowMs, 0, "");
  const to = puppet.hear().map((packet) => packet.to.host);
  assert.deepEqual(to.sort(), ["198.51.100.1", "198.51.100.9"]);
});

test("a handshake that is given up ends at once and in silence", () => {
  const random = new SeededRandom(4);
  const tap = new Tap(new EndpointMachine(random.fork("a")), new EndpointMachine(random.fork("b")));
  const ours = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  const response = take(tap.b, tap.nowMs);
  ours.close(tap.nowMs, 0, "never mind");
  assert.deepEqual(take(tap.a, tap.nowMs), []);
  assert.deepEqual(typesOf(tap.a), ["closed"]);
  give(tap.a, tap.nowMs, tap.addressB, response);
  assert.deepEqual(take(tap.a, tap.nowMs), []);
  assert.equal(tap.a.endpoint.connectionCount, 0);
});

test("a first packet that is a CLOSE is told as a connection that came and went", () => {
  const random = new SeededRandom(4);
  const tap = new Tap(new EndpointMachine(random.fork("a")), new EndpointMachine(random.fork("b")));
  const ours = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  const response = take(tap.b, tap.nowMs);
  for (const { bytes } of response) tap.a.handleDatagram(tap.nowMs, tap.addressB, bytes);
  ours.close(tap.nowMs, 5, "no");
  tap.pass(5_000);
  assert.deepEqual(
    typesOf(tap.b).filter((type) => type === "connected" || type === "closed"),
    ["connected", "closed"],
  );
});

test("silence for the idle timeout ends the connection, on the side with the longer one too", () => {
  for (const [idleA, idleB] of [
    [IDLE_MS, 600_000],
    [600_000, IDLE_MS],
  ] as const) {
    const { tap, ours } = connected(idleA, idleB);
    const startMs = tap.nowMs;
    while (ours.state === "connected" && tap.nowMs < startMs + 2 * IDLE_MS) {
      tap.nowMs = Math.max(tap.nowMs, tap.a.pollTimeout());
      tap.a.handleTimeout(tap.nowMs);
      take(tap.a, tap.nowMs);
    }
    const passedMs = tap.nowMs - startMs;
    assert.ok(passedMs >= IDLE_MS - 2_000 && passedMs <= IDLE_MS + 1, `after ${passedMs} ms`);
    const closed = tap.a.events.at(-1)?.event;
    assert.equal(closed?.type === "closed" && closed.code, closeCode.idle);
    assert.equal(tap.a.endpoint.connectionCount, 0);
  }
});

test("an idle connection is kept alive for a day by a few packets a minute", () => {
  const { tap, ours } = connected();
  const before = { a: tap.a.cipher.packetsSealed, b: tap.b.cipher.packetsSealed };
  tap.pass(24 * 3_600_000);
  assert.equal(ours.state, "connected");
  const perMinute = (tap.a.cipher.packetsSealed - before.a + tap.b.cipher.packetsSealed - before.b) / (24 * 60);
  assert.ok(perMinute > 3 && perMinute < 10, `${perMinute} packets a minute`);
});
