// Two agents behind NATs of given kinds, from first contact until both are direct: how long it took, and what it cost the routers.

import type { AgentSettings } from "../../src/tunnel/agent-config.ts";
import type { NatBehaviour } from "../../src/wire/candidate.ts";
import type { Scenario } from "../sim/for-seeds.ts";
import type { Router } from "../sim/router.ts";
import type { NatKind, Site, TwoNatsOptions } from "../sim/topology.ts";
import { Deployment } from "./deployment.ts";

type Dependence = NatBehaviour["mapping"];

/** What unsolicited packets do is seen of mappings alone that do not depend on the endpoint. */
const behaviour = (mapping: Dependence, filtering: Dependence): NatBehaviour => ({
  mapping,
  filtering,
  portsPreserved: mapping === "endpoint-independent",
  ...(mapping === "endpoint-independent" ? { takesUnsolicited: false } : {}),
});

const EASY = behaviour("endpoint-independent", "address-and-port-dependent");
const HARD = behaviour("address-and-port-dependent", "address-and-port-dependent");

/** What a measurement of each kind says. */
export const BEHAVIOURS = {
  none: behaviour("endpoint-independent", "endpoint-independent"),
  fullCone: behaviour("endpoint-independent", "endpoint-independent"),
  addressRestricted: behaviour("endpoint-independent", "address-dependent"),
  portRestricted: EASY,
  linux: EASY,
  symmetric: HARD,
  cgn: EASY,
  cgnSymmetric: HARD,
  symmetricSequential: { ...HARD, portStride: 1 },
  symmetricStriding: { ...HARD, portStride: 1 },
  badRouter: { ...EASY, takesUnsolicited: true },
  badSymmetric: HARD,
} as const satisfies Partial<Record<NatKind, NatBehaviour>>;

export type MeasuredKind = keyof typeof BEHAVIOURS;

export interface MeetingOptions extends TwoNatsOptions {
  /** The exposing side's kind. */
  readonly a: MeasuredKind;
  /** The connecting side's kind. */
  readonly b: MeasuredKind;
  /** What the agents know of their NATs; what a measurement says unless told. */
  readonly natA?: NatBehaviour;
  readonly natB?: NatBehaviour;
  readonly settings?: Partial<AgentSettings>;
}

export interface Meeting {
  readonly deployment: Deployment;
  /** From first contact until both sides are direct; Infinity where they did not become so. */
  readonly directMs: number;
  /** Most flows alive in the fullest router of each side. */
  readonly flows: readonly [number, number];
  /** Most new flows within a second there. */
  readonly newPerSecond: readonly [number, number];
}

const SAMPLES_PER_SECOND = 20;

/** Flows that come up in a router, looked at while none expires. */
class FlowRate {
  most = 0;
  private readonly router: Router;
  private readonly alive: number[] = [];

  constructor(router: Router) {
    this.router = router;
  }

  sample(nowMs: number): void {
    this.alive.push(this.router.translator.flowsAlive(nowMs));
    const before = this.alive.at(-1 - SAMPLES_PER_SECOND) ?? 0;
    this.most = Math.max(this.most, (this.alive.at(-1) as number) - before);
  }
}

/** Lets the two meet. @param limitMs how long a direct path is waited for. */
export function meet(scenario: Scenario, options: MeetingOptions, limitMs: number): Meeting {
  const world = scenario.world();
  const deployment = new Deployment(world, options, options.settings);
  const { device, laptop, nats } = deployment;
  device.agent.setNatBehaviour(world.nowMs, options.natA ?? BEHAVIOURS[options.a]);
  laptop.agent.setNatBehaviour(world.nowMs, options.natB ?? BEHAVIOURS[options.b]);
  deployment.expose();
  world.runFor(500);
  deployment.connect();
  const contactMs = world.nowMs;
  const isDirect = (): boolean => device.paths.at(-1) === "direct" && laptop.paths.at(-1) === "direct";
  const rates = [nats.siteA, nats.siteB].map(({ routers }) => routers.map((router) => new FlowRate(router)));
  for (let ms = 0; !isDirect() && ms < limitMs; ms++) {
    world.runFor(1);
    if (ms % (1_000 / SAMPLES_PER_SECOND) === 0) for (const rate of rates.flat()) rate.sample(world.nowMs);
  }
  const directMs = isDirect() ? world.nowMs - contactMs : Number.POSITIVE_INFINITY;
  const flowsOf = (site: Site): number => Math.max(0, ...site.routers.map(({ translator }) => translator.flowsPeak));
  const [newA = 0, newB = 0] = rates.map((ofSite) => Math.max(0, ...ofSite.map(({ most }) => most)));
  return {
    deployment,
    directMs,
    flows: [flowsOf(nats.siteA), flowsOf(nats.siteB)],
    newPerSecond: [newA, newB],
  };
}

/** @returns the smallest value that this share of all does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] as number;
}
