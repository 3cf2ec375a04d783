// Agents with both families of addresses, or with IPv6 alone: a direct path over whichever the two have in common, IPv6 where it is as
// good, and the relay of a rendezvous on both families where they have none.

import assert from "node:assert/strict";
import type { FirewallRule } from "../sim/firewall.ts";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import type { TwoNatsOptions } from "../sim/topology.ts";
import { type AgentHost, Deployment, type Exchange } from "./deployment.ts";

/** The family of the address that a side's data went to last. */
function familyOf(side: AgentHost): 4 | 6 | undefined {
  return side.events.findLast((event) => event.type === "path")?.remote.family;
}

function meet(scenario: Scenario, options: TwoNatsOptions): Deployment {
  const world = scenario.world();
  const deployment = new Deployment(world, { delayMs: scenario.random.between(2, 80), ...options });
  const { device, laptop } = deployment;
  deployment.expose();
  // What a NAT remembers of a device that has been waiting for long is its rendezvous alone.
  world.runFor(300_000);
  const exchange = laptop.request(deployment.connect(), 10) as Exchange;
  world.runUntil(() => exchange.ended, 5_000);
  assert.equal(exchange.received, device.answerBytes);
  world.runFor(3_000);
  return deployment;
}

const endsOf = ({ device, laptop }: Deployment): unknown[][] =>
  [device, laptop].map((side) => [side.paths.at(-1), familyOf(side)]);

const home = { a: "portRestricted", b: "portRestricted" } as const;

forSeeds(10, "two dual stacks meet over IPv6, through both firewalls", (scenario) => {
  const deployment = meet(scenario, { ...home, ipv6: { a: "beside", b: "beside" } });
  assert.deepEqual(endsOf(deployment), [
    ["direct", 6],
    ["direct", 6],
  ]);
});

forSeeds(
  10,
  "a dual stack that speaks to its rendezvous over IPv6 meets a peer that has IPv4 alone directly",
  (scenario) => {
    for (const ipv6 of [{ a: "beside" }, { b: "beside" }] as const) {
      assert.deepEqual(endsOf(meet(scenario, { ...home, ipv6 })), [
        ["direct", 4],
        ["direct", 4],
      ]);
    }
  },
);

forSeeds(5, "IPv6 alone meets a dual stack directly, and IPv4 alone over the relay", (scenario) => {
  const withBoth = meet(scenario, { ...home, ipv6: { a: "alone", b: "beside" } });
  assert.deepEqual(endsOf(withBoth), [
    ["direct", 6],
    ["direct", 6],
  ]);
  const withNone = meet(scenario, { ...home, ipv6: { a: "alone" } });
  assert.deepEqual(endsOf(withNone), [
    ["relay", 6],
    ["relay", 4],
  ]);
});

/** A transfer under way over IPv6. */
function transfer(
  scenario: Scenario,
  before = (_: Deployment): void => {},
): { readonly deployment: Deployment; readonly exchange: Exchange } {
  const link = { rateMbps: 20, queueBytes: 100_000 };
  const deployment = new Deployment(scenario.world(), {
    ...home,
    delayMs: scenario.random.between(2, 80),
    link,
    ipv6: { a: "beside", b: "beside" },
  });
  const { device, laptop, world } = deployment;
  device.answerBytes = 8_000_000;
  deployment.expose();
  before(deployment);
  world.runFor(1_000);
  const exchange = laptop.request(deployment.connect(), 10) as Exchange;
  world.runUntil(() => exchange.received > 2_000_000, 10_000);
  assert.deepEqual([familyOf(device), familyOf(laptop)], [6, 6]);
  return { deployment, exchange };
}

/** @returns the longest time in which nothing arrived, from now to the end. */
function longestPauseMs({ world }: Deployment, exchange: Exchange): number {
  let longestMs = 0;
  let { received } = exchange;
  let atMs = world.nowMs;
  world.runUntil(() => {
    if (exchange.received > received) {
      longestMs = Math.max(longestMs, world.nowMs - atMs);
      ({ received } = exchange);
      atMs = world.nowMs;
    }
    return exchange.ended;
  }, 120_000);
  return longestMs;
}

forSeeds(3, "a transfer goes on over IPv4, and directly, when IPv6 dies in its middle", (scenario) => {
  const { deployment, exchange } = transfer(scenario);
  deployment.world.firewall.add({ family: 6 });
  const pauseMs = longestPauseMs(deployment, exchange);
  assert.equal(exchange.received, 8_000_000);
  assert.ok(pauseMs <= 3_000, `nothing arrived for ${Math.round(pauseMs)} ms`);
  assert.deepEqual(endsOf(deployment), [
    ["direct", 4],
    ["direct", 4],
  ]);
});

forSeeds(3, "two that have met over IPv6 alone find each other over IPv4 within seconds of its end", (scenario) => {
  const held: FirewallRule[] = [];
  const { deployment, exchange } = transfer(scenario, ({ world, nats: { a, b } }) => {
    held.push(world.firewall.add({ family: 4, from: a, to: b }), world.firewall.add({ family: 4, from: b, to: a }));
  });
  const { firewall } = deployment.world;
  for (const rule of held) firewall.remove(rule);
  firewall.add({ family: 6 });
  const pauseMs = longestPauseMs(deployment, exchange);
  assert.equal(exchange.received, 8_000_000);
  assert.ok(pauseMs <= 2_500, `nothing arrived for ${Math.round(pauseMs)} ms`);
  assert.deepEqual(endsOf(deployment), [
    ["direct", 4],
    ["direct", 4],
  ]);
});

forSeeds(3, "a transfer goes on, and directly, when the IPv6 addresses of one side change", (scenario) => {
  const { deployment, exchange } = transfer(scenario);
  const { laptop, world, nats } = deployment;
  const [first] = nats.b.addresses;
  nats.b.leave();
  nats.b.join(nats.siteB.network, (first as { host: string }).host);
  nats.siteB.joinIpv6(nats.b, "2001:db8:2::abcd");
  // The driver looks at the interfaces every few seconds.
  world.runFor(scenario.random.between(0, 3_000));
  laptop.host.input((nowMs) => laptop.agent.setLocalAddresses(nowMs, nats.b.addresses));
  const pauseMs = longestPauseMs(deployment, exchange);
  assert.equal(exchange.received, 8_000_000);
  assert.ok(pauseMs <= 3_000, `nothing arrived for ${Math.round(pauseMs)} ms`);
  assert.deepEqual(
    endsOf(deployment).map(([via]) => via),
    ["direct", "direct"],
  );
});
