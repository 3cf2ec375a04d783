// Deployments whose UDP is dead, or dies and comes back: everything goes on over streams meanwhile.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import {
  RENDEZVOUS_UDP_HOLD_MS,
  RENDEZVOUS_UDP_PATIENCE_MS,
  RENDEZVOUS_UDP_RETRY_MAX_MS,
  SIMULTANEOUS_OPEN_MS,
  STREAM_IDLE_MS,
} from "../../src/base/limits.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { encodeCandidates } from "../../src/wire/candidate.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import { World } from "../sim/world.ts";
import { type AgentHost, Deployment, type Exchange } from "./deployment.ts";
import { StreamConnections } from "./stream-connections.ts";

/** What the data of its peer went over, at each change. */
const oversOf = (side: AgentHost): string[] =>
  side.events.flatMap((event) => (event.type === "path" ? [`${event.via} ${event.over}`] : []));

function cutUdp({ world, nats }: Deployment): void {
  world.firewall.cut(nats.a, nats.r);
  world.firewall.cut(nats.b, nats.r);
  world.firewall.cut(nats.a, nats.b);
}

function mendUdp({ world, nats }: Deployment): void {
  world.firewall.heal(nats.a, nats.r);
  world.firewall.heal(nats.b, nats.r);
  world.firewall.heal(nats.a, nats.b);
}

test("behind routers that block UDP the first byte comes 300 ms after UDP is taken to be dead, over the relay", () => {
  const world = new World({ seed: 1 });
  const deployment = new Deployment(world, { a: "udpBlocked", b: "udpBlocked" });
  const streams = new StreamConnections(deployment);
  deployment.expose();
  const startMs = world.nowMs;
  const dial = deployment.connect();
  const exchange = deployment.laptop.request(dial, 1_000) as Exchange;
  world.runUntil(() => exchange.firstByteAtMs !== undefined, 1_000);
  const tookMs = world.nowMs - startMs - RENDEZVOUS_UDP_PATIENCE_MS;
  assert.ok(tookMs <= 300, `${tookMs} ms`);
  world.runUntil(() => exchange.ended, 5_000);
  world.runFor(60_000);
  assert.deepEqual(oversOf(deployment.laptop), ["relay tcp"]);
  assert.equal(streams.links.size, 2);
});

test("of several streams the first that answers is used, and the others are closed", () => {
  const world = new World({ seed: 2 });
  const deployment = new Deployment(world, { a: "udpBlocked", b: "udpBlocked" });
  const streams = new StreamConnections(deployment);
  streams.withWebsockets = true;
  deployment.expose();
  deployment.connect();
  world.runFor(1_000);
  assert.equal(streams.links.size, 2);
  assert.deepEqual(oversOf(deployment.laptop), ["relay tcp"]);
});

test("a peer that names another address all the time makes an agent connect to one of them at a time", () => {
  const world = new World({ seed: 3 });
  const deployment = new Deployment(world, { a: "udpBlocked", b: "udpBlocked" });
  new StreamConnections(deployment);
  deployment.expose();
  deployment.connect();
  world.runFor(1_000);
  const { laptop, device } = deployment;
  const { peers } = laptop.agent as unknown as { readonly peers: ReadonlyMap<Connection, unknown> };
  const connection = [...peers.keys()][0] as Connection;
  const say = connection.sendCandidates.bind(connection);
  Object.assign(connection, { sendCandidates: () => {} });
  const wanted = (): number =>
    device.events.filter((event) => event.type === "carrier-wanted" && event.goal.to === "peer").length;
  const before = wanted();
  const nat = { mapping: "unknown", filtering: "unknown", portsPreserved: false } as const;
  for (let port = 1; port <= 1_000; port++) {
    const address = socketAddress("203.0.113.200", port) as SocketAddress;
    const candidates = [{ type: "server-reflexive", transport: "tcp", address }] as const;
    laptop.host.input(() => say(encodeCandidates({ nat, candidates })));
    world.runFor(30);
  }
  const count = wanted() - before;
  assert.ok(count >= 2 && count <= 1 + 30_000 / SIMULTANEOUS_OPEN_MS, `${count} times`);
});

test("two agents over TCP look for a direct connection, and use it", () => {
  const world = new World({ seed: 3 });
  const deployment = new Deployment(world, { a: "udpBlocked", b: "udpBlocked" });
  const streams = new StreamConnections(deployment);
  streams.meets = true;
  deployment.expose();
  const dial = deployment.connect();
  const { laptop, device } = deployment;
  device.answerBytes = 3_000_000;
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => oversOf(laptop).includes("direct tcp") && oversOf(device).includes("direct tcp"), 2_000);
  world.runUntil(() => exchange.ended, 20_000);
  // When it breaks the relay serves, and another one is made.
  const [direct] = [...streams.links].slice(-1);
  direct?.close();
  const again = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => again.ended, 20_000);
  world.runUntil(() => oversOf(laptop).at(-1) === "direct tcp", 70_000);
  assert.deepEqual(oversOf(laptop), ["relay tcp", "direct tcp", "relay tcp", "direct tcp"]);
});

test("where UDP works no stream is ever asked for", () => {
  const world = new World({ seed: 4 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "symmetric" });
  const streams = new StreamConnections(deployment);
  deployment.expose();
  deployment.connect();
  world.runFor(600_000);
  assert.equal(streams.asked, 0);
});

forSeeds(5, "a relayed transfer outlives the death of UDP and its return, on the same channels", (scenario) => {
  const { random } = scenario;
  const world = scenario.world();
  const delayMs = random.between(1, 80);
  const link = { rateMbps: 6, queueBytes: 100_000 };
  const deployment = new Deployment(world, { a: "symmetric", b: "symmetric", delayMs, link });
  const streams = new StreamConnections(deployment, { delayMs: delayMs / 2, rateMbps: 6 });
  deployment.expose();
  const { laptop, device, server } = deployment;
  device.answerBytes = 30_000_000;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.received > 1_000_000, 10_000);
  world.runFor(random.between(0, 1_000));
  const pairs = server.statistics.relayPairs;

  cutUdp(deployment);
  const receivedAtCut = exchange.received;
  world.runUntil(() => exchange.received > receivedAtCut + 2_000_000, 12_000);
  assert.equal(oversOf(device).at(-1), "relay tcp");
  world.runFor(random.between(0, 5_000));

  mendUdp(deployment);
  const isBack = (side: AgentHost): boolean => oversOf(side).at(-1) === "relay udp";
  world.runUntil(() => isBack(device) && isBack(laptop), RENDEZVOUS_UDP_RETRY_MAX_MS + 2_000);
  assert.ok(!exchange.ended, "the transfer was still under way");
  world.runUntil(() => exchange.ended, 60_000);
  assert.equal(exchange.received, device.answerBytes);
  assert.equal(server.statistics.relayPairs, pairs);
  for (const side of [device, laptop])
    assert.equal(side.events.filter(({ type }) => type === "peer-connected").length, 1);
  world.runFor(RENDEZVOUS_UDP_HOLD_MS + STREAM_IDLE_MS);
  assert.equal(streams.links.size, 0, "streams that nobody needs are closed");
});

forSeeds(
  6,
  "a direct transfer goes on over TCP soon after UDP's death, however uneven the round trips were before",
  (scenario) => {
    const { random } = scenario;
    const world = scenario.world();
    const link = { rateMbps: 4, queueBytes: 60_000, jitterMs: scenario.seed % 2 === 0 ? 200 : 0 };
    const delayMs = random.between(1, 60);
    const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted", delayMs, link });
    const streams = new StreamConnections(deployment, { delayMs: delayMs / 2, rateMbps: 4 });
    streams.meets = random.chance(0.7);
    deployment.expose();
    const { laptop, device } = deployment;
    device.answerBytes = 16_000_000;
    const dial = deployment.connect();
    const exchange = laptop.request(dial, 10) as Exchange;
    const isDirect = (side: AgentHost): boolean => oversOf(side).at(-1) === "direct udp";
    world.runUntil(() => isDirect(device) && isDirect(laptop), 20_000);
    world.runFor(random.between(0, 3_000));

    cutUdp(deployment);
    // What was under way still arrives.
    world.runFor(500);
    const receivedAtCut = exchange.received;
    world.runUntil(() => exchange.received > receivedAtCut, link.jitterMs === 0 ? 5_000 : 10_000);
    world.runFor(random.between(0, 8_000));

    mendUdp(deployment);
    world.runUntil(() => isDirect(device) && isDirect(laptop), RENDEZVOUS_UDP_RETRY_MAX_MS + 5_000);
    world.runUntil(() => exchange.ended, 90_000);
    assert.equal(exchange.received, device.answerBytes);
  },
);

forSeeds(15, "streams that break, hang or are refused, and UDP that comes and goes, lose nothing", (scenario) => {
  const { random } = scenario;
  const world = scenario.world();
  const deployment = new Deployment(world, {
    a: random.pick(["symmetric", "portRestricted"] as const),
    b: "portRestricted",
    delayMs: random.between(1, 60),
    link: { rateMbps: 20, queueBytes: 100_000 },
  });
  const streams = new StreamConnections(deployment, {
    delayMs: random.between(1, 40),
    rateMbps: random.between(5, 50),
    retransmitProbability: random.between(0, 0.01),
  });
  streams.meets = random.chance(0.5);
  streams.withWebsockets = random.chance(0.5);
  deployment.expose();
  const { laptop, device } = deployment;
  device.answerBytes = 1_500_000;
  const dial = deployment.connect();
  const exchanges = [laptop.request(dial, 1_000_000) as Exchange];
  for (let i = 0; i < 8; i++) {
    const trouble = random.integer(0, 4);
    if (trouble === 0) cutUdp(deployment);
    if (trouble === 1) mendUdp(deployment);
    if (trouble === 2) streams.breakAll();
    if (trouble === 3) for (const link of streams.links) link.cut();
    if (trouble === 4) streams.opens = !streams.opens;
    world.runFor(random.between(0, 6_000));
    const another = laptop.request(dial, 1_000);
    if (another !== undefined) exchanges.push(another);
  }
  // All is well again, but for what a network that forgot them has closed.
  streams.opens = true;
  for (const link of streams.links) link.mend();
  if (random.chance(0.5)) mendUdp(deployment);
  world.runUntil(() => exchanges.every((exchange) => exchange.ended), 180_000);
  for (const exchange of exchanges) assert.equal(exchange.received, device.answerBytes);
  // The two sides have settled on one path, however many there were on the way.
  world.runFor(RENDEZVOUS_UDP_RETRY_MAX_MS + RENDEZVOUS_UDP_HOLD_MS);
  const pathIds = (): unknown => dial.connected?.connection.paths.all.map(({ id }) => id);
  const settled = pathIds();
  const another = laptop.request(dial, 500_000) as Exchange;
  world.runUntil(() => another.ended, 30_000);
  assert.deepEqual(pathIds(), settled);
});

forSeeds(5, "a rendezvous that is started anew finds its agents again over TCP", (scenario) => {
  const world = scenario.world();
  const deployment = new Deployment(world, { a: "udpBlocked", b: "udpBlocked" });
  const streams = new StreamConnections(deployment);
  deployment.expose();
  const { laptop, device } = deployment;
  device.answerBytes = 8_000_000;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.received > 100_000, 5_000);
  deployment.nats.r.run(undefined);
  streams.breakAll();
  world.runFor(scenario.random.between(100, 20_000));
  const before = exchange.received;
  deployment.startRendezvous();
  world.runUntil(() => exchange.received > before + 100_000, 30_000);
  world.runUntil(() => exchange.ended, 60_000);
});

test("a stream that brings no agent is closed before long, and one that its agent has left", () => {
  const world = new World({ seed: 5 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted" });
  const closed: number[] = [];
  deployment.onServerEvent = (event) => {
    if (event.type === "carrier-unwanted") closed.push(event.carrier);
  };
  const { r, a } = deployment.nats;
  r.input((nowMs) => deployment.server.handleCarrierOpened(nowMs, 2_000_000, { ...a.address, port: 50_000 }));
  world.runFor(STREAM_IDLE_MS / 2);
  assert.deepEqual(closed, []);
  world.runFor(STREAM_IDLE_MS);
  assert.deepEqual(closed, [2_000_000]);
});
