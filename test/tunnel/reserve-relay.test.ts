// The relay in reserve, while a transfer goes directly: a rendezvous that was started anew knows its channels no more, and says so to nobody.
// It is set up again before it is needed, or soon enough when it is needed at once.

import assert from "node:assert/strict";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import { type AgentHost, Deployment, type Exchange } from "./deployment.ts";

const ENDLESS = 200_000_000;
/** What users are promised when a direct path is cut. */
const PAUSE_MS_MAX = 3_000;

type Direction = "download" | "upload";

interface Transfer {
  readonly deployment: Deployment;
  /** What has arrived. */
  received(): number;
}

/** A transfer that goes directly, at any moment between keepalives. */
function begin(scenario: Scenario, direction: Direction): Transfer {
  const { random } = scenario;
  const deployment = new Deployment(scenario.world(), {
    a: "portRestricted",
    b: "portRestricted",
    delayMs: random.between(1, 80),
    link: { rateMbps: 4, queueBytes: 100_000 },
  });
  const { world, laptop, device } = deployment;
  deployment.expose();
  world.runFor(random.between(0, 18_000));
  device.answerBytes = direction === "download" ? ENDLESS : 10;
  const exchange = laptop.request(deployment.connect(), direction === "download" ? 10 : ENDLESS) as Exchange;
  const sink = (): Exchange | undefined => (direction === "download" ? exchange : [...device.exchanges.values()][0]);
  const received = (): number => sink()?.received ?? 0;
  const isDirect = (side: AgentHost): boolean => side.paths.at(-1) === "direct";
  world.runUntil(() => received() > 400_000 && isDirect(laptop) && isDirect(device), 20_000);
  world.runFor(random.between(0, 6_000));
  return { deployment, received };
}

/** The rendezvous is killed and started anew; it remembers nothing. */
function restart(deployment: Deployment, awayMs: number): void {
  deployment.nats.r.run(undefined);
  deployment.world.runFor(awayMs);
  deployment.startRendezvous();
}

/** Cuts the direct path. @returns for how long nothing arrives at the most. */
function pauseAfterCut({ deployment, received }: Transfer): number {
  const { world, nats } = deployment;
  world.firewall.cut(nats.a, nats.b);
  const cutMs = world.nowMs;
  let [before, lastMs, pauseMs] = [received(), cutMs, 0];
  while (world.nowMs < cutMs + 6_000) {
    world.runFor(10);
    if (received() > before) [before, lastMs] = [received(), world.nowMs];
    pauseMs = Math.max(pauseMs, world.nowMs - lastMs);
  }
  return pauseMs;
}

for (const direction of ["download", "upload"] as const) {
  forSeeds(12, `${direction}: the direct path is cut soon after the rendezvous was started anew`, (scenario) => {
    const { random } = scenario;
    const transfer = begin(scenario, direction);
    const { deployment } = transfer;
    restart(deployment, random.pick([100, 2_000]));
    deployment.world.runFor(random.between(0, 1) ** 3 * 20_000);
    const pauseMs = pauseAfterCut(transfer);
    assert.ok(pauseMs <= PAUSE_MS_MAX, `nothing for ${pauseMs} ms`);
  });

  forSeeds(4, `${direction}: the same when only one side has noticed the restart`, (scenario) => {
    const { random } = scenario;
    for (const name of ["laptop", "device"] as const) {
      const transfer = begin(scenario, direction);
      const { deployment } = transfer;
      restart(deployment, 100);
      // What makes an agent ask its rendezvous at once.
      const side = deployment[name];
      side.host.input((nowMs) => side.agent.setLocalAddresses(nowMs, side.host.addresses));
      deployment.world.runFor(random.between(300, 1_000));
      const pauseMs = pauseAfterCut(transfer);
      assert.ok(pauseMs <= PAUSE_MS_MAX, `${name}: nothing for ${pauseMs} ms`);
    }
  });

  forSeeds(
    4,
    `${direction}: a restart is noticed by both sides within seven seconds, and costs nothing`,
    (scenario) => {
      const transfer = begin(scenario, direction);
      const { deployment, received } = transfer;
      restart(deployment, 100);
      const before = received();
      deployment.world.runUntil(
        () => deployment.server.statistics.agents === 2 && deployment.server.statistics.relayPairs > 0,
        7_000,
      );
      deployment.world.runFor(7_000);
      assert.ok(received() > before + 7_000 * 350, "the direct path went on at its pace");
      for (const side of [deployment.laptop, deployment.device]) assert.equal(side.paths.at(-1), "direct");
    },
  );
}
