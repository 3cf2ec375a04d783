// The record of what was sent, against a model that keeps every packet for ever.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SendHalf } from "../../src/transport/send-half.ts";
import { packetState, type SentPacket, SentPackets } from "../../src/transport/sent-packets.ts";

function sendOne(sent: SentPackets, nowMs: number, bytes: number, tracked = true): SentPacket {
  const packet = sent.prepare(nowMs);
  sent.commit(packet, bytes, tracked);
  return packet;
}

interface Model {
  bytes: number;
  state: number;
  lostAtMs: number;
}

type Step =
  | { readonly kind: "send"; readonly bytes: number; readonly tracked: boolean }
  | { readonly kind: "ack"; readonly back: number; readonly length: number }
  | { readonly kind: "lose"; readonly back: number }
  | { readonly kind: "trim"; readonly keepMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      bytes: fc.integer({ min: 1, max: 1500 }),
      tracked: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("ack" as const),
      back: fc.integer({ min: 0, max: 120 }),
      length: fc.integer({ min: 1, max: 30 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("lose" as const), back: fc.integer({ min: 0, max: 90 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("trim" as const), keepMs: fc.integer({ min: 0, max: 40 }) }),
  },
);

test("bytes in flight are the sum of the packets that are neither acknowledged nor lost", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const sent = new SentPackets();
      const model: Model[] = [];
      const acked = new Set<number>();
      let nowMs = 0;
      for (const next of steps) {
        nowMs++;
        switch (next.kind) {
          case "send": {
            const packet = sendOne(sent, nowMs, next.bytes, next.tracked);
            assert.equal(packet.packetNumber, model.length);
            const state = next.tracked ? packetState.inFlight : packetState.untracked;
            model.push({ bytes: next.bytes, state, lostAtMs: 0 });
            break;
          }
          case "ack": {
            const largest = model.length - 1 - next.back;
            if (largest < 0) break;
            const visited: number[] = [];
            const smallest = Math.max(0, largest - next.length + 1);
            sent.acknowledge(smallest, largest, (packet) => {
              visited.push(packet.packetNumber);
              sent.settle(packet, packetState.acked);
            });
            const fresh: number[] = [];
            for (let n = Math.max(smallest, sent.lowestRemembered); n <= largest; n++) {
              if (!acked.has(n)) fresh.push(n);
              acked.add(n);
              (model[n] as Model).state = packetState.acked;
            }
            assert.deepEqual(visited, fresh, "each packet is acknowledged once");
            break;
          }
          case "lose": {
            const packet = sent.get(model.length - 1 - next.back);
            if (packet?.state !== packetState.inFlight) break;
            sent.settle(packet, packetState.lost);
            packet.lostAtMs = nowMs;
            const entry = model[packet.packetNumber] as Model;
            entry.state = packetState.lost;
            entry.lostAtMs = nowMs;
            break;
          }
          case "trim":
            sent.trim(nowMs - next.keepMs);
            for (let n = 0; n < sent.lowestRemembered; n++) {
              assert.notEqual((model[n] as Model).state, packetState.inFlight, "nothing in flight is forgotten");
            }
            break;
        }
        const flying = model.filter((entry) => entry.state === packetState.inFlight);
        assert.equal(
          sent.bytesInFlight,
          flying.reduce((sum, entry) => sum + entry.bytes, 0),
        );
        assert.equal(sent.packetsInFlight, flying.length);
        for (let n = sent.lowestRemembered; n < sent.nextPacketNumber; n++) {
          assert.equal(sent.get(n)?.packetNumber, n);
          assert.equal(sent.get(n)?.state, (model[n] as Model).state, `state of ${n}`);
        }
        assert.equal(sent.get(sent.nextPacketNumber), undefined);
      }
    }),
    { numRuns: 200 },
  );
});

test("an acknowledgement of numbers that were never sent or are forgotten touches nothing", () => {
  const sent = new SentPackets();
  for (let i = 0; i < 10; i++) sendOne(sent, i, 100);
  sent.acknowledge(0, 4, (packet) => sent.settle(packet, packetState.acked));
  sent.trim(0);
  assert.equal(sent.lowestRemembered, 5);
  const visited: number[] = [];
  sent.acknowledge(0, 100, (packet) => visited.push(packet.packetNumber));
  assert.deepEqual(visited, [5, 6, 7, 8, 9]);
  sent.acknowledge(0, 2, () => assert.fail("forgotten"));
});

test("a settled record lets go of its stream", () => {
  const sent = new SentPackets();
  const packet = sent.prepare(0);
  packet.addRange(new SendHalf(0, 0), 0, 10, false);
  sent.commit(packet, 100, true);
  sent.acknowledge(0, 0, (p) => sent.settle(p, packetState.acked));
  sent.trim(0);
  assert.equal(packet.ranges[0]?.half, undefined);
  assert.equal(packet.rangeCount, 0);
});

test("records are used again: a steady flow makes no new ones", () => {
  const sent = new SentPackets();
  const seen = new Set<SentPacket>();
  for (let n = 0; n < 10_000; n++) {
    seen.add(sendOne(sent, n, 1200));
    if (n >= 20) sent.acknowledge(n - 20, n - 20, (packet) => sent.settle(packet, packetState.acked));
    sent.trim(n);
  }
  assert.ok(seen.size <= 64, `${seen.size} records for 21 packets in flight`);
});
