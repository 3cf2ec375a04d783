// Whole deployments: introduction, relay, direct path, and what happens when one of the three goes away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { forSeeds } from "../sim/for-seeds.ts";
import { World } from "../sim/world.ts";
import { Deployment, type Exchange } from "./deployment.ts";

test("behind two port-restricted NATs data flow at once and the path becomes direct within two relay round trips", () => {
  const world = new World({ seed: 1 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted", delayMs: 40 });
  deployment.expose();
  world.runFor(1_000);
  const { laptop, device } = deployment;
  const dialAtMs = world.nowMs;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 1_000) as Exchange;
  world.runUntil(() => exchange.firstByteAtMs !== undefined, 1_000);
  // 40 ms from agent to agent over the relay, one way: the handshake and the request take a round trip each.
  assert.ok(world.nowMs - dialAtMs < 4 * 40 + 60, `first byte after ${world.nowMs - dialAtMs} ms`);
  world.runUntil(() => laptop.paths.includes("direct") && device.paths.includes("direct"), 1_000);
  assert.ok(world.nowMs - dialAtMs < 8 * 40, `direct after ${world.nowMs - dialAtMs} ms`);
  world.runUntil(() => exchange.ended, 5_000);
  assert.equal(exchange.received, device.answerBytes);
});

test("an agent lets what comes wait for a small part of its shortest round trip, and as long as anybody likes without a peer", () => {
  const world = new World({ seed: 1 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted", delayMs: 40 });
  const { laptop } = deployment;
  assert.equal(laptop.agent.patienceMs(), Number.POSITIVE_INFINITY);
  deployment.expose();
  world.runFor(1_000);
  laptop.request(deployment.connect(), 1_000);
  world.runUntil(() => laptop.paths.includes("direct"), 5_000);
  world.runFor(2_000);
  const patienceMs = laptop.agent.patienceMs();
  assert.ok(patienceMs > 80 / 20 && patienceMs < 80 / 12, `${patienceMs} ms of 80`);
});

test("between two symmetric NATs everything goes over the relay, for ever", () => {
  const world = new World({ seed: 2 });
  const deployment = new Deployment(world, { a: "symmetric", b: "symmetric", delayMs: 20 });
  deployment.expose();
  deployment.device.answerBytes = 1_000_000;
  const dial = deployment.connect();
  const exchange = deployment.laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.ended, 20_000);
  assert.equal(exchange.received, 1_000_000);
  assert.deepEqual(deployment.laptop.paths, ["relay"]);
});

forSeeds(25, "a transfer survives the direct path being cut and comes back to it", (scenario) => {
  const world = scenario.world();
  const { random } = scenario;
  const deployment = new Deployment(world, {
    a: "portRestricted",
    b: "portRestricted",
    delayMs: random.between(1, 150),
    link: { rateMbps: 20, queueBytes: 100_000, lossProbability: random.between(0, 0.0005) },
  });
  deployment.expose();
  const { laptop, device, nats } = deployment;
  device.answerBytes = 12_000_000;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => laptop.paths.includes("direct") && device.paths.includes("direct"), 5_000);
  world.runFor(random.between(0, 1_000));
  world.firewall.cut(nats.a, nats.b);
  const before = exchange.received;
  world.runFor(3_000);
  assert.ok(exchange.received > before + 20_000, `nothing came in 3 s: ${exchange.received - before} bytes`);
  assert.equal(device.paths.at(-1), "relay");
  world.runFor(random.between(0, 10_000));
  world.firewall.heal(nats.a, nats.b);
  world.runUntil(() => device.paths.at(-1) === "direct", 40_000);
  world.runUntil(() => exchange.ended, 120_000);
  assert.equal(exchange.received, device.answerBytes);
});

forSeeds(10, "a relayed transfer goes on when a restarted rendezvous is back", (scenario) => {
  const world = scenario.world();
  const deployment = new Deployment(world, {
    a: "symmetric",
    b: "symmetric",
    delayMs: scenario.random.between(1, 100),
    link: { rateMbps: 20, queueBytes: 100_000 },
  });
  deployment.expose();
  const { laptop, device, nats } = deployment;
  device.answerBytes = 4_000_000;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.received > 100_000, 5_000);
  nats.r.run(undefined);
  world.runFor(scenario.random.between(100, 30_000));
  deployment.startRendezvous();
  const before = exchange.received;
  world.runUntil(() => exchange.received > before + 100_000, 30_000);
  world.runUntil(() => exchange.ended, 60_000);
  assert.equal(exchange.received, device.answerBytes);
});

forSeeds(10, "on the direct path the death of the rendezvous is not noticed", (scenario) => {
  const world = scenario.world();
  const deployment = new Deployment(world, {
    a: "portRestricted",
    b: "fullCone",
    link: { rateMbps: 20, queueBytes: 100_000 },
  });
  deployment.expose();
  const { laptop, device, nats } = deployment;
  device.answerBytes = 4_000_000;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => device.paths.includes("direct") && laptop.paths.includes("direct"), 5_000);
  nats.r.run(undefined);
  world.runUntil(() => exchange.ended, 10_000);
  assert.equal(exchange.received, device.answerBytes);
});

test("who has an old ticket is told that the peer is there without that service", () => {
  const world = new World({ seed: 3 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted", delayMs: 20 });
  const { laptop, secret } = deployment;
  deployment.expose();
  world.runFor(5_000);
  deployment.dial(secret.map((byte) => byte ^ 1));
  world.runFor(60_000);
  const reasons = laptop.events.flatMap((event) => (event.type === "dial-waiting" ? [event.reason] : []));
  assert.deepEqual(reasons, ["service-absent"]);
});

forSeeds(10, "a peer that was killed and started anew is connected again", (scenario) => {
  const world = scenario.world();
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted" });
  deployment.expose();
  const { laptop, device } = deployment;
  const dial = deployment.connect();
  const lost = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => lost.ended, 5_000);
  world.runFor(scenario.random.between(0, 5_000));
  device.start();
  deployment.useRendezvous(device);
  deployment.expose();
  const hanging = laptop.request(dial, 10) as Exchange;
  const connection = dial.connected;
  world.runUntil(() => dial.connected !== undefined && dial.connected !== connection, 30_000);
  assert.notEqual(hanging.resetCode, undefined);
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.ended, 5_000);
});

test("whoever holds no ticket gets no answer", () => {
  const world = new World({ seed: 3 });
  const deployment = new Deployment(world, { a: "portRestricted", b: "portRestricted" });
  deployment.expose();
  world.runFor(1_000);
  const dial = deployment.dial(new Uint8Array(16).fill(9));
  world.runFor(60_000);
  assert.equal(dial.connected, undefined);
  assert.ok(!deployment.device.saw("peer-connected"));
  assert.ok(deployment.laptop.saw("dial-waiting"));
});

forSeeds(5, "a direct path that loses 30 % gives way to a clean relay", (scenario) => {
  const world = scenario.world();
  const deployment = new Deployment(world, {
    a: "portRestricted",
    b: "portRestricted",
    delayMs: 20,
    link: { rateMbps: 20, queueBytes: 100_000 },
  });
  deployment.expose();
  const { laptop, device, nats } = deployment;
  device.answerBytes = 8_000_000;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => laptop.paths.at(-1) === "direct" && device.paths.at(-1) === "direct", 5_000);
  const lossy = world.firewall.add({ from: nats.a, to: nats.b, matches: () => world.random.chance(0.3) });
  world.runUntil(() => device.paths.at(-1) === "relay", 30_000);
  const before = exchange.received;
  world.runFor(3_000);
  assert.ok(exchange.received - before > 1_000_000, `${exchange.received - before} bytes in 3 s over the relay`);
  world.firewall.remove(lossy);
  world.runUntil(() => exchange.ended, 60_000);
  assert.equal(exchange.received, device.answerBytes);
});
