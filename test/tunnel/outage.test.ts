// Outages, sleep and moves of whole deployments in mid-transfer: streams outlive them for as long as they may, and beyond that both sides
// end them and go on.

import assert from "node:assert/strict";
import type { Dial } from "../../src/tunnel/dial.ts";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import type { RouterKind } from "../sim/router-kind.ts";
import type { TwoNatsOptions } from "../sim/topology.ts";
import { type AgentHost, Deployment, type Exchange } from "./deployment.ts";

const MINUTE_MS = 60_000;
/** The default of --resume-timeout. */
const RESUME_MS = 10 * MINUTE_MS;
const HOME: RouterKind = { kind: "nat", filtering: "address-and-port-dependent" };

interface Transfer {
  readonly deployment: Deployment;
  readonly dial: Dial;
  exchange: Exchange;
}

/** A download in its middle, direct or over the relay. */
function begin(scenario: Scenario, nats: Pick<TwoNatsOptions, "a" | "b">, idleTimeoutMs = RESUME_MS): Transfer {
  const { random } = scenario;
  const link = { rateMbps: 8, queueBytes: 100_000 };
  const options = { ...nats, delayMs: random.between(1, 80), link };
  const deployment = new Deployment(scenario.world(), options, { transport: { idleTimeoutMs } });
  const { laptop, device, world } = deployment;
  deployment.expose();
  device.answerBytes = 3_000_000;
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.received > 400_000, 10_000);
  world.runFor(random.between(0, 500));
  return { deployment, dial, exchange };
}

/** Nothing gets anywhere. */
function cutAll({ world, nats: { a, b, r } }: Deployment): void {
  for (const [one, other] of [
    [a, b],
    [a, r],
    [b, r],
  ] as const)
    world.firewall.cut(one, other);
}

const connectionsOf = (side: AgentHost): number => side.events.filter(({ type }) => type === "peer-connected").length;

function assertWentOn({ deployment, exchange }: Transfer, limitMs: number): void {
  const { world, laptop, device } = deployment;
  const before = exchange.received;
  world.runUntil(() => exchange.received > before, limitMs);
  world.runUntil(() => exchange.ended, 30_000);
  assert.equal(exchange.received, device.answerBytes);
  for (const side of [laptop, device]) assert.equal(connectionsOf(side), 1);
}

const easy = { a: "portRestricted", b: "portRestricted" } as const;
const hard = { a: "symmetric", b: "symmetric" } as const;

for (const [what, nats] of [
  ["direct", easy],
  ["relayed", hard],
] as const) {
  forSeeds(3, `a ${what} transfer goes on within 20 s of the end of an outage of nine minutes`, (scenario) => {
    const transfer = begin(scenario, nats);
    const { world } = transfer.deployment;
    cutAll(transfer.deployment);
    world.runFor(9 * MINUTE_MS);
    world.firewall.clear();
    assertWentOn(transfer, 20_000);
  });

  forSeeds(
    3,
    `a ${what} transfer goes on within 5 s when an agent that stood still for five minutes continues`,
    (scenario) => {
      for (const side of ["a", "b"] as const) {
        const transfer = begin(scenario, nats);
        const { world, nats: hosts } = transfer.deployment;
        hosts[side].pause({ clockStops: scenario.random.chance(0.5) });
        world.runFor(5 * MINUTE_MS);
        hosts[side].resume();
        // Its driver has noticed, and says so.
        const agent = side === "a" ? transfer.deployment.device : transfer.deployment.laptop;
        agent.host.input((nowMs) => agent.agent.setLocalAddresses(nowMs, agent.host.addresses));
        assertWentOn(transfer, 5_000);
      }
    },
  );

  forSeeds(3, `a ${what} transfer goes on within 5 s when an agent's address changes`, (scenario) => {
    for (const side of ["a", "b"] as const) {
      const transfer = begin(scenario, nats);
      const { deployment } = transfer;
      deployment.nats[side].changeAddress(side === "a" ? "10.1.0.77" : "10.2.0.77");
      const agent = side === "a" ? deployment.device : deployment.laptop;
      deployment.world.runFor(scenario.random.between(0, 3_000));
      agent.host.input((nowMs) => agent.agent.setLocalAddresses(nowMs, agent.host.addresses));
      assertWentOn(transfer, 5_000);
    }
  });

  forSeeds(3, `a ${what} transfer goes on within 5 s when an agent has moved to another network`, (scenario) => {
    for (const side of ["a", "b"] as const) {
      const transfer = begin(scenario, nats);
      const { world, nats: hosts, device, laptop } = transfer.deployment;
      const inner = world.addNetwork("elsewhere");
      world.addRouter("router C", { ip: "198.51.100.3", inner, router: HOME, link: { delayMs: 10 } });
      hosts[side].leave();
      world.runFor(scenario.random.between(0, 3_000));
      hosts[side].move(inner, "10.3.0.2");
      const agent = side === "a" ? device : laptop;
      agent.host.input((nowMs) => agent.agent.setLocalAddresses(nowMs, agent.host.addresses));
      assertWentOn(transfer, 5_000);
    }
  });
}

const waitingOf = ({ events }: AgentHost): string[] =>
  events.flatMap((event) => (event.type === "dial-waiting" ? [event.reason] : []));
const pathsToldBy = ({ events }: AgentHost): number => events.filter(({ type }) => type === "path").length;

forSeeds(5, "of a peer that has fallen silent it is said once, and that it is back as well", (scenario) => {
  const transfer = begin(scenario, scenario.random.chance(0.5) ? easy : hard);
  const { laptop, world } = transfer.deployment;
  for (let outage = 1; outage <= 2; outage++) {
    cutAll(transfer.deployment);
    world.runFor(60_000);
    assert.deepEqual(waitingOf(laptop), Array(outage).fill("peer-silent"));
    const before = pathsToldBy(laptop);
    world.firewall.clear();
    assertWentOn(transfer, 20_000);
    world.runFor(1_000);
    assert.ok(pathsToldBy(laptop) > before);
    transfer.exchange = laptop.request(transfer.dial, 10) as Exchange;
    world.runUntil(() => transfer.exchange.received > 0, 10_000);
  }
});

forSeeds(5, "what comes while the connection hangs waits, and outlives a restart of the peer", (scenario) => {
  const transfer = begin(scenario, scenario.random.chance(0.5) ? easy : hard);
  const { dial, deployment } = transfer;
  const { laptop, device, world } = deployment;
  const readies = (): number => laptop.events.filter(({ type }) => type === "dial-ready").length;
  const before = readies();
  cutAll(deployment);
  world.runFor(10_000);
  assert.equal(laptop.request(dial, 10), undefined);
  const isRestarted = scenario.random.chance(0.5);
  if (isRestarted) {
    device.start();
    deployment.useRendezvous(device);
    deployment.expose();
  }
  world.firewall.clear();
  world.runUntil(() => readies() > before, 40_000);
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.ended, 30_000);
  assert.equal(exchange.received, device.answerBytes);
  if (!isRestarted) world.runUntil(() => transfer.exchange.ended, 30_000);
});

forSeeds(5, "an outage of a second is nothing to speak of", (scenario) => {
  const transfer = begin(scenario, easy);
  const { laptop, world } = transfer.deployment;
  cutAll(transfer.deployment);
  world.runFor(1_000);
  world.firewall.clear();
  assertWentOn(transfer, 20_000);
  assert.deepEqual(waitingOf(laptop), []);
});

forSeeds(
  3,
  "an outage beyond the resume timeout resets the streams of both sides, which connect anew after it",
  (scenario) => {
    for (const [resumeMs, outageMs] of [
      [RESUME_MS, 11 * MINUTE_MS],
      [90_000, 3 * MINUTE_MS],
    ] as const) {
      const { deployment, dial, exchange } = begin(scenario, easy, resumeMs);
      const { world, laptop, device } = deployment;
      const [service] = [...device.exchanges.values()];
      cutAll(deployment);
      world.runFor(resumeMs - 5_000);
      assert.equal(exchange.resetCode, undefined);
      world.runFor(10_000);
      assert.notEqual(exchange.resetCode, undefined);
      assert.notEqual(service?.resetCode, undefined);
      world.runFor(outageMs - resumeMs - 5_000);
      world.firewall.clear();
      world.runUntil(() => dial.connected !== undefined, 30_000);
      const again = laptop.request(dial, 10) as Exchange;
      world.runUntil(() => again.ended, 10_000);
      assert.equal(again.received, device.answerBytes);
    }
  },
);
