// What `tunnel netcheck` says of real NATs: every kind of router is known for what it is, by our own rendezvous and by a foreign
// server; and what an independent client says of our server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Lab } from "./lab.ts";
import { giveMappableAddresses, MappingRouter } from "./mapping-router.ts";
import { assertNats, type Dependence, expectedBehaviour } from "./nat-observation.ts";
import type { NatKind } from "./router-rules.ts";
import { COTURN_PORTS, RENDEZVOUS_PORTS, startCoturn, startDiscoveryRendezvous, startProgram } from "./stun-servers.ts";
import type { LabNode } from "./topology.ts";

const kinds = Object.keys(expectedBehaviour) as NatKind[];

/** The fields of the report that are looked at here. */
interface FamilyFields {
  readonly udp: boolean | null;
  readonly translated: boolean | null;
  readonly publicAddress: string | null;
  readonly mapping: string | null;
  readonly filtering: string | null;
  readonly portsPreserved: boolean | null;
  readonly mtuBytes: number | null;
  readonly lifetime: { readonly atLeastSeconds: number; readonly belowSeconds: number | null } | null;
  readonly notes: Readonly<Record<string, string>>;
}

interface Report {
  readonly ok: boolean;
  readonly direct: Readonly<Record<string, string>>;
  readonly summary: readonly string[];
  readonly ipv4: FamilyFields;
  readonly rendezvous: readonly { readonly udp: boolean; readonly tcp: string; readonly streams: readonly unknown[] }[];
  readonly routers: readonly { readonly protocol: string | null; readonly external: string | null }[];
}

async function netcheck(
  lab: Lab,
  node: LabNode,
  args: readonly string[],
  env = {},
): Promise<Report & { code: number }> {
  const end = await startProgram(lab, node, ["netcheck", ...args], env).ended;
  assert.equal(end.stderr, "");
  return { ...(JSON.parse(end.stdout) as Report), code: end.code as number };
}

const NAMES: Readonly<Record<Dependence, string>> = {
  endpoint: "endpoint-independent",
  address: "address-dependent",
  "address-and-port": "address-and-port-dependent",
};

function assertFound(report: Report, kind: NatKind, publicHost: string): void {
  const expected = expectedBehaviour[kind];
  const { udp, translated, mapping, filtering, portsPreserved, publicAddress } = report.ipv4;
  assert.deepEqual(
    { udp, translated, mapping, filtering, portsPreserved, host: publicAddress?.split(":")[0] },
    expected === undefined
      ? { udp: false, translated: null, mapping: null, filtering: null, portsPreserved: null, host: undefined }
      : {
          udp: true,
          translated: kind !== "none",
          mapping: NAMES[expected.mapping],
          filtering: NAMES[expected.filtering],
          portsPreserved: expected.portsPreserved,
          host: publicHost,
        },
    `${kind}: ${JSON.stringify(report.ipv4)}`,
  );
}

const rendezvousArgs = (lab: Lab): string[] => ["--rendezvous", `${lab.rendezvous.address}:${RENDEZVOUS_PORTS[0]}`];
const coturnArgs = (lab: Lab): string[] => ["--stun", `${lab.rendezvous.address}:${COTURN_PORTS[0]}`];

for (const kind of kinds) {
  test(`a router of kind ${kind} is known for what it is, by our rendezvous and by coturn`, async (context) => {
    const lab = await Lab.create({ A: kind });
    context.after(() => lab.destroy());
    const { host } = lab.sites.A;
    await assertNats(lab, lab.sites.A);
    await Promise.all([startDiscoveryRendezvous(lab), startCoturn(lab)]);
    const byRendezvous = await netcheck(lab, host, rendezvousArgs(lab));
    assertFound(byRendezvous, kind, host.publicAddresses[0] as string);
    const blocked = kind === "udp-blocked";
    assert.deepEqual(
      [byRendezvous.ok, byRendezvous.code],
      [true, 0],
      "the relay is reached over TCP where UDP is blocked",
    );
    assert.equal(byRendezvous.rendezvous[0]?.tcp, "answered");
    assert.deepEqual(byRendezvous.rendezvous[0]?.streams, [{ over: "tcp", byProxy: false }]);
    assert.equal(byRendezvous.ipv4.mtuBytes, blocked ? null : 1500);
    if (blocked) assert.match(byRendezvous.summary.join(" "), /lets no UDP through/);
    assertFound(await netcheck(lab, host, coturnArgs(lab)), kind, host.publicAddresses[0] as string);
  });
}

test("a second port alone finds the strict NAT, and leaves open what it cannot know", async (context) => {
  const lab = await Lab.create({ A: "symmetric", B: "port-restricted", C: "full-cone" });
  context.after(() => lab.destroy());
  await startDiscoveryRendezvous(lab, [String(RENDEZVOUS_PORTS[1])]);
  const found = async (node: LabNode) => (await netcheck(lab, node, rendezvousArgs(lab))).ipv4;
  const strict = "address-and-port-dependent";
  const [a, b, c] = await Promise.all([lab.sites.A, lab.sites.B, lab.sites.C].map(({ host }) => found(host)));
  assert.deepEqual([a?.mapping, a?.filtering], [strict, strict]);
  assert.deepEqual([b?.mapping, b?.filtering], [null, strict]);
  assert.deepEqual([c?.mapping, c?.filtering], [null, null]);
  assert.match(c?.notes.filtering ?? "", /second address|two addresses/);
});

test("a tenth of the packets may be lost", async (context) => {
  const lab = await Lab.create({ A: "address-restricted", B: "symmetric" });
  context.after(() => lab.destroy());
  await startDiscoveryRendezvous(lab);
  await lab.faults.dropRandom(10);
  const { A, B } = lab.sites;
  const [a, b] = await Promise.all([A, B].map(({ host }) => netcheck(lab, host, rendezvousArgs(lab))));
  assertFound(a as Report, "address-restricted", A.host.publicAddresses[0] as string);
  assertFound(b as Report, "symmetric", B.host.publicAddresses[0] as string);
});

test("a narrow link shows in the largest packet that passes, with and without a word from the router", async (context) => {
  const lab = await Lab.create({ A: "port-restricted", B: "port-restricted" });
  context.after(() => lab.destroy());
  await startDiscoveryRendezvous(lab);
  const { A, B } = lab.sites;
  await lab.faults.setMtu(A.router, 1440);
  await lab.faults.setMtu(B.router, 1300, true);
  const [a, b] = await Promise.all([A, B].map(({ host }) => netcheck(lab, host, rendezvousArgs(lab))));
  assert.deepEqual([a?.ipv4.mtuBytes, b?.ipv4.mtuBytes], [1440, 1280]);
});

test("how long the router remembers a silent connection is found between two bounds", async (context) => {
  const lab = await Lab.create({ A: "port-restricted" });
  context.after(() => lab.destroy());
  const { host, router } = lab.sites.A;
  await startDiscoveryRendezvous(lab);
  // A flow that had a single answer would be gone after 4 s; a tunnel's goes on, and so does the one that is measured.
  await lab.faults.setConntrackTimeouts(router, { unansweredSeconds: 4, answeredSeconds: 9 });
  const env = { TUNNEL_TEST_LIFETIME_MS: "1000,6000,7500,12000,14000" };
  const { ipv4 } = await netcheck(lab, host, [...rendezvousArgs(lab), "--lifetime"], env);
  assert.deepEqual(ipv4.lifetime, { atLeastSeconds: 7.5, belowSeconds: 12 });
});

test("an agent measures its NAT as soon as its rendezvous has taken it", async (context) => {
  const lab = await Lab.create({ A: "symmetric", B: "address-restricted" });
  context.after(() => lab.destroy());
  await startDiscoveryRendezvous(lab);
  const expose = (node: LabNode) =>
    startProgram(lab, node, ["expose", "3000", ...rendezvousArgs(lab), "--log-level", "debug"]);
  const measured = async (node: LabNode) => expose(node).waitForLine(/measured the NAT/, 10_000);
  const { A, B } = lab.sites;
  const [a, b] = await Promise.all([measured(A.host), measured(B.host)]);
  const strict = "address-and-port-dependent";
  assert.match(a ?? "", new RegExp(`mapping="?${strict}.*filtering="?${strict}`));
  assert.match(b ?? "", /mapping="?endpoint-independent.*filtering="?address-dependent/);
});

test("a router that maps ports is asked, found to, and left as it was", async (context) => {
  const lab = await Lab.create({ A: "symmetric", B: "symmetric" });
  context.after(() => lab.destroy());
  const { A, B } = lab.sites;
  await giveMappableAddresses(lab, A, B);
  await startDiscoveryRendezvous(lab);
  const [pcp, upnp] = [await MappingRouter.start(lab, A, ["PCP"]), await MappingRouter.start(lab, B, ["UPnP"])];
  const [a, b] = await Promise.all([A, B].map(({ host }) => netcheck(lab, host, rendezvousArgs(lab))));
  for (const [report, router, protocol] of [
    [a, pcp, "PCP"],
    [b, upnp, "UPnP"],
  ] as const) {
    assert.equal(report?.routers[0]?.protocol, protocol);
    assert.equal(report?.routers[0]?.external?.split(":")[0], router.address);
    assert.equal(report?.direct.strict, "yes");
    // The port that is mapped is none of those by which the NAT is measured.
    assert.equal(report?.ipv4.mapping, "address-and-port-dependent");
    assert.deepEqual(await router.mappings(), []);
  }
});

/** Clients for RFC 5780 by other people: what they call what they find, behind four kinds of routers. */
const FOREIGN_CLIENTS = [
  {
    // coturn's.
    program: "turnutils_natdiscovery",
    args: (host: string, port: string) => ["-m", "-f", "-p", port, host],
    none: /Endpoint Independent Mapping[\s\S]*Endpoint Independent Filtering/,
    fullCone: /Endpoint Independent Mapping[\s\S]*Endpoint Independent Filtering/,
    portRestricted: /Endpoint Independent Mapping[\s\S]*Address and Port Dependent Filtering/,
    symmetric: /Address and Port Dependent Mapping[\s\S]*Address and Port Dependent Filtering/,
  },
  {
    // stuntman's, which not every distribution has.
    program: "stunclient",
    args: (host: string, port: string) => ["--mode", "full", host, port],
    none: /Nat behavior: Direct Mapping[\s\S]*Nat filtering: Endpoint Independent Filtering/,
    fullCone: /Nat behavior: Endpoint Independent Mapping[\s\S]*Nat filtering: Endpoint Independent Filtering/,
    portRestricted:
      /Nat behavior: Endpoint Independent Mapping[\s\S]*Nat filtering: Address and Port Dependent Filtering/,
    symmetric: /Nat behavior: Address and Port Dependent Mapping[\s\S]*Nat filtering: Address and Port Dependent/,
  },
] as const;

test("independent clients get from our rendezvous what they need to tell NATs apart", async (context) => {
  const lab = await Lab.create({ A: "none", B: "full-cone", C: "port-restricted", D: "symmetric" });
  context.after(() => lab.destroy());
  await startDiscoveryRendezvous(lab);
  const { A, B, C, D } = lab.sites;
  for (const { program, args, ...expected } of FOREIGN_CLIENTS) {
    const isHere = (await lab.exec(lab.rendezvous, ["sh", "-c", `command -v ${program}`])).code === 0;
    if (!isHere && program === "stunclient") {
      context.diagnostic("stunclient is not installed, so coturn's client alone was asked");
      continue;
    }
    const argv = ["timeout", "60", program, ...args(lab.rendezvous.address, String(RENDEZVOUS_PORTS[0]))];
    const [a, b, c, d] = await Promise.all([A, B, C, D].map(({ host }) => lab.output(host, argv)));
    assert.match(a ?? "", expected.none);
    assert.match(b ?? "", expected.fullCone);
    assert.match(c ?? "", expected.portRestricted);
    assert.match(d ?? "", expected.symmetric);
  }
});
