// An agent measures its NAT by itself, cheaply, and acts on what it finds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isStun } from "../../src/wire/datagram.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import type { Host } from "../sim/host.ts";
import type { NatKind } from "../sim/topology.ts";
import { World } from "../sim/world.ts";
import { openStunSockets, type ServerKind } from "../traversal/stun-topology.ts";
import { Deployment, type Exchange } from "./deployment.ts";
import { quantile } from "./meeting.ts";

/** Two agents whose rendezvous answers STUN like a server of this kind. */
function deploy(world: World, a: NatKind, b: NatKind, server: ServerKind): Deployment {
  const deployment = new Deployment(world, { a, b });
  deployment.startRendezvous(openStunSockets(deployment.nats.r, server));
  deployment.expose();
  return deployment;
}

/** Counts the STUN requests that a host sends from now on. */
function countRequests(world: World, host: Host): { count: number } {
  const requests = { count: 0 };
  world.firewall.add({
    from: host,
    matches: (payload) => {
      if (isStun(payload, 0) && payload[1] === 1) requests.count++;
      return false;
    },
  });
  return requests;
}

for (const server of ["full", "other-port"] as const) {
  forSeeds(
    3,
    `a hard NAT is found out with a rendezvous of kind ${server}, and a direct path through it`,
    (scenario) => {
      const world = scenario.world();
      const deployment = deploy(world, "portRestricted", "symmetric", server);
      const { laptop, device } = deployment;
      const exchange = laptop.request(deployment.connect(), 10) as Exchange;
      world.runUntil(() => exchange.ended, 5_000);
      world.runUntil(() => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct", 600_000);
    },
  );
}

test("the NAT is measured once with some thirty packets, and once more when the network has changed", () => {
  const world = new World();
  const { laptop } = deploy(world, "portRestricted", "portRestricted", "full");
  const requests = countRequests(world, laptop.host);
  world.runFor(10_000);
  assert.ok(requests.count > 10 && requests.count <= 30, `${requests.count} requests`);
  const once = requests.count;
  world.runFor(300_000);
  assert.equal(requests.count, once);
  laptop.host.input((nowMs) => laptop.agent.setLocalAddresses(nowMs, laptop.host.addresses));
  world.runFor(10_000);
  assert.equal(requests.count, 2 * once);
  assert.equal(laptop.socketsOpen, 0);
});

test("how the NAT maps is known long before the rest, and what unsolicited packets do together with it", () => {
  for (const [kind, mapping, takesUnsolicited] of [
    ["portRestricted", "endpoint-independent", false],
    ["badRouter", "endpoint-independent", true],
    ["symmetric", "address-and-port-dependent", undefined],
  ] as const) {
    const world = new World();
    const { laptop } = deploy(world, "portRestricted", kind, "full");
    const tookMs = world.runUntil(() => laptop.agent.natBehaviour.mapping !== "unknown", 5_000);
    assert.ok(tookMs <= 350, `${kind}: ${tookMs} ms`);
    assert.deepEqual(
      [laptop.agent.natBehaviour.mapping, laptop.agent.natBehaviour.takesUnsolicited],
      [mapping, takesUnsolicited],
    );
    assert.equal(laptop.agent.natBehaviour.filtering, "unknown");
  }
});

test("a rendezvous that answers from one port only is asked once or twice, and no more", () => {
  const world = new World();
  const { laptop } = deploy(world, "portRestricted", "portRestricted", "plain");
  const requests = countRequests(world, laptop.host);
  world.runFor(60_000);
  assert.ok(requests.count <= 2, `${requests.count} requests`);
});

test("what is measured goes to the peer, and is unknown again after a change of network", () => {
  const world = new World();
  const deployment = deploy(world, "portRestricted", "symmetric", "full");
  const { laptop } = deployment;
  world.runFor(5_000);
  assert.equal(laptop.agent.natBehaviour.mapping, "address-and-port-dependent");
  laptop.host.input((nowMs) => laptop.agent.setLocalAddresses(nowMs, laptop.host.addresses));
  assert.equal(laptop.agent.natBehaviour.mapping, "unknown");
  world.runFor(5_000);
  assert.equal(laptop.agent.natBehaviour.mapping, "address-and-port-dependent");
});

/** Both agents are fresh: neither has measured its NAT when they meet. */
function meetFresh(
  world: World,
  a: NatKind,
  b: NatKind,
  limitMs: number,
  server: ServerKind = "full",
): { directMs: number; flows: number } {
  const deployment = new Deployment(world, { a, b });
  deployment.startRendezvous(openStunSockets(deployment.nats.r, server));
  deployment.expose();
  deployment.connect();
  const { device, laptop, nats } = deployment;
  const isDirect = (): boolean => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct";
  const startMs = world.nowMs;
  while (!isDirect() && world.nowMs < startMs + limitMs) world.runFor(10);
  const flows = [nats.siteA, nats.siteB].map(({ outermost }) => outermost?.translator.flowsPeak ?? 0);
  return { directMs: isDirect() ? world.nowMs - startMs : Number.POSITIVE_INFINITY, flows: Math.max(...flows) };
}

forSeeds(10, "two hard NATs begin no spray before they know of each other, and none afterwards", (scenario) => {
  const { directMs, flows } = meetFresh(scenario.world(), "symmetric", "cgnSymmetric", 20_000);
  assert.equal(directMs, Number.POSITIVE_INFINITY);
  assert.ok(flows <= 40, `${flows} flows`);
});

for (const server of ["full", "other-port"] as const) {
  const fresh: number[] = [];
  forSeeds(
    40,
    `an easy and a hard NAT that nobody has measured yet meet as soon as others, with a rendezvous of kind ${server}`,
    (scenario) => {
      const { directMs, flows } = meetFresh(scenario.world(), "symmetric", "portRestricted", 20_000, server);
      assert.ok(flows <= 1_000, `${flows} flows`);
      fresh.push(directMs);
      if (scenario.seed === 40) assert.ok(quantile(fresh, 0.5) <= 2_500, `p50 ${quantile(fresh, 0.5)} ms`);
    },
  );
}

const bad: number[] = [];
forSeeds(80, "two bad routers, one of them not measured yet, are never taken for hard ones, and meet", (scenario) => {
  const world = scenario.world();
  const delayMs = [0, 0.2, 2, 20][scenario.seed % 4] as number;
  const link = { jitterMs: delayMs / 10 };
  const deployment = new Deployment(world, { a: "badRouter", b: "badRouter", delayMs, link, hops: 3 });
  deployment.startRendezvous(openStunSockets(deployment.nats.r, "full"));
  deployment.expose();
  world.runFor(3_000);
  const { device, laptop, nats } = deployment;
  nats.siteB.outermost?.reboot();
  laptop.start();
  deployment.useRendezvous(laptop);
  deployment.connect();
  const startMs = world.nowMs;
  const isDirect = (): boolean => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct";
  while (!isDirect() && world.nowMs < startMs + 5_000) world.runFor(1);
  bad.push(world.nowMs - startMs);
  world.runFor(3_000);
  for (const { agent } of [device, laptop]) {
    const { mapping, takesUnsolicited } = agent.natBehaviour;
    assert.deepEqual([mapping, takesUnsolicited], ["endpoint-independent", true]);
  }
  const flows = [nats.siteA, nats.siteB].map(({ outermost }) => outermost?.translator.flowsPeak ?? 0);
  assert.ok(Math.max(...flows) <= 100, `${flows} flows`);
  if (scenario.seed === 80) assert.ok(quantile(bad, 1) <= 600, `${quantile(bad, 1)} ms`);
});
