// Every kind of NAT in the simulator is found out, over good links and bad ones, with everything that servers may lack.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type NatReport, natBehaviourOf } from "../../src/traversal/nat-report.ts";
import type { NatBehaviour } from "../../src/wire/candidate.ts";
import { decodeStun } from "../../src/wire/stun.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import type { Host } from "../sim/host.ts";
import type { NatSettings } from "../sim/nat.ts";
import { type NatKind, natKinds, Site } from "../sim/topology.ts";
import { World } from "../sim/world.ts";
import { addClient, addStunServer, discover, type ServerKind } from "./stun-topology.ts";

const behaviour = (
  mapping: NatBehaviour["mapping"],
  filtering: NatBehaviour["filtering"],
  portsPreserved: boolean,
): NatBehaviour => ({ mapping, filtering, portsPreserved });

const HOME = behaviour("endpoint-independent", "address-and-port-dependent", true);
const HARD = behaviour("address-and-port-dependent", "address-and-port-dependent", false);

const EXPECTED: Readonly<Record<NatKind, NatBehaviour>> = {
  none: behaviour("endpoint-independent", "endpoint-independent", true),
  fullCone: behaviour("endpoint-independent", "endpoint-independent", true),
  addressRestricted: behaviour("endpoint-independent", "address-dependent", true),
  portRestricted: HOME,
  forgetful: HOME,
  veryForgetful: HOME,
  linux: HOME,
  symmetric: HARD,
  symmetricSequential: HARD,
  symmetricStriding: HARD,
  cgn: { ...HOME, portsPreserved: false },
  cgnSymmetric: HARD,
  udpBlocked: behaviour("unknown", "unknown", false),
  badRouter: HOME,
  badSymmetric: HARD,
};

/** Without what unsolicited-test.test.ts is about. */
function plainBehaviourOf(report: NatReport): NatBehaviour {
  const { mapping, filtering, portsPreserved } = natBehaviourOf(report);
  return { mapping, filtering, portsPreserved };
}

const WITHOUT_NAT: ReadonlySet<NatKind> = new Set<NatKind>(["none", "udpBlocked"]);

forSeeds(50, "every kind of NAT is known for what it is, at a loss of 10 % too", (scenario) => {
  for (const kind of natKinds) {
    for (const lossProbability of [0, 0.1]) {
      const world = scenario.world();
      const server = addStunServer(world, "full");
      const report = discover(world, addClient(world, kind, { lossProbability }), [server]);
      assert.deepEqual(plainBehaviourOf(report), EXPECTED[kind], `${kind} at a loss of ${lossProbability}`);
      assert.equal(report.udp, kind !== "udpBlocked");
      assert.equal(report.translated, kind === "udpBlocked" ? undefined : kind !== "none");
      const tested = !WITHOUT_NAT.has(kind);
      assert.equal(report.hairpin.value, tested ? kind === "cgn" : undefined);
    }
  }
});

/** What is found out by these servers, the first of which is the preferred one. */
function report(kind: NatKind, servers: readonly ServerKind[], seed = 1): NatReport {
  const world = new World({ seed });
  const addresses = servers.map((server, i) => addStunServer(world, server, 1 + i * 10));
  return discover(world, addClient(world, kind), addresses);
}

test("two servers that know nothing of RFC 5780 tell how a NAT maps, and not what it lets in", () => {
  for (const kind of natKinds) {
    const { mapping, filtering, portsPreserved } = report(kind, ["plain", "plain"]);
    const hard = EXPECTED[kind].mapping === "address-and-port-dependent";
    if (kind === "udpBlocked") continue;
    assert.equal(mapping.value, hard ? "address-dependent" : "endpoint-independent", kind);
    if (hard) assert.match(mapping.note ?? "", /on the port too, perhaps/);
    assert.equal(filtering.value, undefined);
    assert.match(filtering.note ?? "", /RFC 5780/);
    assert.equal(portsPreserved.value, EXPECTED[kind].portsPreserved);
  }
});

test("one server with one port tells no more than that it is there", () => {
  const { udp, translated, mapping, filtering } = report("portRestricted", ["plain"]);
  assert.deepEqual([udp, translated], [true, true]);
  assert.equal(mapping.value, undefined);
  assert.match(mapping.note ?? "", /it takes two/);
  assert.equal(filtering.value, undefined);
});

test("a second port alone finds the hard NATs, the strict filters and that there is no NAT, and claims nothing beyond", () => {
  for (const kind of natKinds) {
    const { mapping, filtering, translated } = report(kind, ["other-port"]);
    const { mapping: expectedMapping, filtering: expectedFiltering } = EXPECTED[kind];
    const strict = "address-and-port-dependent";
    const isKnown = expectedMapping === strict || translated === false;
    assert.equal(mapping.value, isKnown ? expectedMapping : undefined, kind);
    assert.equal(filtering.value, expectedFiltering === strict ? strict : undefined, kind);
  }
});

test("a second server adds what the second address of the first one lacks", () => {
  for (const kind of ["portRestricted", "symmetric", "badRouter"] as const) {
    const found = report(kind, ["other-port", "plain"]);
    assert.deepEqual(plainBehaviourOf(found), EXPECTED[kind], kind);
  }
});

test("the better server is used wherever it stands, and a dead one is not waited for to begin", () => {
  for (const servers of [
    ["plain", "full"],
    ["other-port", "plain", "full"],
  ] as const) {
    assert.deepEqual(plainBehaviourOf(report("addressRestricted", servers)), EXPECTED.addressRestricted);
  }
  const world = new World();
  const dead = { family: 4, host: "192.0.2.77", port: 3478 } as const;
  const found = discover(world, addClient(world, "addressRestricted"), [dead, addStunServer(world, "full")]);
  assert.deepEqual(plainBehaviourOf(found), EXPECTED.addressRestricted);
  assert.deepEqual(
    found.servers.map(({ answered }) => answered),
    [false, true],
  );
  assert.ok(world.nowMs < 8_000, `${world.nowMs} ms`);
});

test("silence is certain within seconds", () => {
  const world = new World();
  const found = discover(world, addClient(world, "udpBlocked"), [addStunServer(world, "full")]);
  assert.ok(world.nowMs < 8_000, `${world.nowMs} ms`);
  assert.match(found.mapping.note ?? "", /no server answered/);
});

test("a filter is not called closed where the alternate that should have come through is dead", () => {
  const world = new World();
  const server = addStunServer(world, "full");
  const client = addClient(world, "fullCone");
  world.firewall.add({ to: client, matches: (payload) => decodeStun(payload)?.responseOrigin?.port === 4701 });
  const found = discover(world, client, [server]);
  assert.equal(found.filtering.value, undefined);
  assert.match(found.filtering.note ?? "", /does not answer, so its silence proves nothing/);
});

test("one discovery is few and small packets", () => {
  for (const [kind, packetsMax] of [
    ["none", 18],
    ["portRestricted", 40],
    ["symmetric", 40],
  ] as const) {
    const world = new World();
    const client = addClient(world, kind);
    discover(world, client, [addStunServer(world, "full")]);
    assert.ok(client.datagramsSent <= packetsMax, `${kind}: ${client.datagramsSent} packets`);
    assert.ok(client.bytesSent <= packetsMax * 28);
  }
});

/** Runs a discovery behind a NAT of these settings. */
function reportBehind(settings: Partial<NatSettings>, seed: number): NatReport {
  const world = new World({ seed });
  const inner = world.addNetwork("home");
  world.addRouter("router", { ip: "198.51.100.1", inner, router: { kind: "nat", ...settings } });
  const client = world.addHost("A", { ip: "10.0.0.2", port: 4001, network: inner });
  return discover(world, client, [addStunServer(world, "full")]);
}

test("every mapping with every filtering of RFC 4787 is told", () => {
  const all = ["endpoint-independent", "address-dependent", "address-and-port-dependent"] as const;
  for (const mapping of all) {
    for (const filtering of all) {
      for (const ports of ["preserve", "random", "sequential"] as const) {
        for (const seed of [1, 2]) {
          const found = plainBehaviourOf(reportBehind({ mapping, filtering, ports }, seed));
          const what = `${mapping}, ${filtering}, ${ports}, seed ${seed}`;
          assert.deepEqual([found.mapping, found.filtering], [mapping, filtering], what);
          if (mapping === "endpoint-independent") assert.equal(found.portsPreserved, ports === "preserve", what);
        }
      }
    }
  }
});

test("a NAT that forgets in the middle of it is not judged", () => {
  const world = new World();
  const site = new Site(world, "home", { kind: "portRestricted", number: 1, link: { delayMs: 15 } });
  const client = site.addHost("A", { port: 4001 });
  const server = addStunServer(world, "full");
  // Between the first answers and their repetition.
  world.after(70, () => site.outermost?.changeAddress("198.51.100.77"));
  const { mapping } = discover(world, client, [server]);
  assert.equal(mapping.value, undefined);
  assert.match(mapping.note ?? "", /changed while/);
});

test("a server that falls silent as a whole does not make a filter look closed", () => {
  const world = new World();
  const client = addClient(world, "fullCone");
  const server = addStunServer(world, "full");
  // From when the filtering test has begun: as where a whole office shares the rate of the server's answers.
  world.after(85, () => world.firewall.cut(client, world.hosts[1] as Host));
  world.after(1_900, () => world.firewall.clear());
  const { filtering } = discover(world, client, [server]);
  assert.deepEqual(filtering, { value: "endpoint-independent" });
});
