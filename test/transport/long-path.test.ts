// A path that is long and fast at once holds many megabytes: what a writer may hold, what a reader grants, and how often it says so decide
// whether it is filled.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../sim/seeded-random.ts";
import { World } from "../sim/world.ts";
import { EndpointMachine } from "./endpoint-machine.ts";

const RATE_MBPS = 500;
const ONE_WAY_MS = 100;
const BYTES_PER_MS = 125;

test("one stream fills 500 Mbit/s over 200 ms, 12 MB under way, once slow start is over", () => {
  const world = new World({ seed: 1, joinProbability: 0.5 });
  const random = new SeededRandom(1).fork("machines");
  const [a, b] = [new EndpointMachine(random.fork("a")), new EndpointMachine(random.fork("b"))];
  const queueBytes = 2 * ONE_WAY_MS * RATE_MBPS * BYTES_PER_MS;
  const link = { rateMbps: RATE_MBPS, delayMs: ONE_WAY_MS / 2, queueBytes, mtuBytes: 1500 };
  const hostA = world.addHost("A", { ip: "198.51.100.1", link });
  const hostB = world.addHost("B", { ip: "198.51.100.2", link });
  for (const machine of [a, b]) {
    machine.expectsPattern = false;
    machine.checkEvery = 100_000;
  }
  hostA.run(a, (nowMs) => a.pump(nowMs));
  hostB.run(b, (nowMs) => b.pump(nowMs));
  const connection = hostA.input((nowMs) => a.connect(nowMs, b.identity, hostB.address));
  world.runUntil(() => b.accepted.length > 0, 5_000);
  hostA.input((nowMs) => a.send(nowMs, a.open(nowMs, connection), 1e9));
  const receivedBytes = (): number => [...b.records.values()][0]?.received ?? 0;
  world.runFor(2_800);
  const before = receivedBytes();
  world.runFor(500);
  const share = ((receivedBytes() - before) * 8) / 0.5e6 / RATE_MBPS;
  assert.ok(share > 0.93, `${(share * 100).toFixed(0)} % of the link`);
});
