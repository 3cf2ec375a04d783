// Routers that forget sooner than they should, and an idle pair behind them: the direct path has to outlive ten minutes of silence.

import assert from "node:assert/strict";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import type { NatKind } from "../sim/topology.ts";
import { Deployment, type Exchange } from "./deployment.ts";

const IDLE_MS = 600_000;
const MINUTE_MS = 60_000;

interface Idleness {
  readonly deployment: Deployment;
  /** Packets that went from each side to the other's router while nothing was to be said, in the last five minutes. */
  readonly packets: readonly [number, number];
  /** How the data's way changed, on either side: all of it, and in the last five minutes. */
  readonly changes: number;
  readonly lateChanges: number;
}

/** Ten minutes of nothing to say, and a request at their end. */
function idle(scenario: Scenario, a: NatKind, b: NatKind): Idleness {
  const world = scenario.world();
  const deployment = new Deployment(world, { a, b, delayMs: scenario.random.between(2, 80) });
  const { device, laptop, nats } = deployment;
  deployment.expose();
  world.runFor(500);
  const dial = deployment.connect();
  world.runUntil(() => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct", 10_000);
  // By their bytes, of which no two are equal: a packet is looked at more than once on its way.
  const packets = [new Set<string>(), new Set<string>()] as const;
  for (const [i, from, to] of [
    [0, nats.a, nats.b],
    [1, nats.b, nats.a],
  ] as const) {
    world.firewall.add({
      from,
      to,
      matches: (payload) => {
        packets[i].add(Buffer.from(payload).toString("hex"));
        return false;
      },
    });
  }
  const changesNow = (): number => device.paths.length + laptop.paths.length;
  const atFirst = changesNow();
  world.runFor(IDLE_MS / 2);
  const inBetween = changesNow();
  for (const ofSide of packets) ofSide.clear();
  world.runFor(IDLE_MS / 2);
  const counts = [packets[0].size, packets[1].size] as const;
  const exchange = laptop.request(dial, 10) as Exchange;
  world.runUntil(() => exchange.ended, 20_000);
  return {
    deployment,
    packets: counts,
    changes: inBetween - atFirst,
    lateChanges: changesNow() - inBetween,
  };
}

const perMinute = (count: number): number => count / (IDLE_MS / 2 / MINUTE_MS);

for (const [a, b] of [
  ["portRestricted", "linux"],
  ["forgetful", "portRestricted"],
  ["forgetful", "forgetful"],
] as const) {
  forSeeds(
    5,
    `${a} and ${b}: one small packet each way every 15 to 25 s holds the path for ten minutes`,
    (scenario) => {
      const { packets, changes, lateChanges } = idle(scenario, a, b);
      assert.deepEqual([changes, lateChanges], [0, 0]);
      for (const count of packets) {
        // Acknowledgements are acknowledged now and then.
        assert.ok(perMinute(count) <= 4.4 && perMinute(count) >= 2.4, `${perMinute(count)} packets a minute`);
      }
    },
  );
}

for (const [a, b] of [
  ["veryForgetful", "portRestricted"],
  ["portRestricted", "veryForgetful"],
  ["veryForgetful", "veryForgetful"],
] as const) {
  forSeeds(5, `${a} and ${b}: what was dead after idleness is asked more often, and then lives`, (scenario) => {
    const { packets, lateChanges } = idle(scenario, a, b);
    assert.equal(lateChanges, 0);
    for (const count of packets) assert.ok(perMinute(count) <= 7, `${perMinute(count)} packets a minute`);
  });
}
