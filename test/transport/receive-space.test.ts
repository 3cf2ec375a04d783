// What is acknowledged and when (RFC 9000 §13.2).

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { socketAddress } from "../../src/base/address.ts";
import { ecn } from "../../src/base/ecn.ts";
import { ACK_DELAY_MAX_MS, ACK_RANGES_MAX } from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import { ReceiveSpace } from "../../src/transport/receive-space.ts";

const route = new RouteTable().direct(socketAddress("192.0.2.1", 4000) ?? assert.fail());
const spaceOf = (): ReceiveSpace => new ReceiveSpace(1, route);
const into = new Float64Array(ACK_RANGES_MAX * 2);

/** The acknowledged ranges as the ACK frame has them: [largest, smallest] from above. */
function ranges(space: ReceiveSpace): number[] {
  const count = space.fillAckRanges(into, ACK_RANGES_MAX);
  return [...into.subarray(0, count * 2)];
}

test("every second packet that asks for it is acknowledged at once, a single one after the delay", () => {
  const space = spaceOf();
  space.onReceived(10, 0, true, 2);
  assert.equal(space.ackDueAtMs, 10 + ACK_DELAY_MAX_MS);
  space.onReceived(12, 1, true, 2);
  assert.equal(space.ackDueAtMs, 12);
  assert.deepEqual(ranges(space), [1, 0]);
  space.onAckSent();
  assert.equal(space.hasAckToSend, false);
});

test("packets are counted by their codepoint, and where none has one there is nothing to tell", () => {
  const space = spaceOf();
  space.onReceived(0, 0, true, 2);
  assert.equal(space.ecnCounts, undefined);
  const codepoints = [ecn.ect0, ecn.ect0, ecn.ce, ecn.ect0, ecn.ect1, ecn.notEct, ecn.ce];
  for (const [i, codepoint] of codepoints.entries()) space.onReceived(i, i + 1, i % 2 === 0, 2, 25, codepoint);
  assert.deepEqual(space.ecnCounts, { ect0: 3, ect1: 1, ce: 2 });
});

test("congestion that begins is told at once, and not again as long as it lasts", () => {
  const space = spaceOf();
  space.onReceived(10, 0, true, 8, 25, ecn.ect0);
  assert.ok(space.ackDueAtMs > 10);
  space.onReceived(11, 1, true, 8, 25, ecn.ce);
  assert.equal(space.ackDueAtMs, 11);
  space.onAckSent();
  space.onReceived(12, 2, true, 8, 25, ecn.ce);
  assert.ok(space.ackDueAtMs > 12);
  space.onReceived(13, 3, true, 8, 25, ecn.ect0);
  space.onReceived(14, 4, true, 8, 25, ecn.ce);
  assert.equal(space.ackDueAtMs, 14);
});

test("two packets of a fast flow wait for others no longer than the flow's share of a round trip", () => {
  const space = spaceOf();
  space.onReceived(10, 0, true, 8, 3);
  assert.equal(space.ackDueAtMs, 10 + ACK_DELAY_MAX_MS);
  space.onReceived(11, 1, true, 8, 3);
  space.onReceived(12, 2, true, 8, 3);
  assert.equal(space.ackDueAtMs, 14);
  for (let n = 3; n < 8; n++) space.onReceived(13, n, true, 8, 3);
  assert.equal(space.ackDueAtMs, 13);
});

test("behind a gap every second packet of a fast flow is told at once, until the loss is proved", () => {
  const space = spaceOf();
  const told: number[] = [];
  for (const n of [0, 2, 3, 4, 5, 6, 7, 8, 9]) {
    space.onReceived(n, n, true, 8, 100);
    if (space.ackDueAtMs > n) continue;
    told.push(n);
    space.onAckSent();
  }
  assert.deepEqual(told, [2, 4]);
});

test("packets that ask for nothing are acknowledged with the next that does", () => {
  const space = spaceOf();
  space.onReceived(10, 0, false, 2);
  assert.equal(space.hasAckToSend, false);
  space.onReceived(11, 1, true, 2);
  assert.deepEqual(ranges(space), [1, 0]);
});

test("a gap is told at once, and so is the packet that fills it", () => {
  const space = spaceOf();
  space.onReceived(0, 0, true, 10);
  space.onAckSent();
  space.onReceived(5, 2, true, 10);
  assert.equal(space.ackDueAtMs, 5);
  assert.deepEqual(ranges(space), [2, 2, 0, 0]);
  space.onAckSent();
  space.onReceived(9, 1, true, 10);
  assert.equal(space.ackDueAtMs, 9);
  assert.deepEqual(ranges(space), [2, 0]);
});

test("the delay counts from the largest packet", () => {
  const space = spaceOf();
  space.onReceived(10, 5, true, 10);
  space.onReceived(30, 3, true, 10);
  assert.equal(space.ackDelayUs(40), 30_000);
});

test("what the peer knows to be acknowledged is not mentioned again", () => {
  const space = spaceOf();
  for (const n of [0, 1, 4, 5, 9]) space.onReceived(n, n, true, 2);
  space.onAckSent();
  space.onAckAcknowledged(5);
  assert.deepEqual(ranges(space), [9, 9]);
});

test("a packet that came late is acknowledged even if the peer meanwhile confirms an older acknowledgement", () => {
  const space = spaceOf();
  for (const n of [0, 1, 2, 4, 5]) space.onReceived(n, n, true, 2);
  space.onAckSent();
  // Packet 3 comes behind the acknowledgement of 5, and the confirmation of that one behind it.
  space.onReceived(50, 3, true, 2);
  space.onAckAcknowledged(5);
  assert.ok(space.hasAckToSend);
  assert.deepEqual(ranges(space), [5, 3]);
  space.onAckSent();
  space.onReceived(60, 6, true, 2);
  space.onAckAcknowledged(5);
  assert.ok(ranges(space).includes(6));
});

test("there is something to tell whenever an acknowledgement is due", () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("receive" as const), n: fc.nat(80) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("send" as const), n: fc.nat(80) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("confirm" as const), n: fc.nat(20) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const space = spaceOf();
      const told: number[] = [];
      const waiting = new Set<number>();
      for (const [nowMs, { kind, n }] of steps.entries()) {
        if (kind === "receive" && space.seen.isFresh(n)) {
          space.onReceived(nowMs, n, true, 2);
          waiting.add(n);
        } else if (kind === "send" && space.hasAckToSend) {
          const pairs = ranges(space);
          assert.ok(pairs.length > 0, "an acknowledgement is due and there is nothing in it");
          for (let i = 0; i < pairs.length; i += 2) {
            for (let at = pairs[i + 1] as number; at <= (pairs[i] as number); at++) waiting.delete(at);
          }
          assert.equal(waiting.size, 0, "it tells every packet that came since the one before");
          told.push(pairs[0] as number);
          space.onAckSent();
        } else if (kind === "confirm" && told.length > 0) {
          space.onAckAcknowledged(told[n % told.length] as number);
        }
        if (waiting.size > 0) assert.ok(space.hasAckToSend);
      }
    }),
    { numRuns: 500 },
  );
});

test("a thousand gaps cost no more than the ranges of one acknowledgement, and the newest are kept", () => {
  const space = spaceOf();
  for (let n = 0; n < 2_000; n += 2) space.onReceived(n, n, true, 2);
  assert.equal(space.rangeCount, ACK_RANGES_MAX);
  assert.equal(ranges(space)[0], 1_998);
});
