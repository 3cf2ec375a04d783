// What is found out besides the NAT's behaviour: how large packets may be, how long mappings live, and both families at a time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MTU_PROBE_IP_BYTES } from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import type { FamilyFindings } from "../../src/traversal/family-check.ts";
import { NetworkCheck } from "../../src/traversal/network-check.ts";
import { forSeeds } from "../sim/for-seeds.ts";
import type { LinkSettings } from "../sim/link.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { type NatKind, Site } from "../sim/topology.ts";
import { World } from "../sim/world.ts";
import { addStunServer, type ServerKind } from "./stun-topology.ts";

const IDLE_MS = [1_000, 20_000, 35_000, 65_000, 115_000, 125_000, 175_000];

interface CheckOptions {
  readonly server?: ServerKind;
  readonly link?: Partial<LinkSettings>;
  readonly lifetime?: boolean;
  readonly ipv6?: boolean;
}

/** Runs a whole check. @returns what was found for each family, and how long it took. */
function check(world: World, kind: NatKind, options: CheckOptions = {}) {
  const servers = [addStunServer(world, options.server ?? "full")];
  const site = new Site(world, "home", { kind, number: 1, link: { delayMs: 15, ...options.link } });
  const client = site.addHost("A", { port: 4001 });
  if (options.ipv6) {
    site.joinIpv6(client);
    const [host] = world.hosts;
    host?.join(world.internet, "2001:db8::1", { delayMs: 5 }, { delayMs: 5 });
    servers.push({ family: 6, host: "2001:db8::1", port: 4700 });
  }
  const further = [1, 2, ...IDLE_MS.map((_, i) => 3 + i)];
  for (const carrier of further) client.openSocket(carrier, 4001 + carrier);
  const sleepers = IDLE_MS.map((idleMs, i) => ({ carrier: 3 + i, idleMs }));
  const machine = new NetworkCheck({
    routes: new RouteTable(),
    random: new SeededRandom(world.options.seed).fork("check"),
    servers,
    localHosts: client.addresses.map(({ host }) => host),
    socket: { carrier: 0, port: 4001 },
    filteringSocket: { carrier: 1, port: 4002 },
    hairpinSocket: { carrier: 2, port: 4003 },
    probesMtu: true,
    ...(options.lifetime ? { lifetime: { asker: 2, sleepers } } : {}),
  });
  const found = new Map<4 | 6, FamilyFindings>();
  client.run(machine, () => {
    for (let event = machine.pollEvent(); event !== undefined; event = machine.pollEvent()) {
      found.set(event.family, event.findings);
    }
  });
  client.input((nowMs) => machine.start(nowMs));
  const tookMs = world.runUntil(() => found.size === machine.families.length, 400_000);
  return { found, tookMs, ipv4: found.get(4) as FamilyFindings };
}

test("the largest packet that passes is found, however large it is", () => {
  for (const mtuBytes of [1600, 1500, 1499, 1480, 1300, 1248]) {
    const expected = MTU_PROBE_IP_BYTES.find((bytes) => bytes <= mtuBytes);
    for (const kind of ["none", "portRestricted"] as const) {
      const { ipv4 } = check(new World(), kind, { link: { mtuBytes } });
      assert.equal(ipv4.mtuBytes.value, expected, `${kind}, ${mtuBytes} bytes`);
    }
  }
});

forSeeds(20, "loss does not make packets look too large", (scenario) => {
  const { ipv4 } = check(scenario.world(), "portRestricted", { link: { mtuBytes: 1440, lossProbability: 0.1 } });
  assert.equal(ipv4.mtuBytes.value, 1440);
});

test("a path that carries no packet of a usable size is told as such", () => {
  const { ipv4 } = check(new World(), "portRestricted", { link: { mtuBytes: 700 } });
  assert.equal(ipv4.mtuBytes.value, undefined);
  assert.match(ipv4.mtuBytes.note ?? "", /not even 1248 bytes/);
});

forSeeds(10, "the lifetime of a mapping is found between two bounds, over a lossy link too", (scenario) => {
  const lossProbability = scenario.random.chance(0.5) ? 0.1 : 0;
  for (const kind of ["portRestricted", "linux", "symmetric", "fullCone"] as const) {
    const { ipv4, tookMs } = check(scenario.world(), kind, { lifetime: true, link: { lossProbability } });
    assert.deepEqual(ipv4.lifetime, { value: { atLeastMs: 115_000, belowMs: 125_000 } }, kind);
    // What is longer than the answer is not waited for.
    assert.ok(tookMs < 150_000, `${tookMs} ms`);
  }
});

test("without a NAT nothing is forgotten as long as it is watched", () => {
  const { ipv4 } = check(new World(), "none", { lifetime: true });
  assert.deepEqual(ipv4.lifetime, { value: { atLeastMs: 175_000 } });
});

test("a server with a single port is enough for packet size and lifetime", () => {
  const { ipv4 } = check(new World(), "portRestricted", { server: "plain", lifetime: true });
  assert.deepEqual([ipv4.mtuBytes.value, ipv4.lifetime?.value?.belowMs], [1500, 125_000]);
});

test("nothing is found where nobody answers, and it does not take long", () => {
  const { ipv4, tookMs } = check(new World(), "udpBlocked", { lifetime: true });
  assert.deepEqual([ipv4.nat.udp, ipv4.mtuBytes.value, ipv4.lifetime?.value], [false, undefined, undefined]);
  assert.ok(tookMs < 8_000, `${tookMs} ms`);
});

test("IPv6 behind a firewall is found to be without translation, beside a NAT for IPv4", () => {
  const { found } = check(new World(), "symmetric", { ipv6: true });
  const [ipv4, ipv6] = [found.get(4)?.nat, found.get(6)?.nat];
  assert.deepEqual([ipv4?.translated, ipv4?.portsPreserved.value], [true, false]);
  assert.deepEqual([ipv6?.translated, ipv6?.portsPreserved.value], [false, true]);
  assert.equal(ipv6?.servers[0]?.answered, true);
});

test("a family of which this host has loopback alone is not checked, unless the server is there, too", () => {
  const families = (localHosts: readonly string[], ...hosts: readonly string[]): readonly (4 | 6)[] =>
    new NetworkCheck({
      routes: new RouteTable(),
      random: new SeededRandom(1),
      servers: hosts.map((host) => ({ family: host.includes(":") ? 6 : 4, host, port: 4700 })),
      localHosts,
      socket: { carrier: 0, port: 4001 },
      filteringSocket: { carrier: 1, port: 4002 },
      probesMtu: true,
    } as const).families;
  const both = ["192.0.2.1", "2001:db8::1"];
  assert.deepEqual(families(["127.0.0.1", "2001:db8:1::1", "::1"], ...both), [6]);
  assert.deepEqual(families(["127.0.0.1", "192.168.1.2", "::1"], ...both), [4]);
  assert.deepEqual(families(["127.0.0.1", "::1"], "127.0.0.1", "::1", ...both), [4, 6]);
});
