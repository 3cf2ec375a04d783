// Two agents that need no introduction, because one knows where the other is: without any rendezvous, and with one that comes later.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import { randomBytes } from "../../src/base/random.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { createSecret } from "../../src/crypto/secret.ts";
import { RendezvousServer } from "../../src/rendezvous/rendezvous-server.ts";
import type { Dial } from "../../src/tunnel/dial.ts";
import type { RendezvousPlace } from "../../src/tunnel/rendezvous-link.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { type NatKind, type TwoNats, twoNats } from "../sim/topology.ts";
import { World } from "../sim/world.ts";
import { AgentHost, type Exchange } from "./deployment.ts";

/** A device on a public address, a laptop behind a NAT, and nobody between them. */
class Pair {
  readonly world: World;
  readonly nats: TwoNats;
  readonly device: AgentHost;
  readonly laptop: AgentHost;
  private readonly random: SeededRandom;
  private readonly secret: Uint8Array;
  private place: RendezvousPlace | undefined;

  constructor(world: World, laptop: NatKind = "portRestricted") {
    this.world = world;
    this.nats = twoNats(world, { a: "none", b: laptop, delayMs: 40, link: { rateMbps: 20, queueBytes: 100_000 } });
    this.random = new SeededRandom(world.options.seed).fork("pair");
    this.secret = createSecret(this.random);
    this.device = new AgentHost(this.nats.a, this.random.fork("device"));
    this.laptop = new AgentHost(this.nats.b, this.random.fork("laptop"));
    this.expose();
  }

  expose(): void {
    const service = { name: "web", secret: this.secret, allow: [], public: false };
    this.nats.a.input((nowMs) => this.device.agent.expose(nowMs, service));
  }

  dial(addresses: readonly SocketAddress[]): Dial {
    const peer = this.device.identity.publicKey;
    const options = { peer, secret: this.secret, service: "web", addresses };
    return this.nats.b.input((nowMs) => this.laptop.agent.dial(nowMs, options));
  }

  /** Asks for the device's answer. */
  request(dial: Dial): Exchange {
    return this.laptop.request(dial, 10) as Exchange;
  }

  startRendezvous(): void {
    const identity = seededIdentity(this.random);
    const server = new RendezvousServer({
      identity,
      instance: randomBytes(this.random, 8),
      random: this.random.fork("rendezvous"),
      cipher: bestPacketCipher(),
      log: silentLog,
    });
    const { address } = this.nats.r;
    this.nats.r.run(server, () => {
      while (server.pollEvent() !== undefined) {}
    });
    this.place = { host: address.host, port: address.port, addresses: [address], publicKey: identity.publicKey };
    this.useRendezvous(this.device);
    this.useRendezvous(this.laptop);
  }

  useRendezvous({ host, agent }: AgentHost): void {
    const { place } = this;
    if (place !== undefined && host.machine !== undefined) host.input((nowMs) => agent.setRendezvous(nowMs, [place]));
  }
}

test("where the peer's address is known a stream is answered within two round trips, and no rendezvous is missed", () => {
  const world = new World({ seed: 11 });
  const pair = new Pair(world);
  const startMs = world.nowMs;
  const dial = pair.dial([pair.nats.a.address]);
  world.runUntil(() => dial.connected !== undefined, 1_000);
  const exchange = pair.request(dial);
  world.runUntil(() => exchange.firstByteAtMs !== undefined, 1_000);
  assert.ok(world.nowMs - startMs < 4 * 40 + 30, `first byte after ${world.nowMs - startMs} ms`);
  world.runUntil(() => exchange.ended, 5_000);
  world.runFor(60_000);
  assert.deepEqual(pair.laptop.paths, ["direct"]);
  assert.deepEqual(pair.device.paths, ["direct"]);
  assert.ok(!pair.laptop.saw("dial-waiting"));
});

test("of several addresses the one that answers is enough, and one that becomes known later is tried at once", () => {
  const world = new World({ seed: 12 });
  const pair = new Pair(world);
  const nobody = { family: 4, host: "203.0.113.250", port: 9 } as const;
  const several = pair.dial([nobody, pair.nats.a.address]);
  world.runUntil(() => several.connected !== undefined, 500);

  const late = new Pair(new World({ seed: 13 }));
  const dial = late.dial([]);
  late.world.runFor(30_000);
  late.nats.b.input((nowMs) => dial.setAddresses(nowMs, [late.nats.a.address]));
  late.world.runUntil(() => dial.connected !== undefined, 500);

  const moved = new Pair(new World({ seed: 14 }));
  const wrong = moved.dial([nobody]);
  moved.world.runFor(1_000);
  moved.nats.b.input((nowMs) => wrong.setAddresses(nowMs, [moved.nats.a.address]));
  moved.world.runUntil(() => wrong.connected !== undefined, 2_500);
});

test("a peer whose address does not answer is waited for, told of once, and connected to when it is there", () => {
  const world = new World({ seed: 15 });
  const pair = new Pair(world);
  pair.nats.a.run(undefined);
  const dial = pair.dial([pair.nats.a.address]);
  world.runFor(120_000);
  const waiting = pair.laptop.events.filter((event) => event.type === "dial-waiting");
  assert.deepEqual(
    waiting.map((event) => event.reason),
    ["no-answer"],
  );
  pair.device.start();
  pair.expose();
  world.runUntil(() => dial.connected !== undefined, 25_000);
});

forSeeds(10, "without a rendezvous a peer that was killed and started anew is connected again", (scenario) => {
  const pair = new Pair(scenario.world());
  const { world, laptop } = pair;
  const dial = pair.dial([pair.nats.a.address]);
  world.runUntil(() => dial.connected !== undefined, 1_000);
  world.runFor(scenario.random.between(0, 20_000));
  const before = dial.connected;
  pair.device.start();
  pair.expose();
  const hanging = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => dial.connected !== undefined && dial.connected !== before, 15_000);
  assert.notEqual(hanging.resetCode, undefined);
  const exchange = pair.request(dial);
  world.runUntil(() => exchange.ended, 5_000);
});

forSeeds(10, "without a rendezvous a transfer goes on after an outage", (scenario) => {
  const pair = new Pair(scenario.world());
  const { world, nats, device } = pair;
  device.answerBytes = 4_000_000;
  const dial = pair.dial([nats.a.address]);
  world.runUntil(() => dial.connected !== undefined, 1_000);
  const exchange = pair.request(dial);
  world.runUntil(() => exchange.received > 100_000, 5_000);
  world.firewall.cut(nats.a, nats.b);
  world.runFor(scenario.random.between(500, 40_000));
  world.firewall.heal(nats.a, nats.b);
  world.runUntil(() => exchange.ended, 30_000);
  assert.equal(exchange.received, device.answerBytes);
});

forSeeds(10, "a rendezvous that comes later serves as the fallback when the address dies", (scenario) => {
  const pair = new Pair(scenario.world());
  const { world, nats, device, laptop } = pair;
  device.answerBytes = 6_000_000;
  const dial = pair.dial([nats.a.address]);
  world.runUntil(() => dial.connected !== undefined, 1_000);
  const exchange = pair.request(dial);
  world.runFor(scenario.random.between(0, 1_000));
  pair.startRendezvous();
  world.runFor(500);
  const before = exchange.received;
  world.firewall.cut(nats.a, nats.b);
  world.runFor(3_000);
  assert.ok(exchange.received > before + 20_000, `nothing came in 3 s: ${exchange.received - before} bytes`);
  assert.equal(laptop.paths.at(-1), "relay");
  world.firewall.heal(nats.a, nats.b);
  world.runUntil(() => laptop.paths.at(-1) === "direct", 40_000);
  world.runUntil(() => exchange.ended, 30_000);
  assert.equal(exchange.received, device.answerBytes);
});

test("where rendezvous and address are both known, the rendezvous connects while the address is dead", () => {
  const world = new World({ seed: 16 });
  const pair = new Pair(world);
  pair.startRendezvous();
  world.firewall.cut(pair.nats.a, pair.nats.b);
  const dial = pair.dial([pair.nats.a.address]);
  world.runUntil(() => dial.connected !== undefined, 1_500);
  const exchange = pair.request(dial);
  world.runUntil(() => exchange.ended, 5_000);
  assert.deepEqual(pair.laptop.paths, ["relay"]);
});

forSeeds(10, "where the address is dead, a peer that comes to the rendezvous is connected to at once", (scenario) => {
  const pair = new Pair(scenario.world());
  const { world, nats, device, laptop } = pair;
  nats.a.run(undefined);
  pair.startRendezvous();
  const dial = pair.dial([{ family: 4, host: "203.0.113.250", port: 9 }]);
  world.runFor(scenario.random.between(20_000, 60_000));
  const waiting = laptop.events.flatMap((event) => (event.type === "dial-waiting" ? [event.reason] : []));
  assert.deepEqual(waiting, ["peer-absent", "no-answer"], "each reason is told once");
  device.start();
  pair.expose();
  pair.useRendezvous(device);
  world.runUntil(() => dial.connected !== undefined, 1_000);
});
