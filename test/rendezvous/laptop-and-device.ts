// A laptop and a device behind home routers, and a rendezvous between them.

import type { Scenario } from "../sim/for-seeds.ts";
import { type TwoNats, type TwoNatsOptions, twoNats } from "../sim/topology.ts";
import type { World, WorldOptions } from "../sim/world.ts";
import { SmallAgent, SmallRendezvous } from "./small-agent.ts";

/** What the device registers. */
export const selector = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

export interface Setup extends TwoNats {
  readonly world: World;
  readonly rendezvous: SmallRendezvous;
  readonly laptop: SmallAgent;
  readonly device: SmallAgent;
}

/** Agents behind home routers; the device can be asked for. */
export function deploy(
  scenario: Scenario,
  options: Partial<TwoNatsOptions> = {},
  worldOptions: Partial<WorldOptions> = {},
): Setup {
  const world = scenario.world(worldOptions);
  const places = twoNats(world, { a: "portRestricted", b: "portRestricted", ...options });
  const rendezvous = new SmallRendezvous(places.r, world.random.fork("rendezvous"));
  const laptop = new SmallAgent(world.random.fork("laptop")).runOn(places.a, rendezvous.target);
  const device = new SmallAgent(world.random.fork("device")).runOn(places.b, rendezvous.target, [selector]);
  return { ...places, world, rendezvous, laptop, device };
}

/** The two are connected over the relay. */
export function introduce(setup: Setup): ReturnType<SmallAgent["dial"]> {
  const { world, laptop, device } = setup;
  world.runUntil(() => laptop.count("registered") > 0 && device.count("registered") > 0, 5_000);
  const connection = laptop.dial(device.identity.publicKey, selector);
  world.runUntil(() => laptop.peers.has(connection) && device.peers.size === 1, 5_000);
  return connection;
}

/** A kilobyte goes there and back. @returns how long that took. */
export function echo(setup: Setup, connection: ReturnType<SmallAgent["dial"]>, limitMs = 5_000): number {
  const wanted = setup.laptop.echoedBytes + 1000;
  setup.laptop.say(connection, 1000);
  return setup.world.runUntil(() => setup.laptop.echoedBytes === wanted, limitMs);
}
