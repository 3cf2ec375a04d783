// Nothing changes state before it is authenticated: what somebody on the way changes, cuts, repeats or makes up leaves no trace in what
// the two sides do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../sim/seeded-random.ts";
import { addressOf, give, Tap, type TappedDatagram, take } from "./datagram-tap.ts";
import { EndpointMachine } from "./endpoint-machine.ts";
import { PuppetPeer } from "./puppet-peer.ts";

const elsewhere = addressOf("203.0.113.5");

/** What somebody on the way makes of a datagram. */
function forgeries(random: SeededRandom, { route, bytes }: TappedDatagram): TappedDatagram[] {
  const flipped = bytes.slice();
  const at = random.integer(0, bytes.length - 1);
  flipped[at] = (flipped[at] as number) ^ (1 << random.integer(0, 7));
  const cut = bytes.slice(0, random.integer(0, bytes.length - 1));
  const renumbered = bytes.slice();
  renumbered[15] = random.integer(0, 255);
  renumbered[9] = random.integer(0, 3);
  const noise = new Uint8Array(random.integer(8, 1_400));
  random.fill(noise);
  noise.set(bytes.subarray(0, 8));
  return [flipped, cut, renumbered, noise].map((forged) => ({ route, bytes: forged }));
}

/** A conversation of some seconds. @returns everything that either side sent, in order. */
function converse(withForgeries: boolean): string[] {
  const random = new SeededRandom(77);
  const forger = random.fork("forger");
  const tap = new Tap(new EndpointMachine(random.fork("a")), new EndpointMachine(random.fork("b")));
  const sent: string[] = [];
  const ours = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  tap.b.onStream = (record, nowMs) => tap.b.send(nowMs, record, 30_000);
  const carry = (from: EndpointMachine, to: EndpointMachine, address: typeof elsewhere): void => {
    for (const datagram of take(from, tap.nowMs)) {
      sent.push(`${tap.nowMs} ${datagram.route.key} ${Buffer.from(datagram.bytes).toString("hex")}`);
      if (withForgeries) {
        for (const forged of forgeries(forger, datagram)) {
          // One that happens to be the original is none.
          if (Buffer.compare(forged.bytes, datagram.bytes) === 0) continue;
          give(to, tap.nowMs, forger.chance(0.5) ? address : elsewhere, [forged]);
        }
      }
      give(to, tap.nowMs, address, [datagram]);
      if (withForgeries) give(to, tap.nowMs, forger.chance(0.5) ? address : elsewhere, repeatable(datagram));
    }
  };
  for (let i = 0; i < 400; i++) {
    carry(tap.a, tap.b, tap.addressA);
    carry(tap.b, tap.a, tap.addressB);
    if (ours.state === "connected" && i % 40 === 0) tap.a.send(tap.nowMs, tap.a.open(tap.nowMs, ours), 20_000);
    tap.nowMs += 10;
    tap.a.handleTimeout(tap.nowMs);
    tap.b.handleTimeout(tap.nowMs);
  }
  assert.ok([...tap.a.records.values()].filter((record) => record.closed).length > 5);
  return sent;
}

/** Packets of data are refused when they come again; an initiation is answered again, on purpose. */
function repeatable(datagram: TappedDatagram): TappedDatagram[] {
  return datagram.bytes[0] === 0xc4 ? [datagram] : [];
}

test("forged, cut and repeated packets change nothing in what two sides say to each other", () => {
  const undisturbed = converse(false);
  const disturbed = converse(true);
  assert.ok(undisturbed.length > 200);
  assert.deepEqual(disturbed.slice(0, 5), undisturbed.slice(0, 5));
  assert.equal(disturbed.join("\n"), undisturbed.join("\n"));
});

test("forged packets keep no connection alive", () => {
  const puppet = new PuppetPeer({ idleTimeoutMs: 60_000 });
  const startMs = puppet.nowMs;
  while (puppet.connection.state === "connected" && puppet.nowMs < startMs + 120_000) {
    const forged = puppet.packet([{ type: "ping" }]);
    forged[20] = (forged[20] as number) ^ 1;
    puppet.deliver(forged);
    puppet.pass(1_000);
  }
  assert.ok(puppet.nowMs <= startMs + 61_000, `${puppet.nowMs - startMs} ms`);
});

test("a forged packet confirms no handshake", () => {
  const random = new SeededRandom(3);
  const tap = new Tap(new EndpointMachine(random.fork("a")), new EndpointMachine(random.fork("b")));
  tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  give(tap.b, tap.nowMs, tap.addressA, take(tap.a, tap.nowMs));
  give(tap.a, tap.nowMs, tap.addressB, take(tap.b, tap.nowMs));
  const first = take(tap.a, tap.nowMs);
  for (const { route, bytes } of first) {
    const forged = bytes.slice();
    forged[forged.length - 1] = (forged.at(-1) as number) ^ 1;
    give(tap.b, tap.nowMs, tap.addressA, [{ route, bytes: forged }]);
  }
  assert.deepEqual(take(tap.b, tap.nowMs), []);
  assert.equal(tap.b.accepted.length, 0);
  give(tap.b, tap.nowMs, tap.addressA, first);
  take(tap.b, tap.nowMs);
  assert.equal(tap.b.accepted.length, 1);
});
