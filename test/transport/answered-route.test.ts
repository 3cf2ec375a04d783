// Which route an initiator has proved by its first packet. An initiation may come by several routes, and every one of them is answered;
// a peer that is admitted, or somebody on the way, may have made some of them up to have somebody else flooded by the responder.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import { RESPONSE_ROUTES_MAX } from "../../src/base/limits.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { addressOf, give, Tap, type TappedDatagram, take } from "./datagram-tap.ts";
import { EndpointMachine } from "./endpoint-machine.ts";

const victim = addressOf("203.0.113.66");
const elsewhere = addressOf("203.0.113.7");

function pair(): Tap {
  const random = new SeededRandom(7);
  return new Tap(new EndpointMachine(random.fork("a")), new EndpointMachine(random.fork("b")));
}

/** The initiation of `tap.a` comes from each of `sources`. @returns what is answered to each. */
function knock(tap: Tap, sources: readonly SocketAddress[]): TappedDatagram[][] {
  tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  const initiation = take(tap.a, tap.nowMs);
  return sources.map((source) => {
    give(tap.b, tap.nowMs, source, initiation);
    return take(tap.b, tap.nowMs);
  });
}

/** `tap.b` has 100 kB to send. @returns the bytes that leave for the victim at once, those of `before` included. */
function bytesToVictim(tap: Tap, before: readonly TappedDatagram[]): number {
  const record = tap.b.open(tap.nowMs, tap.b.accepted[0] ?? assert.fail("it was not confirmed"));
  tap.b.send(tap.nowMs, record, 100_000);
  const sent = [...before, ...take(tap.b, tap.nowMs)].filter(({ route }) => route.remote.host === victim.host);
  return sent.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

for (const [what, from] of [
  ["from there", victim],
  ["from a third place", elsewhere],
  ["from where the answer was seen", undefined],
] as const) {
  test(`a route that was answered and not seen to receive is sent nothing, though the first packet comes ${what}`, () => {
    const tap = pair();
    const [forged = [], own = []] = knock(tap, [victim, tap.addressA]);
    assert.equal(forged.length + own.length, 2);
    // The answer to the forged source is the victim's, and nobody else sees it.
    give(tap.a, tap.nowMs, tap.addressB, own);
    const first = take(tap.a, tap.nowMs);
    give(tap.b, tap.nowMs, from ?? tap.addressA, first);
    const received = first.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const sent = bytesToVictim(tap, take(tap.b, tap.nowMs));
    assert.ok(sent <= 3 * received, `${sent} bytes for ${received}`);
    const paths = tap.b.accepted[0]?.paths.all ?? [];
    assert.deepEqual(
      paths.map(({ route }) => route.remote.host),
      [tap.addressA.host],
    );
  });
}

test("whichever of several answers is seen, the connection works, and the others leave nothing behind", () => {
  for (const seen of [0, 1, 2]) {
    const tap = pair();
    const answers = knock(tap, [addressOf("198.51.100.9"), tap.addressA, elsewhere]);
    give(tap.a, tap.nowMs, tap.addressB, answers[seen] ?? []);
    // A later answer changes nothing.
    give(tap.a, tap.nowMs, tap.addressB, answers[(seen + 1) % 3] ?? []);
    tap.pass(5_000);
    const connection = tap.b.accepted[0] ?? assert.fail("it was not confirmed");
    const record = tap.a.open(tap.nowMs, [...tap.a.live][0] ?? assert.fail());
    tap.a.send(tap.nowMs, record, 5_000);
    tap.pass(1_000);
    assert.equal([...tap.b.records.values()][0]?.received, 5_000);
    connection.close(tap.nowMs, 0, "enough");
    tap.pass(10_000);
    assert.equal(tap.b.endpoint.connectionCount + tap.a.endpoint.connectionCount, 0);
  }
});

test("so many routes are answered and no more, and the first ones go on to be", () => {
  const tap = pair();
  const sources = Array.from({ length: RESPONSE_ROUTES_MAX + 3 }, (_, i) => addressOf(`203.0.113.${100 + i}`));
  const answers = knock(tap, [...sources, sources[0] as SocketAddress]);
  assert.equal(answers.filter((answer) => answer.length > 0).length, RESPONSE_ROUTES_MAX + 1);
  assert.deepEqual(answers.at(-1)?.[0]?.bytes, answers[0]?.[0]?.bytes, "the same answer over the same route");
  assert.equal(tap.b.endpoint.connectionCount, 1);
});
