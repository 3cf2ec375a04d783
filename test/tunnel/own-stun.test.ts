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
