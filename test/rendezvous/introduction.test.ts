// Introductions over the real transport, in virtual time.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { forSeeds } from "../sim/for-seeds.ts";
import type { LinkSettings } from "../sim/link.ts";
import { twoNats } from "../sim/topology.ts";
import { deploy, echo, introduce, selector } from "./laptop-and-device.ts";
import { SmallAgent, SmallRendezvous } from "./small-agent.ts";

describe("an introduction", () => {
  forSeeds(2, "a handshake takes two round trips over the relay, and streams work at once", (scenario) => {
    const setup = deploy(scenario);
    const { world, laptop, device } = setup;
    world.runUntil(() => laptop.count("registered") > 0 && device.count("registered") > 0, 1_000);
    const connection = laptop.dial(device.identity.publicKey, selector);
    // From A over R to B takes 20 ms, and back.
    const tookMs = world.runUntil(() => laptop.peers.has(connection), 1_000);
    assert.ok(tookMs <= 45, `${tookMs} ms`);
    assert.ok(echo(setup, connection) <= 100);
    assert.ok(setup.rendezvous.server.statistics.forwardedPackets > 0);
  });

  forSeeds(
    1,
    "of two instances with one selector the latest is meant, and when it goes the other one again",
    (scenario) => {
      const setup = deploy(scenario);
      const { world, laptop, device, siteB, rendezvous } = setup;
      world.runUntil(() => laptop.count("registered") > 0 && device.count("registered") > 0, 1_000);
      const second = new SmallAgent(world.random.fork("second"), device.identity);
      second.runOn(siteB.addHost("B2", { port: 4003 }), rendezvous.target, [selector]);
      world.runUntil(() => second.count("registered") > 0, 1_000);
      laptop.dial(device.identity.publicKey, selector);
      world.runUntil(() => second.peers.size === 1, 1_000);
      assert.equal(device.peers.size, 0);
      second.do((nowMs) => second.client.stop(nowMs));
      world.runFor(1_000);
      laptop.dial(device.identity.publicKey, selector);
      world.runUntil(() => device.peers.size === 1, 1_000);
    },
  );

  forSeeds(1, "who misses a peer is told when it comes", (scenario) => {
    const world = scenario.world();
    const { a, b, r } = twoNats(world, { a: "portRestricted", b: "portRestricted" });
    const rendezvous = new SmallRendezvous(r, world.random.fork("rendezvous"));
    const laptop = new SmallAgent(world.random.fork("laptop")).runOn(a, rendezvous.target);
    const device = new SmallAgent(world.random.fork("device"));
    laptop.dial(device.identity.publicKey, selector);
    assert.equal(laptop.last("open-failed")?.reason, "not-connected");
    world.runUntil(() => laptop.count("registered") > 0, 1_000);
    laptop.dial(device.identity.publicKey, selector);
    world.runFor(1_000);
    assert.equal(laptop.last("open-failed")?.reason, "peer-absent");
    device.runOn(b, rendezvous.target, [selector]);
    world.runUntil(() => laptop.count("present") === 1, 1_000);
    assert.deepEqual(laptop.last("present")?.peer, device.identity.publicKey);
    const connection = laptop.dial(device.identity.publicKey, selector);
    world.runUntil(() => laptop.peers.has(connection), 1_000);
  });

  forSeeds(1, "a registration that changes often is sent once a second, with all that changed", (scenario) => {
    const setup = deploy(scenario);
    const { world, laptop, device } = setup;
    world.runUntil(() => laptop.count("registered") > 0 && device.count("registered") > 0, 1_000);
    const others = Array.from({ length: 50 }, (_, i) => Uint8Array.of(i, 0, 0, 0, 0, 0, 0, 1));
    for (let i = 1; i <= others.length; i++) {
      device.do((nowMs) => device.client.register(nowMs, others.slice(0, i)));
    }
    world.runFor(3_000);
    assert.ok(device.count("registered") <= 3);
    laptop.dial(device.identity.publicKey, others[49]!);
    world.runUntil(() => device.peers.size === 1, 1_000);
  });

  forSeeds(1, "giving a channel back ends it on the other side", (scenario) => {
    const setup = deploy(scenario);
    introduce(setup);
    const { world, laptop, device, rendezvous } = setup;
    const route = laptop.last("opened")!.route;
    laptop.do((nowMs) => laptop.client.closeChannel(nowMs, route));
    world.runUntil(() => device.count("channel-closed") === 1, 1_000);
    assert.equal(device.last("channel-closed")?.reason, "closed-by-peer");
    assert.equal(device.last("channel-closed")?.route, device.last("incoming")?.route);
    assert.equal(rendezvous.server.statistics.relayPairs, 0);
  });

  forSeeds(3, "a megabyte passes the relay whole, both ways, also where datagrams are joined and lost", (scenario) => {
    const link: Partial<LinkSettings> = { rateMbps: 100, lossProbability: scenario.random.pick([0, 0.01]) };
    const setup = deploy(scenario, { link }, { joinProbability: 0.8 });
    const connection = introduce(setup);
    const { world, laptop, rendezvous } = setup;
    laptop.say(connection, 1_000_000);
    world.runUntil(() => laptop.echoedBytes === 1_000_000, 20_000);
    const { forwardedBytes, droppedPackets } = rendezvous.server.statistics;
    assert.ok(forwardedBytes > 2_000_000);
    assert.equal(droppedPackets, 0);
  });
});
