// Whole transfers between two endpoints over simulated links: what arrives is what was sent, however bad the link.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TransportSettings } from "../../src/transport/transport-settings.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import type { LinkSettings } from "../sim/link.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { World } from "../sim/world.ts";
import { EndpointMachine } from "./endpoint-machine.ts";

interface Pair {
  readonly world: World;
  readonly a: EndpointMachine;
  readonly b: EndpointMachine;
  readonly hostA: ReturnType<World["addHost"]>;
  readonly hostB: ReturnType<World["addHost"]>;
}

function pairIn(
  world: World,
  seed: number,
  link: Partial<LinkSettings>,
  settingsOfA: Partial<TransportSettings> = {},
): Pair {
  const random = new SeededRandom(seed).fork("machines");
  const a = new EndpointMachine(random.fork("a"), settingsOfA);
  const b = new EndpointMachine(random.fork("b"));
  const hostA = world.addHost("A", { ip: "198.51.100.1", link });
  const hostB = world.addHost("B", { ip: "198.51.100.2", link });
  hostA.run(a, (nowMs) => a.pump(nowMs));
  hostB.run(b, (nowMs) => b.pump(nowMs));
  return { world, a, b, hostA, hostB };
}

test("a sender with little memory goes on as fast as it becomes free", () => {
  const world = new World({ seed: 1 });
  const link = { delayMs: 20, rateMbps: 100, queueBytes: 500_000 };
  const { a, b, hostA, hostB } = pairIn(world, 1, link, { memoryBytes: 0 });
  const connection = hostA.input((nowMs) => a.connect(nowMs, b.identity, hostB.address));
  world.runUntil(() => connection.state === "connected", 200);
  hostA.input((nowMs) => a.send(nowMs, a.open(nowMs, connection), 30_000_000));
  const durationMs = world.runUntil(() => [...b.records.values()].some((r) => r.ended), 10_000);
  // The megabyte that it may hold is twice what the link takes in a round trip; 30 MB take 2,400 ms on the wire, and 3,600 if it waits for all.
  assert.ok(durationMs < 3_300, `took ${durationMs} ms`);
});

test("a megabyte crosses a clean link at nearly the link's rate", () => {
  const world = new World({ seed: 1 });
  const { a, b, hostA, hostB } = pairIn(world, 1, { delayMs: 10, rateMbps: 100, queueBytes: 200_000 });
  const connection = hostA.input((nowMs) => a.connect(nowMs, b.identity, hostB.address));
  world.runUntil(() => connection.state === "connected", 100);
  const record = hostA.input((nowMs) => {
    const opened = a.open(nowMs, connection);
    a.send(nowMs, opened, 8_000_000);
    return opened;
  });
  const durationMs = world.runUntil(() => [...b.records.values()].some((r) => r.ended), 10_000);
  assert.equal([...b.records.values()][0]?.received, 8_000_000);
  // 8 MB at 100 Mbit/s take 640 ms on the wire without headers.
  assert.ok(durationMs < 1_100, `took ${durationMs} ms`);
  [...b.records.values()][0]?.stream.finish(0);
  hostB.drain();
  world.runUntil(() => record.closed, 1_000);
});

forSeeds(60, "every byte arrives once and in order over links that lose, reorder, duplicate and delay", (scenario) => {
  const world = scenario.world({ joinProbability: scenario.seed % 2 === 0 ? 0.5 : 0 });
  const { random } = scenario;
  const { a, b, hostA, hostB } = pairIn(world, scenario.seed, {
    delayMs: random.between(0, 40),
    jitterMs: random.between(0, 10),
    lossProbability: random.between(0, 0.1),
    reorderProbability: random.between(0, 0.1),
    reorderMs: 20,
    duplicateProbability: random.between(0, 0.05),
    rateMbps: random.between(2, 100),
    queueBytes: 100_000,
  });
  const connection = hostA.input((nowMs) => a.connect(nowMs, b.identity, hostB.address));
  world.runUntil(() => b.accepted.length > 0, 60_000);
  const sizes = [0, 1, 1000, 50_000, 300_000].map((n) => Math.floor(n * random.between(0.5, 1.5)));
  b.onStream = (record, nowMs) => b.send(nowMs, record, sizes[Math.floor(record.stream.id / 2)] as number);
  const opened = hostA.input((nowMs) =>
    sizes.map((size) => {
      const record = a.open(nowMs, connection);
      a.send(nowMs, record, size);
      return record;
    }),
  );
  world.runUntil(() => opened.every((r) => r.closed) && [...b.records.values()].every((r) => r.closed), 120_000);
  for (const record of [...a.records.values(), ...b.records.values()]) {
    assert.equal(record.received, sizes[Math.floor(record.stream.id / 2)]);
    assert.ok(record.ended);
  }
  assert.equal(connection.streams.openCount, 0);
  // Once everything is delivered, nothing is in flight and nothing is sent but keepalives.
  world.runFor(5_000);
  for (const path of connection.paths.all) assert.equal(path.bytesInFlight, 0);
  // The search for the path's MTU, which losses draw out, comes to its end.
  world.runFor(120_000);
  const sent = hostA.datagramsSent + hostB.datagramsSent;
  world.runFor(60_000);
  const idle = hostA.datagramsSent + hostB.datagramsSent - sent;
  assert.ok(idle < 60, `${idle} datagrams in an idle minute`);
});
