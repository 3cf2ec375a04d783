// A search that found nothing: it goes on slower and slower, begins anew when the network changes, and never harms a path that works.

import assert from "node:assert/strict";
import { forSeeds } from "../sim/for-seeds.ts";
import { Deployment, type Exchange } from "./deployment.ts";
import { BEHAVIOURS } from "./meeting.ts";

const HOUR_MS = 3_600_000;
/** What a later hour costs, keepalives and all, of what the first one does. */
const HOUR_SHARE = 0.6;

/** Cuts the way between the two from the beginning. @returns what gives it back. */
function cutOff({ world, nats }: Deployment): () => void {
  let isCut = true;
  for (const [from, to] of [
    [nats.a, nats.b],
    [nats.b, nats.a],
  ] as const) {
    world.firewall.add({ from, to, matches: () => isCut });
  }
  return () => {
    isCut = false;
  };
}

for (const [a, b] of [
  ["portRestricted", "portRestricted"],
  ["portRestricted", "symmetric"],
] as const) {
  forSeeds(
    3,
    `${a} and ${b}: while the direct way is cut it is tried less and less, and found soon after a change of network`,
    (scenario) => {
      const world = scenario.world();
      const deployment = new Deployment(world, { a, b });
      const { device, laptop, nats } = deployment;
      device.host.input((nowMs) => device.agent.setNatBehaviour(nowMs, BEHAVIOURS[a]));
      laptop.host.input((nowMs) => laptop.agent.setNatBehaviour(nowMs, BEHAVIOURS[b]));
      const heal = cutOff(deployment);
      deployment.expose();
      world.runFor(500);
      const exchange = laptop.request(deployment.connect(), 10) as Exchange;
      world.runUntil(() => exchange.ended, 10_000);
      const sent = (): number => nats.a.datagramsSent + nats.b.datagramsSent;
      const perHour: number[] = [];
      for (let hour = 0; hour < 3; hour++) {
        const before = sent();
        world.runFor(HOUR_MS);
        perHour.push(sent() - before);
      }
      assert.deepEqual([device.paths, laptop.paths], [["relay"], ["relay"]]);
      // Keepalives are some 800 an hour for both: to the rendezvous, and over the relay.
      assert.ok((perHour[2] as number) < (perHour[0] as number) * HOUR_SHARE, perHour.join());
      heal();
      const isDirect = (): boolean => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct";
      laptop.host.input((nowMs) => laptop.agent.setLocalAddresses(nowMs, laptop.host.addresses));
      device.host.input((nowMs) => device.agent.setLocalAddresses(nowMs, device.host.addresses));
      laptop.host.input((nowMs) => laptop.agent.setNatBehaviour(nowMs, BEHAVIOURS[b]));
      device.host.input((nowMs) => device.agent.setNatBehaviour(nowMs, BEHAVIOURS[a]));
      world.runUntil(isDirect, a === "portRestricted" && b === "portRestricted" ? 2_000 : 90_000);
      for (const side of [device, laptop]) assert.ok(side.socketsPeak <= 500, `${side.socketsPeak} sockets`);
    },
  );
}

forSeeds(10, "what is searched for beside a direct path that works does not disturb it", (scenario) => {
  const world = scenario.world();
  const link = { rateMbps: 20, queueBytes: 100_000 };
  const deployment = new Deployment(world, { a: "portRestricted", b: "badRouter", delayMs: 20, link });
  const { device, laptop } = deployment;
  deployment.expose();
  world.runFor(500);
  device.answerBytes = 10_000_000;
  const exchange = laptop.request(deployment.connect(), 10) as Exchange;
  world.runUntil(() => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct", 10_000);
  const paths = device.paths.length + laptop.paths.length;
  const [socketsAtA, socketsAtB] = [device.socketsPeak, laptop.socketsPeak];
  // News of addresses and NATs, again and again, of every kind.
  for (let i = 0; !exchange.ended; i++) {
    const side = scenario.random.chance(0.5) ? device : laptop;
    const kinds = ["portRestricted", "symmetric", "badRouter", "symmetricSequential"] as const;
    const nat = BEHAVIOURS[kinds[i % kinds.length] as (typeof kinds)[number]];
    side.host.input((nowMs) => side.agent.setNatBehaviour(nowMs, nat));
    if (i % 3 === 0) side.host.input((nowMs) => side.agent.setMappedAddresses(nowMs, []));
    world.runFor(scenario.random.between(10, 300));
  }
  assert.equal(exchange.received, device.answerBytes);
  assert.equal(device.paths.length + laptop.paths.length, paths, "the data went another way meanwhile");
  assert.deepEqual([device.socketsPeak, laptop.socketsPeak], [socketsAtA, socketsAtB]);
});
