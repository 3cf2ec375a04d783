// Agents with more than one rendezvous, or one that moves: what one of them cannot do another does.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import { randomBytes } from "../../src/base/random.ts";
import type { Identity } from "../../src/crypto/identity.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { RendezvousServer } from "../../src/rendezvous/rendezvous-server.ts";
import type { RendezvousPlace } from "../../src/tunnel/rendezvous-link.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import type { Host } from "../sim/host.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { World } from "../sim/world.ts";
import { type AgentHost, Deployment, type Exchange } from "./deployment.ts";

/** A rendezvous at a host of its own. */
class FurtherRendezvous {
  readonly host: Host;
  readonly place: RendezvousPlace;
  /** Sessions that began here. */
  sessions = 0;

  constructor(world: World, name: string, ip: string, identity: Identity) {
    this.host = world.addHost(name, { ip, port: 4700 });
    this.place = placeAt(name, this.host.address, identity);
    const random = new SeededRandom(world.options.seed).fork(name);
    const instance = randomBytes(random, 8);
    const server = new RendezvousServer({ identity, instance, random, cipher: bestPacketCipher(), log: silentLog });
    this.host.run(server, () => {
      for (let event = server.pollEvent(); event !== undefined; event = server.pollEvent()) {
        if (event.type === "agent-connected") this.sessions++;
      }
    });
  }
}

const placeAt = (host: string, address: SocketAddress, { publicKey }: Identity): RendezvousPlace => ({
  host,
  port: address.port,
  addresses: [address],
  publicKey,
});

/** The rendezvous that every deployment has. */
const firstOf = ({ nats, rendezvousIdentity }: Deployment): RendezvousPlace =>
  placeAt("first", nats.r.address, rendezvousIdentity);

function use(places: readonly RendezvousPlace[], ...sides: readonly AgentHost[]): void {
  for (const side of sides) side.host.input((nowMs) => side.agent.setRendezvous(nowMs, places));
}

forSeeds(8, "a relayed transfer goes on by the second rendezvous when the first dies, and stays there", (scenario) => {
  const world = scenario.world();
  const { random } = scenario;
  const deployment = new Deployment(world, {
    a: "symmetric",
    b: "symmetric",
    delayMs: random.between(1, 100),
    link: { rateMbps: 10, queueBytes: 100_000 },
  });
  const { laptop, device, nats } = deployment;
  const second = new FurtherRendezvous(world, "second", "192.0.2.2", seededIdentity(random));
  use([firstOf(deployment), second.place], laptop, device);
  deployment.expose();
  device.answerBytes = 12_000_000;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.received > 500_000, 5_000);
  const relayOf = (side: AgentHost): string | undefined => {
    const path = side.events.findLast((event) => event.type === "path");
    return path?.type === "path" ? path.remote.host : undefined;
  };
  assert.equal(relayOf(laptop), nats.r.address.host);

  nats.r.run(undefined);
  world.runFor(500);
  const before = exchange.received;
  world.runUntil(() => exchange.received > before + 100_000, 6_000);
  assert.equal(relayOf(laptop), second.host.address.host);
  world.runFor(random.between(0, 3_000));
  deployment.startRendezvous();
  world.runUntil(() => exchange.ended, 60_000);
  assert.equal(exchange.received, device.answerBytes);
  for (const side of [laptop, device]) {
    const relays = side.events.flatMap((event) => (event.type === "path" ? [event.remote.host] : []));
    assert.deepEqual(relays, [nats.r.address.host, second.host.address.host]);
    assert.equal(side.events.filter(({ type }) => type === "peer-connected").length, 1);
    // The first one is there again for whoever asks for introductions.
    const last = side.events.findLast((event) => event.type === "rendezvous" && event.host === "first");
    assert.ok(last?.type === "rendezvous" && last.state === "connected");
  }
});

test("two agents find each other at the one rendezvous that both reach", () => {
  const world = new World({ seed: 1 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "symmetric" });
  const { laptop, device, nats } = deployment;
  const random = new SeededRandom(1);
  const second = new FurtherRendezvous(world, "second", "192.0.2.2", seededIdentity(random));
  const third = new FurtherRendezvous(world, "third", "192.0.2.3", seededIdentity(random));
  world.firewall.cut(nats.a, nats.r);
  world.firewall.cut(nats.b, third.host);
  use([firstOf(deployment), second.place, third.place], laptop, device);
  deployment.expose();
  world.runFor(1_000);
  const dial = deployment.dial();
  world.runUntil(() => dial.connected !== undefined, 1_000);
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.ended, 2_000);
});

test("a peer that comes to another rendezvous than the first is told of there", () => {
  const world = new World({ seed: 2 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted" });
  const { laptop, device, nats } = deployment;
  const second = new FurtherRendezvous(world, "second", "192.0.2.2", seededIdentity(new SeededRandom(2)));
  world.firewall.cut(nats.a, nats.r);
  world.firewall.cut(nats.a, second.host);
  use([firstOf(deployment), second.place], laptop, device);
  deployment.expose();
  const dial = deployment.dial();
  world.runFor(60_000);
  assert.equal(dial.connected, undefined);
  world.firewall.heal(nats.a, second.host);
  world.runUntil(() => dial.connected !== undefined, 20_000);
});

test("one rendezvous under two names is used once", () => {
  const world = new World({ seed: 3 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted" });
  const { laptop, device } = deployment;
  const one = new FurtherRendezvous(world, "one", "192.0.2.2", seededIdentity(new SeededRandom(3)));
  const other = { ...one.place, host: "other" };
  use([one.place, other], laptop, device);
  deployment.expose();
  const dial = deployment.connect();
  world.runFor(600_000);
  assert.ok(one.sessions <= 4, `${one.sessions} sessions`);
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.ended, 2_000);
});

forSeeds(4, "a relayed transfer follows a rendezvous that moves to another address", (scenario) => {
  const world = scenario.world();
  const { random } = scenario;
  const deployment = new Deployment(world, {
    a: "symmetric",
    b: "symmetric",
    delayMs: random.between(1, 100),
    link: { rateMbps: 10, queueBytes: 100_000 },
  });
  const { laptop, device, nats, rendezvousIdentity } = deployment;
  use([firstOf(deployment)], laptop, device);
  deployment.expose();
  device.answerBytes = 5_000_000;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.received > 500_000, 5_000);
  const moved = new FurtherRendezvous(world, "moved", "192.0.2.9", rendezvousIdentity);
  nats.r.run(undefined);
  world.runFor(random.between(0, 20_000));
  const place = { ...firstOf(deployment), addresses: [moved.host.address] };
  use([place], device);
  world.runFor(random.between(0, 3_000));
  use([place], laptop);
  world.runUntil(() => exchange.ended, 40_000);
  assert.equal(exchange.received, device.answerBytes);
});

test("a rendezvous whose addresses are told in another order, or with further ones, is not left", () => {
  const world = new World({ seed: 4 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted" });
  const { laptop, device } = deployment;
  const one = new FurtherRendezvous(world, "one", "192.0.2.2", seededIdentity(new SeededRandom(4)));
  const elsewhere: SocketAddress = { family: 4, host: "192.0.2.77", port: 4700 };
  use([one.place], laptop, device);
  world.runFor(5_000);
  assert.equal(one.sessions, 2);
  use([{ ...one.place, addresses: [elsewhere, ...one.place.addresses] }], laptop, device);
  world.runFor(60_000);
  assert.equal(one.sessions, 2);
});

test("relay channels that are not needed any more are given back", () => {
  const world = new World({ seed: 5 });
  const deployment = new Deployment(world, { a: "symmetric", b: "symmetric" });
  const { laptop, device, server } = deployment;
  deployment.expose();
  // A stranger is met with silence, and asks again and again.
  deployment.dial(new Uint8Array(16).fill(9));
  for (let i = 0; i < 120; i++) {
    world.runFor(1_000);
    assert.ok(server.statistics.relayPairs <= 1, `${server.statistics.relayPairs} pairs after ${i} s`);
  }
  const dial = deployment.connect();
  for (let i = 0; i < 3; i++) {
    const connection = dial.connected;
    device.start();
    deployment.useRendezvous(device);
    deployment.expose();
    world.runUntil(() => dial.connected !== undefined && dial.connected !== connection, 40_000);
    const exchange = laptop.request(dial, 10) as Exchange;
    world.runUntil(() => exchange.ended, 5_000);
    // The stranger's may be there at the moment.
    assert.ok(server.statistics.relayPairs <= 2, `${server.statistics.relayPairs} pairs`);
  }
});
