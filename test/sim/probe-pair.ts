// Two hosts in the internet, A that sends and B that receives: what most tests of the world itself begin with.

import type { Host } from "./host.ts";
import { ProbeMachine } from "./probe-machine.ts";
import { World, type WorldOptions } from "./world.ts";

export interface ProbePair {
  readonly world: World;
  readonly a: Host;
  readonly b: Host;
  readonly sender: ProbeMachine;
  readonly receiver: ProbeMachine;
}

/** @param delayMs of A's link, in both directions; B's link takes no time. */
export function probePair(
  options: Partial<WorldOptions> = {},
  delayMs = 1,
  receiver: ProbeMachine = new ProbeMachine(),
): ProbePair {
  const world = new World(options);
  const a = world.addHost("A", { ip: "198.51.100.1", link: { delayMs } });
  const b = world.addHost("B", { ip: "198.51.100.2", port: 5000 });
  const sender = new ProbeMachine();
  a.run(sender);
  b.run(receiver);
  return { world, a, b, sender, receiver };
}

/** @returns the lengths of what a machine received, in bytes. */
export function sizes(machine: ProbeMachine): number[] {
  return machine.received.map(({ bytes }) => bytes.length);
}
