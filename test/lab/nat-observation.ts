// What a NAT really does, seen from a host behind it, in the terms of RFC 4787; and what each kind of the lab has
// to show before a test may rely on it.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { rendezvousIpv6 } from "./ipv6-topology.ts";
import type { Lab } from "./lab.ts";
import { type NatKind, natOf } from "./router-rules.ts";
import { type LabSite, rendezvousAddresses } from "./topology.ts";

/** What a mapping or a filter depends on: "endpoint" is endpoint-independent. */
export type Dependence = "endpoint" | "address" | "address-and-port";

export type NatObservation =
  | { readonly udp: false }
  | {
      readonly udp: true;
      /** The address that the public segment sees. */
      readonly address: string;
      readonly mapping: Dependence;
      readonly filtering: Dependence;
      readonly portsPreserved: boolean;
      /** A packet that came unasked, before the host sent anything, did not change the mapping towards its sender. */
      readonly survivesEarlyProbe: boolean;
    };

const PORTS = "7001,7002";
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** @returns what the NAT of each of these sites does, by asking echo servers on the public segment; IPv6's router where there is no NAT. */
export function observeNats(lab: Lab, ...sites: LabSite[]): Promise<NatObservation[]> {
  return observe(
    lab,
    sites.map((site) => [site, natOf(site.kind) === undefined ? rendezvousIpv6 : rendezvousAddresses]),
  );
}

/** @param asked each site with the two addresses that are asked from there */
async function observe(lab: Lab, asked: readonly (readonly [LabSite, readonly string[]])[]): Promise<NatObservation[]> {
  const all = [...new Set(asked.flatMap(([, addresses]) => addresses))].join(",");
  const server = lab.spawn(lab.rendezvous, [process.execPath, script("./nat-echo-server.js"), all, PORTS]);
  try {
    await server.waitForJson("ready", 10_000);
    return await Promise.all(
      asked.map(async ([site, addresses]) => {
        const argv = [process.execPath, script("./nat-echo-client.js"), addresses.join(","), PORTS];
        const client = lab.spawn(site.host, argv);
        const { event: _, ...observation } = (await client.waitForJson("observed", 20_000)).fields;
        return observation as unknown as NatObservation;
      }),
    );
  } finally {
    await server.stop("SIGKILL");
  }
}

type Behaviour = Pick<
  Extract<NatObservation, { udp: true }>,
  "mapping" | "filtering" | "portsPreserved" | "survivesEarlyProbe"
>;

const homeRouter: Behaviour = {
  mapping: "endpoint",
  filtering: "address-and-port",
  portsPreserved: true,
  survivesEarlyProbe: true,
};
const hardRouter: Behaviour = {
  mapping: "address-and-port",
  filtering: "address-and-port",
  portsPreserved: false,
  survivesEarlyProbe: false,
};

/** What makes each kind what it is; undefined where no UDP passes. */
export const expectedBehaviour: Readonly<Record<NatKind, Behaviour | undefined>> = {
  none: { ...homeRouter, filtering: "endpoint" },
  "full-cone": { ...homeRouter, filtering: "endpoint" },
  "address-restricted": { ...homeRouter, filtering: "address" },
  "port-restricted": homeRouter,
  symmetric: hardRouter,
  "carrier-grade": homeRouter,
  "carrier-grade-symmetric": hardRouter,
  "udp-blocked": undefined,
  "bad-router": { ...homeRouter, survivesEarlyProbe: false },
};

/** What every site with IPv6 shows there: the usual home router's behaviour, without its translation. */
export const expectedIpv6Behaviour: Behaviour = homeRouter;

/** Proves that the NATs and firewalls of these sites behave as they are named; a test does so before it relies on them. */
export async function assertNats(lab: Lab, ...sites: LabSite[]): Promise<void> {
  const wanted = sites.flatMap((site) => expectationsOf(site));
  const observations = await observe(
    lab,
    wanted.map(({ site, addresses }) => [site, addresses]),
  );
  for (const [index, { site, observation }] of wanted.entries()) {
    assert.deepEqual(observations[index], observation, `what ${site.name} is behind is no ${site.kind}`);
  }
}

interface Expectation {
  readonly site: LabSite;
  readonly addresses: readonly string[];
  readonly observation: NatObservation;
}

/** One for each of its families. */
function expectationsOf(site: LabSite): Expectation[] {
  const nat = natOf(site.kind);
  const expected = nat && expectedBehaviour[nat];
  const address = site.host.publicAddresses[0] as string;
  const expectations: Expectation[] = [];
  if (nat !== undefined) {
    const observation = expected === undefined ? { udp: false as const } : { udp: true as const, address, ...expected };
    expectations.push({ site, addresses: rendezvousAddresses, observation });
  }
  if (site.host.ipv6 !== undefined) {
    const observation = { udp: true as const, address: site.host.ipv6, ...expectedIpv6Behaviour };
    expectations.push({ site, addresses: rendezvousIpv6, observation });
  }
  return expectations;
}
