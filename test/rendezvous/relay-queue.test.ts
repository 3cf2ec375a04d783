// The relay's queue: what waits leaves as it came, in buffers that go round.

import assert from "node:assert/strict";
import { test } from "node:test";
import { socketAddress } from "../../src/base/address.ts";
import { ecn } from "../../src/base/ecn.ts";
import { RELAY_RATE_BYTES_PER_SECOND } from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import { Transmit } from "../../src/base/transmit.ts";
import { RelayChannel, RelayParty } from "../../src/rendezvous/relay-channel.ts";
import { RelayQueue } from "../../src/rendezvous/relay-queue.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const routes = new RouteTable();

function partyAt(host: string): RelayParty {
  const party = new RelayParty(host, RELAY_RATE_BYTES_PER_SECOND);
  party.route = routes.direct(socketAddress(host, 1000)!);
  return party;
}

/** @returns the channel of a party at one place, whose other side is at another place. */
function openChannel(): RelayChannel {
  const mine = new RelayChannel(1, 2, partyAt("192.0.2.1"), "opener", 0);
  mine.other = new RelayChannel(5, 6, partyAt("192.0.2.2"), "callee", 0);
  mine.other.other = mine;
  return mine;
}

test("batches of any length leave whole and in order; long ones in the buffers that they were kept in, which go round", () => {
  const random = new SeededRandom(1);
  const queue = new RelayQueue();
  const channel = openChannel();
  const out = new Transmit();
  const buffers = new Set<Uint8Array>([out.buffer]);
  for (let round = 1; round <= 40; round++) {
    const nowMs = round * 1_000;
    const batches = [60_000, 65_507, 1_400, 9_000].map((most) => {
      const bytes = new Uint8Array(random.integer(most / 2, most));
      random.fill(bytes);
      return bytes;
    });
    for (const bytes of batches) assert.ok(queue.push(channel, bytes, 0, bytes.length, 1_400));
    for (const bytes of batches) {
      assert.ok(queue.pollTransmit(nowMs, out));
      assert.deepEqual(out.buffer.slice(0, out.lengthBytes), bytes);
      buffers.add(out.buffer);
    }
  }
  assert.equal(buffers.size, 3, "one of the socket's, two of the queue's");
});

test("what was handed out stays while more is queued: the socket may still be sending it", () => {
  const queue = new RelayQueue();
  const channel = openChannel();
  const out = new Transmit();
  for (const lengthBytes of [60_000, 1_400]) {
    const batch = (mark: number): Uint8Array => new Uint8Array(lengthBytes).fill(mark);
    queue.push(channel, batch(1), 0, lengthBytes, 1_400);
    for (let mark = 1; mark < 10; mark++) {
      assert.ok(queue.pollTransmit(mark * 1_000, out));
      queue.push(channel, batch(mark + 1), 0, lengthBytes, 1_400);
      assert.deepEqual(out.buffer.slice(0, out.lengthBytes), batch(mark));
    }
    assert.ok(queue.pollTransmit(10_000, out));
  }
});

test("a batch leaves with the codepoint of ECN that it came with, CE above all", () => {
  const queue = new RelayQueue();
  const channel = openChannel();
  const codepoints = [ecn.ect0, ecn.ce, ecn.notEct, ecn.ect1, ecn.ect0];
  for (const codepoint of codepoints) queue.push(channel, new Uint8Array(100), 0, 100, 100, codepoint);
  const out = new Transmit();
  for (const codepoint of codepoints) {
    assert.ok(queue.pollTransmit(0, out));
    assert.equal(out.ecn, codepoint);
  }
});
