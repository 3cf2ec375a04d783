// Agents and a rendezvous over the real transport, in virtual time: how sessions begin, and how they survive.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import { AGENT_IDLE_TIMEOUT_MS } from "../../src/base/limits.ts";
import { readSession } from "../../src/wire/datagram.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import { twoNats } from "../sim/topology.ts";
import { deploy, echo, introduce, selector } from "./laptop-and-device.ts";
import { SmallAgent, SmallRendezvous } from "./small-agent.ts";

const sameAddress = (a: SocketAddress | undefined, b: SocketAddress | undefined): boolean =>
  a !== undefined && a.host === b?.host && a.port === b.port;

describe("a session begins", () => {
  forSeeds(2, "an agent registers within two round trips and hears the address that its router gave it", (scenario) => {
    const { world, laptop, siteA } = deploy(scenario);
    const tookMs = world.runUntil(() => laptop.count("registered") > 0, 1_000);
    assert.ok(tookMs <= 50, `${tookMs} ms, a round trip is 20`);
    assert.equal(laptop.last("registered")?.address.host, siteA.outermost?.ip);
    assert.deepEqual(
      laptop.events.map(({ type }) => type),
      ["connected", "registered"],
    );
  });

  forSeeds(
    1,
    "a rendezvous that is known by its address alone tells its key, which is used from then on",
    (scenario) => {
      const world = scenario.world();
      const { a, r } = twoNats(world, { a: "portRestricted", b: "none" });
      const rendezvous = new SmallRendezvous(r, world.random.fork("rendezvous"));
      const agent = new SmallAgent(world.random.fork("agent")).runOn(a, { address: rendezvous.target.address });
      world.runUntil(() => agent.count("registered") > 0, 1_000);
      assert.deepEqual(agent.last("identity")?.publicKey, rendezvous.identity.publicKey);
      assert.deepEqual(agent.client.publicKey, rendezvous.identity.publicKey);
    },
  );

  forSeeds(1, "a rendezvous that has another key than the pinned one is never connected to", (scenario) => {
    const world = scenario.world();
    const { a, r } = twoNats(world, { a: "portRestricted", b: "none" });
    const { target } = new SmallRendezvous(r, world.random.fork("rendezvous"));
    const { publicKey } = seededIdentity(world.random.fork("other"));
    const agent = new SmallAgent(world.random.fork("agent")).runOn(a, { ...target, publicKey });
    world.runFor(30_000);
    assert.equal(agent.count("connected"), 0);
    assert.ok(agent.count("unreachable") >= 4 && agent.count("unreachable") <= 10);
  });

  forSeeds(1, "of several addresses one that works is found soon", (scenario) => {
    const world = scenario.world();
    const { a, r } = twoNats(world, { a: "portRestricted", b: "none" });
    const { target } = new SmallRendezvous(r, world.random.fork("rendezvous"));
    const dead = socketAddress("203.0.113.250", 4700)!;
    const agent = new SmallAgent(world.random.fork("agent")).runOn(a, {
      ...target,
      address: dead,
      alternatives: [target.address],
    });
    world.runUntil(() => agent.count("registered") > 0, 1_500);
    assert.ok(sameAddress(agent.last("connected")?.address, target.address));
  });

  forSeeds(3, "a session comes about over a bad link", (scenario) => {
    const { world, laptop, device } = deploy(scenario, { link: { lossProbability: 0.2, jitterMs: 30 } });
    world.runUntil(() => laptop.count("registered") > 0 && device.count("registered") > 0, 30_000);
  });

  forSeeds(1, "a rendezvous that is full meets newcomers with silence, and takes them when it has room", (scenario) => {
    const world = scenario.world();
    const { a, b, r } = twoNats(world, { a: "portRestricted", b: "portRestricted" });
    const rendezvous = new SmallRendezvous(r, world.random.fork("rendezvous"), { bounds: { agentsMax: 1 } });
    const first = new SmallAgent(world.random.fork("first")).runOn(a, rendezvous.target);
    world.runUntil(() => first.count("registered") > 0, 1_000);
    const second = new SmallAgent(world.random.fork("second")).runOn(b, rendezvous.target);
    world.runFor(10_000);
    assert.equal(second.count("connected"), 0);
    assert.equal(rendezvous.server.statistics.agents, 1);
    first.do((nowMs) => first.client.stop(nowMs));
    world.runUntil(() => second.count("registered") > 0, 20_000);
  });

  forSeeds(
    1,
    "an agent that is sent to another rendezvous leaves the first one when the second has taken it",
    (scenario) => {
      const setup = deploy(scenario);
      introduce(setup);
      const { world, laptop, rendezvous } = setup;
      const elsewhere = world.addHost("R2", { ip: "192.0.2.2", port: 4700, link: { delayMs: 500 } });
      const second = new SmallRendezvous(elsewhere, world.random.fork("second"));
      laptop.do((nowMs) => laptop.client.start(nowMs, second.target));
      world.runFor(500);
      assert.ok(laptop.client.isConnected);
      assert.equal(laptop.count("connected"), 1);
      world.runUntil(() => laptop.count("connected") === 2, 2_000);
      assert.equal(laptop.last("channel-closed")?.reason, "rendezvous-lost");
      world.runUntil(() => rendezvous.server.statistics.agents === 1 && second.server.statistics.agents === 1, 2_000);
      assert.equal(laptop.count("lost"), 0);
      // Asked for what it has, it does nothing.
      laptop.do((nowMs) => laptop.client.start(nowMs, second.target));
      world.runFor(2_000);
      assert.equal(laptop.count("connected"), 2);
    },
  );
});

describe("a session survives", () => {
  forSeeds(2, "a restart of the rendezvous is found out when asked, and all is set up again", (scenario) => {
    const setup = deploy(scenario);
    introduce(setup);
    const { world, laptop, device, rendezvous } = setup;
    rendezvous.restart();
    for (const agent of [laptop, device]) agent.do((nowMs) => agent.client.poke(nowMs));
    world.runUntil(() => laptop.count("registered") === 2 && device.count("registered") === 2, 1_000);
    assert.equal(laptop.count("lost") + device.count("lost"), 0, "it was there again before it was missed");
    assert.equal(laptop.last("channel-closed")?.reason, "rendezvous-lost");
    const again = laptop.dial(device.identity.publicKey, selector);
    world.runUntil(() => laptop.peers.has(again), 1_000);
    echo(setup, again);
    world.runFor(5_000);
    assert.equal(laptop.endpoint.connectionCount, 2, "the old session and the old peer are let go");
  });

  forSeeds(
    4,
    "one packet that is lost on the way to the rendezvous is no reason to give the session up",
    (scenario) => {
      const setup = deploy(scenario);
      introduce(setup);
      const { world, a, r, laptop, rendezvous } = setup;
      world.runFor(1_000);
      world.firewall.cut(a, r);
      laptop.do((nowMs) => laptop.client.poke(nowMs));
      world.runFor(10);
      world.firewall.heal(a, r);
      world.runFor(20_000);
      assert.equal(laptop.count("lost"), 0);
      assert.equal(laptop.count("channel-closed"), 0);
      assert.equal(rendezvous.server.statistics.agents, 2);
    },
  );

  forSeeds(1, "a restart is found out by itself within a keepalive", (scenario) => {
    const setup = deploy(scenario);
    introduce(setup);
    const { world, laptop, device, rendezvous } = setup;
    rendezvous.restart();
    world.runUntil(() => laptop.count("registered") === 2 && device.count("registered") === 2, 25_000);
  });

  forSeeds(5, "a rendezvous that shuts down takes leave, and its agents are back 2.5 s after it", (scenario) => {
    const setup = deploy(scenario);
    introduce(setup);
    const { world, r, laptop, device, rendezvous } = setup;
    r.input((nowMs) => rendezvous.server.shutdown(nowMs));
    world.runUntil(() => laptop.count("lost") === 1 && device.count("lost") === 1, 200);
    assert.match(laptop.last("lost")!.message, /shutting down/);
    assert.equal(laptop.last("channel-closed")?.reason, "rendezvous-lost");
    world.runFor(scenario.random.between(100, 50_000));
    rendezvous.restart();
    world.runUntil(() => laptop.count("registered") === 2 && device.count("registered") === 2, 2_500);
  });

  forSeeds(2, "an outage of an hour: tries go on, seldom, and a minute after it all is well", (scenario) => {
    const setup = deploy(scenario);
    introduce(setup);
    const { world, a, r, laptop } = setup;
    world.firewall.cut(a, r);
    const before = a.datagramsSent;
    world.runFor(3_600_000);
    const perMinute = (a.datagramsSent - before) / 60;
    assert.ok(perMinute > 3 && perMinute < 40, `${perMinute} datagrams a minute`);
    assert.equal(laptop.count("lost"), 1);
    world.firewall.heal(a, r);
    world.runUntil(() => laptop.count("registered") === 2, 20_000);
  });

  forSeeds(
    2,
    "a short outage keeps the session or brings a new one, and the relayed connection goes on",
    (scenario) => {
      const setup = deploy(scenario);
      const connection = introduce(setup);
      const { world, a, r, laptop, rendezvous } = setup;
      // Both sides have heard of each other: a connection that only one side knows of does not outlive an outage.
      world.runFor(1_000);
      const outageMs = scenario.random.between(500, AGENT_IDLE_TIMEOUT_MS / 2);
      world.firewall.cut(a, r);
      laptop.do((nowMs) => laptop.client.poke(nowMs));
      world.runFor(outageMs);
      world.firewall.heal(a, r);
      world.runUntil(() => laptop.client.isConnected, 10_000);
      assert.ok(echo(setup, connection) < 5_000);
      assert.equal(laptop.count("channel-closed"), 0, "the channels went over to the new session");
      world.runFor(10_000);
      assert.equal(rendezvous.server.statistics.agents, 2, "the old session is gone");
    },
  );

  forSeeds(2, "the channels go over to a new session although the end of the old one is heard of first", (scenario) => {
    const setup = deploy(scenario);
    const { world, a, r, laptop, device } = setup;
    const old = new Set<number>();
    let responseAtMs = Number.POSITIVE_INFINITY;
    const fromA = (matches: (session: number) => boolean) =>
      world.firewall.add({
        from: a,
        to: r,
        matches: (packet) => packet[0] === 0xc4 && matches(readSession(packet, 0)),
      });
    const watch = fromA((session) => old.add(session) === undefined);
    const connection = introduce(setup);
    world.firewall.remove(watch);
    // The old session falls silent until a new handshake is answered; then its CLOSE passes, and the new one's packets are lost.
    fromA((session) => old.has(session) && world.nowMs < responseAtMs);
    fromA((session) => !old.has(session) && world.nowMs < responseAtMs + 400);
    const isResponse = (packet: Uint8Array): boolean => {
      if (packet[0] === 0xc2) responseAtMs = Math.min(responseAtMs, world.nowMs);
      return false;
    };
    world.firewall.add({ to: a, matches: isResponse });
    laptop.do((nowMs) => laptop.client.poke(nowMs));
    world.runUntil(() => laptop.count("registered") === 2, 10_000);
    assert.ok(echo(setup, connection) < 1_000);
    assert.equal(laptop.count("channel-closed") + device.count("channel-closed"), 0);
  });

  forSeeds(4, "a router that gives the agent another port interrupts the relay for a second at most", (scenario) => {
    const setup = deploy(scenario, { a: "symmetric" });
    const connection = introduce(setup);
    echo(setup, connection);
    const { laptop, siteA, world } = setup;
    siteA.outermost?.reboot();
    const tookMs = echo(setup, connection);
    assert.ok(tookMs <= 1_000, `${tookMs} ms`);
    const [before, after] = [laptop.last("registered")?.address, laptop.last("observed")?.address];
    assert.ok(before?.host === after?.host && before?.port !== after?.port);
    world.runFor(30_000);
    assert.equal(laptop.count("lost"), 0);
    assert.ok(echo(setup, connection) <= 100);
  });

  forSeeds(2, "an agent that moves to another network takes its session and its channels along", (scenario) => {
    const setup = deploy(scenario);
    const connection = introduce(setup);
    const { a, siteB, laptop, world } = setup;
    a.move(siteB.network, "10.2.0.77");
    laptop.do((nowMs) => laptop.client.handleNetworkChange(nowMs));
    world.runUntil(() => laptop.count("observed") > 0, 2_000);
    assert.equal(laptop.last("observed")?.address.host, setup.siteB.outermost?.ip);
    assert.ok(echo(setup, connection) < 5_000);
    assert.equal(laptop.count("lost") + laptop.count("channel-closed"), 0);
  });

  forSeeds(
    2,
    "an agent that slept and does not know it learns that its channels are gone when it uses them",
    (scenario) => {
      const setup = deploy(scenario);
      const connection = introduce(setup);
      const { world, a, laptop, device } = setup;
      a.pause({ clockStops: true });
      world.runFor(5 * 60_000);
      assert.equal(device.last("channel-closed")?.reason, "peer-gone");
      a.resume();
      laptop.do((nowMs) => laptop.client.poke(nowMs));
      world.runUntil(() => laptop.count("registered") === 2, 10_000);
      assert.equal(laptop.count("channel-closed"), 0);
      laptop.say(connection, 100);
      world.runUntil(() => laptop.count("channel-closed") === 1, 5_000);
      assert.equal(laptop.last("channel-closed")?.reason, "peer-gone");
    },
  );

  forSeeds(1, "an agent that is gone is forgotten, and its peer is told", (scenario) => {
    const setup = deploy(scenario);
    introduce(setup);
    const { world, b, laptop, rendezvous } = setup;
    b.run(undefined);
    world.runUntil(() => laptop.count("channel-closed") === 1, AGENT_IDLE_TIMEOUT_MS + 30_000);
    assert.equal(laptop.last("channel-closed")?.reason, "peer-gone");
    assert.equal(rendezvous.server.statistics.agents, 1);
  });

  forSeeds(1, "an agent never holds two sessions for long, whatever is done to it", (scenario) => {
    const setup = deploy(scenario);
    introduce(setup);
    const { world, a, r, laptop, rendezvous } = setup;
    for (let i = 0; i < 40; i++) {
      if (scenario.random.chance(0.5)) world.firewall.cut(a, r);
      else world.firewall.heal(a, r);
      if (scenario.random.chance(0.5)) laptop.do((nowMs) => laptop.client.poke(nowMs));
      if (scenario.random.chance(0.2)) laptop.do((nowMs) => laptop.client.handleNetworkChange(nowMs));
      if (scenario.random.chance(0.1)) rendezvous.restart();
      world.runFor(scenario.random.between(100, 8_000));
      assert.ok(laptop.endpoint.connectionCount <= 5, `${laptop.endpoint.connectionCount} connections`);
    }
    world.firewall.clear();
    // A restart just now is found out within a keepalive.
    world.runFor(30_000);
    assert.ok(laptop.client.isConnected && setup.device.client.isConnected);
    assert.equal(rendezvous.server.statistics.agents, 2);
    const again = laptop.dial(setup.device.identity.publicKey, selector);
    world.runUntil(() => laptop.peers.has(again), 5_000);
  });
});
