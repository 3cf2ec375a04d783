// What a NAT really does, seen from a host behind it, in the terms of RFC 4787; and what each kind of the lab has
// to show before a test may rely on it.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Lab } from "./lab.ts";
import type { NatKind } from "./router-rules.ts";
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

/** @returns what the NAT of each of these sites does, by asking echo servers on the public segment. */
export async function observeNats(lab: Lab, ...sites: LabSite[]): Promise<NatObservation[]> {
  const addresses = rendezvousAddresses.join(",");
  const server = lab.spawn(lab.rendezvous, [process.execPath, script("./nat-echo-server.js"), addresses, PORTS]);
  try {
    await server.waitForJson("ready", 10_000);
    return await Promise.all(
      sites.map(async (site) => {
        const client = lab.spawn(site.host, [process.execPath, script("./nat-echo-client.js"), addresses, PORTS]);
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

/** Proves that the NATs of these sites behave as they are named; a test does so before it relies on them. */
export async function assertNats(lab: Lab, ...sites: LabSite[]): Promise<void> {
  const observations = await observeNats(lab, ...sites);
  for (const [index, site] of sites.entries()) {
    const expected = expectedBehaviour[site.kind];
    const address = site.host.publicAddresses[0];
    const wanted = expected === undefined ? { udp: false } : { udp: true, address, ...expected };
    assert.deepEqual(observations[index], wanted, `the NAT of ${site.name} is no ${site.kind}`);
  }
}
