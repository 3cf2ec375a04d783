// Every pair of NAT kinds: connected over the relay at once, and direct wherever one side's mapping does not depend on the endpoint.

import assert from "node:assert/strict";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import { Deployment, type Exchange } from "./deployment.ts";
import { BEHAVIOURS, type MeasuredKind as NatKind } from "./meeting.ts";

const kinds = Object.keys(BEHAVIOURS) as NatKind[];
const isPredictable = (kind: NatKind): boolean => kind === "symmetricSequential" || kind === "symmetricStriding";
const isHard = (kind: NatKind): boolean => BEHAVIOURS[kind].mapping === "address-and-port-dependent";

function meet(
  scenario: Scenario,
  a: NatKind,
  b: NatKind,
  delayMs: number,
): { deployment: Deployment; directMs: number } {
  const world = scenario.world();
  const deployment = new Deployment(world, { a, b, delayMs });
  const { device, laptop } = deployment;
  device.agent.setNatBehaviour(world.nowMs, BEHAVIOURS[a]);
  laptop.agent.setNatBehaviour(world.nowMs, BEHAVIOURS[b]);
  deployment.expose();
  world.runFor(500);
  const dial = deployment.connect();
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.ended, 5_000);
  assert.equal(exchange.received, device.answerBytes);
  const startMs = world.nowMs;
  const isDirect = (): boolean => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct";
  if (isHard(a) && isHard(b) && !(isPredictable(a) && isPredictable(b))) {
    world.runFor(10_000);
    assert.deepEqual([device.paths, laptop.paths], [["relay"], ["relay"]], `${a} and ${b}`);
    return { deployment, directMs: Number.POSITIVE_INFINITY };
  }
  world.runUntil(isDirect, 600_000);
  const directMs = world.nowMs - startMs;
  // Sockets that met nobody are closed again.
  world.runFor(60_000);
  assert.ok(
    device.socketsOpen <= 4 && laptop.socketsOpen <= 5,
    `${device.socketsOpen}, ${laptop.socketsOpen} sockets left`,
  );
  return { deployment, directMs };
}

for (const a of kinds) {
  for (const b of kinds) {
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
    assert.ok(quantile(ordinary, 0.95) <= 12_000, `p95 ${quantile(ordinary, 0.95)} ms`);
  },
);

const spoilt: number[] = [];
forSeeds(
  20,
  "even a router that packets from outside spoil meets a hard one, mostly at the first attempt",
  (scenario) => {
    spoilt.push(meet(scenario, "badRouter", "symmetric", 20).directMs);
    if (scenario.seed !== 20) return;
    assert.ok(quantile(spoilt, 0.5) <= 3_500, `p50 ${quantile(spoilt, 0.5)} ms`);
    assert.ok(quantile(spoilt, 0.9) <= 12_000, `p90 ${quantile(spoilt, 0.9)} ms`);
  },
);
