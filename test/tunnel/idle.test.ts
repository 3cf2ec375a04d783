// What two agents with nothing to say send each other and their rendezvous, counted over an hour.

import assert from "node:assert/strict";
import { KEEPALIVE_MS } from "../../src/base/limits.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import { Deployment, type Exchange } from "./deployment.ts";

const HOUR_MS = 3_600_000;
/** What keeps a path open in an hour: one packet each way every 18 s, and every 54 s on the relay, which only must not fall idle. */
const KEEPALIVES = Math.ceil(HOUR_MS / KEEPALIVE_MS);
const RELAYED_KEEPALIVES = Math.ceil(HOUR_MS / (3 * KEEPALIVE_MS));

/** Acknowledgements are acknowledged now and then, so that their record does not grow. */
const FURTHER_MAX = 12;

for (const [families, directPaths, ipv6] of [
  ["IPv4", 1, undefined],
  ["both families", 2, { a: "beside", b: "beside" }],
] as const) {
  forSeeds(3, `an idle pair with ${families} sends nothing but what keeps its paths open`, (scenario) => {
    const world = scenario.world();
    const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted", ...(ipv6 ? { ipv6 } : {}) });
    const { device, laptop, nats } = deployment;
    deployment.expose();
    world.runFor(1_000);
    const exchange = laptop.request(deployment.connect(), 10) as Exchange;
    world.runUntil(() => exchange.ended && laptop.paths.at(-1) === "direct", 10_000);
    // NATs are measured, MTUs found and spare sockets closed by then.
    world.runFor(60_000);

    const hosts = [device.host, laptop.host, nats.r];
    const before = hosts.map(({ datagramsSent, bytesSent }) => ({ datagramsSent, bytesSent }));
    world.runFor(HOUR_MS);
    const sent = hosts.map(({ datagramsSent }, i) => datagramsSent - (before[i]?.datagramsSent ?? 0));
    const ofAgent = (1 + directPaths) * KEEPALIVES + RELAYED_KEEPALIVES;
    const expected = [ofAgent, ofAgent, 2 * KEEPALIVES + 2 * RELAYED_KEEPALIVES];
    for (const [i, count] of sent.entries()) {
      const further = count - (expected[i] as number);
      assert.ok(further >= -2 && further <= FURTHER_MAX, `${hosts[i]?.name} sent ${count} packets, not ${expected[i]}`);
      const bytes = (hosts[i]?.bytesSent ?? 0) - (before[i]?.bytesSent ?? 0);
      assert.ok(bytes <= count * 60, `${hosts[i]?.name} sent ${bytes} bytes in ${count} packets`);
    }
  });
}
