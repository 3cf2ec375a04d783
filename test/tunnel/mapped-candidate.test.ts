// A side that offers a mapped port is dialled there, whatever its NAT and ours are; nobody sprays meanwhile.

import assert from "node:assert/strict";
import { forSeeds } from "../sim/for-seeds.ts";
import type { Router } from "../sim/router.ts";
import { Deployment } from "./deployment.ts";
import { BEHAVIOURS } from "./meeting.ts";

for (const [a, b] of [
  ["portRestricted", "symmetric"],
  ["symmetric", "portRestricted"],
] as const) {
  for (const isAnswering of [true, false]) {
    const what = isAnswering ? "makes no spray" : "that is dead holds the spray back a little, and no more";
    forSeeds(10, `${a} and ${b}: a mapped candidate ${what}`, (scenario) => {
      const world = scenario.world();
      const delayMs = scenario.random.between(2, 80);
      const deployment = new Deployment(world, { a, b, delayMs });
      const { device, laptop, nats } = deployment;
      const router = nats.siteA.outermost as Router;
      const mapped = isAnswering
        ? router.mapPort(nats.a.address, 40_001)
        : { ...nats.a.address, host: router.ip, port: 9 };
      device.host.input((nowMs) => device.agent.setNatBehaviour(nowMs, BEHAVIOURS[a]));
      laptop.host.input((nowMs) => laptop.agent.setNatBehaviour(nowMs, BEHAVIOURS[b]));
      device.host.input((nowMs) => device.agent.setMappedAddresses(nowMs, [mapped]));
      deployment.expose();
      world.runFor(500);
      deployment.connect();
      const isDirect = (): boolean => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct";
      const flows = (): number =>
        Math.max(...[nats.siteA, nats.siteB].map((site) => site.outermost?.translator.flowsPeak ?? 0));
      if (isAnswering) {
        world.runUntil(isDirect, 10 * delayMs + 100);
        world.runFor(60_000);
        assert.ok(flows() <= 12, `${flows()} flows`);
      } else {
        world.runFor(1_500);
        assert.ok(flows() <= 12, `${flows()} flows`);
        world.runFor(2_500);
        assert.ok(isDirect() || flows() > 100, `${flows()} flows`);
      }
    });
  }
}
