// The search for the path MTU: by itself, and on a link that carries no more than it says.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DATAGRAM_BYTES_ETHERNET, MTU_BLACK_HOLE_PACKETS, MTU_PROBES_MAX } from "../../src/base/limits.ts";
import { MtuDiscovery } from "../../src/transport/mtu-discovery.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { World } from "../sim/world.ts";
import { EndpointMachine } from "./endpoint-machine.ts";

/** Runs the search over a path that carries up to `carriesBytes`. @returns how many probes it took. */
function search(discovery: MtuDiscovery, nowMs: number, carriesBytes: number): number {
  let probes = 0;
  for (let size = discovery.probeDue(nowMs); size !== undefined; size = discovery.probeDue(nowMs)) {
    probes++;
    assert.ok(probes < 100, "the search comes to an end");
    discovery.onProbeSent(size);
    if (size <= carriesBytes) discovery.onProbeAcked(nowMs, size);
    else discovery.onProbeLost(nowMs, size);
  }
  return probes;
}

test("Ethernet's size is found with one probe, and nothing beyond is asked where no more is allowed", () => {
  const discovery = new MtuDiscovery(0, 1200, DATAGRAM_BYTES_ETHERNET);
  assert.equal(search(discovery, 0, 1472), 1);
  assert.equal(discovery.datagramBytes, 1472);
});

test("a smaller path is found between the sizes that pass and those that fail", () => {
  for (const [carries, found] of [
    [1199, 1200],
    [1300, 1252],
    [1420, 1420],
    [1471, 1452],
    [9000, 8972],
    [65_535, 65_000],
  ] as const) {
    const discovery = new MtuDiscovery(0, 1200, 65_507);
    const probes = search(discovery, 0, carries);
    assert.equal(discovery.datagramBytes, found, `a path of ${carries}`);
    assert.ok(probes <= 6 * MTU_PROBES_MAX, `${probes} probes`);
  }
});

test("a size has not failed before its third loss", () => {
  const discovery = new MtuDiscovery(0, 1200, 1472);
  for (let i = 1; i < MTU_PROBES_MAX; i++) {
    assert.equal(discovery.probeDue(0), 1472);
    discovery.onProbeSent(1472);
    assert.equal(discovery.probeDue(0), undefined);
    discovery.onProbeLost(0, 1472);
  }
  discovery.onProbeSent(1472);
  discovery.onProbeAcked(0, 1472);
  assert.equal(discovery.datagramBytes, 1472);
});

test("large packets that are lost in a row are a black hole, unless one of them arrives", () => {
  const discovery = new MtuDiscovery(0, 1200, 1472);
  search(discovery, 0, 1472);
  const lose = (from: number, bytes = 1472): boolean[] =>
    Array.from({ length: MTU_BLACK_HOLE_PACKETS - 1 }, (_, i) => discovery.onPacketLost(0, from + i, bytes));
  assert.ok(!lose(0).includes(true));
  discovery.onPacketAcked(50, 1472);
  assert.ok(!lose(100).includes(true));
  assert.equal(discovery.onPacketLost(0, 200, 1100), false);
  assert.equal(discovery.onPacketLost(0, 201, 1472), true);
  assert.equal(discovery.datagramBytes, 1200);
});

test("a queue that overflows is no black hole: a packet behind hundreds that were lost has arrived", () => {
  const discovery = new MtuDiscovery(0, 1200, 1472);
  search(discovery, 0, 1472);
  discovery.onPacketAcked(500, 1472);
  for (let number = 100; number < 500; number++) assert.equal(discovery.onPacketLost(0, number, 1472), false);
  assert.equal(discovery.datagramBytes, 1472);
});

test("a transfer survives that its path carries less all of a sudden, without any word of it", () => {
  const world = new World({ seed: 1 });
  const random = new SeededRandom(1);
  const a = new EndpointMachine(random.fork("a"));
  const b = new EndpointMachine(random.fork("b"));
  const link = { delayMs: 10, rateMbps: 20, queueBytes: 100_000, mtuBytes: 1500 };
  const hostA = world.addHost("A", { ip: "198.51.100.1", link });
  const hostB = world.addHost("B", { ip: "198.51.100.2", link });
  hostA.run(a, (nowMs) => a.pump(nowMs));
  hostB.run(b, (nowMs) => b.pump(nowMs));
  const connection = hostA.input((nowMs) => a.connect(nowMs, b.identity, hostB.address));
  world.runUntil(() => connection.state === "connected", 1_000);
  const record = hostA.input((nowMs) => {
    const opened = a.open(nowMs, connection);
    a.send(nowMs, opened, 10_000_000);
    return opened;
  });
  world.runFor(1_000);
  assert.equal(connection.activePath?.datagramBytes, 1472);
  hostA.attachment.up.change({ mtuBytes: 1280 });
  const received = (): number => [...b.records.values()][0]?.received ?? 0;
  const before = received();
  world.runUntil(() => received() > before + 500_000, 3_000);
  assert.equal(connection.activePath?.datagramBytes, 1200);
  world.runUntil(() => received() === 10_000_000, 20_000);
  assert.equal(record.sent, 10_000_000);
});
