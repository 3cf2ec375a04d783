// Every pair of NAT kinds: connected over the relay at once, and direct wherever one side's mapping does not depend on the endpoint.

import assert from "node:assert/strict";
import type { NatBehaviour } from "../../src/wire/candidate.ts";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import type { NatKind } from "../sim/topology.ts";
import { Deployment, type Exchange } from "./deployment.ts";

type Dependence = NatBehaviour["mapping"];

const behaviour = (mapping: Dependence, filtering: Dependence): NatBehaviour => ({
  mapping,
  filtering,
  portsPreserved: true,
});

/** What a measurement of each kind says. */
const BEHAVIOURS: Partial<Record<NatKind, NatBehaviour>> = {
  none: behaviour("endpoint-independent", "endpoint-independent"),
  fullCone: behaviour("endpoint-independent", "endpoint-independent"),
  addressRestricted: behaviour("endpoint-independent", "address-dependent"),
  portRestricted: behaviour("endpoint-independent", "address-and-port-dependent"),
  linux: behaviour("endpoint-independent", "address-and-port-dependent"),
  symmetric: behaviour("address-and-port-dependent", "address-and-port-dependent"),
  cgn: behaviour("endpoint-independent", "address-and-port-dependent"),
  cgnSymmetric: behaviour("address-and-port-dependent", "address-and-port-dependent"),
  badRouter: behaviour("endpoint-independent", "address-and-port-dependent"),
};

const kinds = Object.keys(BEHAVIOURS) as NatKind[];
const isHard = (kind: NatKind): boolean => BEHAVIOURS[kind]?.mapping === "address-and-port-dependent";

function meet(
  scenario: Scenario,
  a: NatKind,
  b: NatKind,
  delayMs: number,
): { deployment: Deployment; directMs: number } {
  const world = scenario.world();
  const deployment = new Deployment(world, { a, b, delayMs });
  const { device, laptop } = deployment;
  device.agent.setNatBehaviour(BEHAVIOURS[a] as NatBehaviour);
  laptop.agent.setNatBehaviour(BEHAVIOURS[b] as NatBehaviour);
  deployment.expose();
  world.runFor(500);
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.ended, 5_000);
  assert.equal(exchange.received, device.answerBytes);
  const startMs = world.nowMs;
  const isDirect = (): boolean => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct";
  if (isHard(a) && isHard(b)) {
    world.runFor(10_000);
    assert.deepEqual([device.paths, laptop.paths], [["relay"], ["relay"]], `${a} and ${b}`);
    return { deployment, directMs: Number.POSITIVE_INFINITY };
  }
  world.runUntil(isDirect, 600_000);
  const directMs = world.nowMs - startMs;
  // Sockets that met nobody are closed again.
  world.runFor(60_000);
  assert.ok(
    device.socketsOpen <= 4 && laptop.socketsOpen <= 4,
    `${device.socketsOpen}, ${laptop.socketsOpen} sockets left`,
  );
  return { deployment, directMs };
}

for (const a of kinds) {
  for (const b of kinds) {
    // Two bad routers never meet; a bad and a hard one have a test of their own below.
    if ((a === "badRouter" && (b === "badRouter" || isHard(b))) || (b === "badRouter" && isHard(a))) continue;
    forSeeds(2, `${a} and ${b} meet`, (scenario) => {
      const { deployment } = meet(scenario, a, b, scenario.random.between(2, 80));
      for (const site of [deployment.nats.siteA, deployment.nats.siteB]) {
        const flows = site.outermost?.translator.flowsPeak ?? 0;
        assert.ok(flows <= 1_000, `${flows} flows in ${site.name}`);
      }
    });
  }
}

const quantile = (times: readonly number[], fraction: number): number =>
  [...times].sort((x, y) => x - y)[Math.floor(times.length * fraction)] as number;

const ordinary: number[] = [];
forSeeds(
  40,
  "easy and hard meet by the birthday, half of the time within 3 s and nearly always within 12 s",
  (scenario) => {
    ordinary.push(meet(scenario, "portRestricted", "symmetric", 20).directMs);
    if (scenario.seed !== 40) return;
    assert.ok(quantile(ordinary, 0.5) <= 3_000, `p50 ${quantile(ordinary, 0.5)} ms`);
    assert.ok(quantile(ordinary, 0.9) <= 12_000, `p90 ${quantile(ordinary, 0.9)} ms`);
  },
);

const spoilt: number[] = [];
forSeeds(
  20,
  "even a router that packets from outside spoil meets a hard one, mostly at the first attempt",
  (scenario) => {
    spoilt.push(meet(scenario, "badRouter", "symmetric", 20).directMs);
    if (scenario.seed !== 20) return;
    assert.ok(quantile(spoilt, 0.5) <= 8_000, `p50 ${quantile(spoilt, 0.5)} ms`);
  },
);
