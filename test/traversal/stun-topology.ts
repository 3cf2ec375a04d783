// One host behind a NAT that asks, and a rendezvous in the middle that answers from two addresses and two ports, or from fewer of them.

import type { SocketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import { randomBytes } from "../../src/base/random.ts";
import { RouteTable } from "../../src/base/route.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { RendezvousServer } from "../../src/rendezvous/rendezvous-server.ts";
import type { StunSocket } from "../../src/rendezvous/stun-responder.ts";
import { NatDiscovery, type NatDiscoveryConfig } from "../../src/traversal/nat-discovery.ts";
import type { NatReport } from "../../src/traversal/nat-report.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import type { Host } from "../sim/host.ts";
import type { LinkSettings } from "../sim/link.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { type NatKind, Site } from "../sim/topology.ts";
import type { World } from "../sim/world.ts";

const identity = seededIdentity(new SeededRandom(1));
const cipher = bestPacketCipher();

/** What the server has: full is what RFC 5780 asks for. */
export type ServerKind = "full" | "other-port" | "plain";

const OTHER_PORT = 4701;

/**
 * Gives a public host what a server of this kind has: more ports, and the next address.
 * @returns all its sockets, for the responder.
 */
export function openStunSockets(host: Host, kind: ServerKind): readonly StunSocket[] {
  const main = host.address;
  const nextHost = main.host.replace(/\d+$/, (last) => String(Number(last) + 1));
  const addresses: SocketAddress[] = [main];
  if (kind !== "plain") addresses.push({ ...main, port: OTHER_PORT });
  if (kind === "full") {
    host.join(host.world.internet, nextHost, { delayMs: 5 }, { delayMs: 5 });
    addresses.push({ ...main, host: nextHost }, { ...main, host: nextHost, port: OTHER_PORT });
  }
  for (const [carrier, at] of addresses.entries()) if (carrier > 0) host.openSocket(carrier, at.port, at.host);
  return addresses.map((address, carrier) => ({ carrier, address }));
}

/** Adds a server with the addresses 192.0.2.n and 192.0.2.(n + 1). @returns its main address. */
export function addStunServer(world: World, kind: ServerKind, n = 1): SocketAddress {
  const host = world.addHost(`S${n}`, { ip: `192.0.2.${n}`, port: 4700, link: { delayMs: 5 } });
  const stunSockets = openStunSockets(host, kind);
  const random = new SeededRandom(world.options.seed).fork(host.name);
  const instance = randomBytes(random, 8);
  host.run(new RendezvousServer({ identity, instance, random, cipher, log: silentLog, stunSockets }));
  return host.address;
}

/** Puts a host behind a NAT of this kind. */
export function addClient(world: World, kind: NatKind, link: Partial<LinkSettings> = {}): Host {
  const site = new Site(world, "home", { kind, number: 1, link: { delayMs: 15, ...link } });
  return site.addHost("A", { port: 4001 });
}

interface Further {
  readonly carrier: number;
  readonly port: number;
}

/** Runs a discovery to its end. */
export function discover(world: World, client: Host, servers: readonly SocketAddress[], limitMs = 20_000): NatReport {
  const further = [1, 2, 3].map((carrier) => ({ carrier, port: 4001 + carrier }));
  for (const { carrier, port } of further) client.openSocket(carrier, port);
  const [filteringSocket, hairpinSocket, unsolicitedSocket] = further as [Further, Further, Further];
  const config: NatDiscoveryConfig = {
    routes: new RouteTable(),
    random: new SeededRandom(world.options.seed).fork("discovery"),
    servers,
    localHosts: client.addresses.map(({ host }) => host),
    socket: { carrier: 0, port: client.port },
    filteringSocket,
    hairpinSocket,
    unsolicitedSocket,
  };
  const machine = new NatDiscovery(config);
  let report: NatReport | undefined;
  client.run(machine, () => {
    report ??= machine.pollEvent();
  });
  client.input((nowMs) => machine.start(nowMs));
  world.runUntil(() => report !== undefined, limitMs);
  return report as unknown as NatReport;
}
