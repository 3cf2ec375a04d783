// Where everything in the lab is: its hosts and routers with their addresses, and the shell script that builds them.
//
//   host A ── router A ──┐                              ┌── router B ── host B
//   192.168.1.10         │ 203.0.113.21    203.0.113.22 │         192.168.2.10
//                        └──── public segment (bridge) ─┘
//                                       │
//                      rendezvous 203.0.113.10 and 203.0.113.11
//
// A site with IPv6 (SiteKind) has the network 2001:db8:1::/64, its router 2001:db8::21, and the rendezvous 2001:db8::10 and 2001:db8::11.
//
// Behind a carrier-grade NAT the router reaches the public segment through the carrier's, over 100.64.0.0/10 (RFC 6598).
// Behind a router without NAT the host has a public address of its own. Each box is a network namespace, each line a
// veth pair; the public segment is a namespace with a bridge, where packets are cut, lost and limited.

import {
  addIpv6,
  firewallLines,
  hostIpv6Lines,
  ipv6Of,
  ipv6Routes,
  quietIpv6,
  rendezvousIpv6,
} from "./ipv6-topology.ts";
import { hasIpv6, natOf, type RouterKind, routerRules, routersOf, type SiteKind } from "./router-rules.ts";

/** A network namespace with one uplink. */
export interface LabNode {
  /** "hostA", "routerA", "carrierA", "rendezvous", "public". */
  readonly name: string;
  /** Its name for `ip netns`. */
  readonly namespace: string;
  /** The address of its uplink, IPv4 where it has any. */
  readonly address: string;
  /** The IPv6 address of its uplink. */
  readonly ipv6: string | undefined;
  /** The addresses from which the public segment sees it and what is behind it. */
  readonly publicAddresses: readonly string[];
  /** The device that leads outwards. */
  readonly uplink: string;
}

/** A place with a NAT of its own. */
export interface LabSite {
  readonly name: string;
  readonly kind: SiteKind;
  /** Tells sites apart in every address, from 1. */
  readonly number: number;
  readonly host: LabNode;
  /** The router next to the host. */
  readonly router: LabNode;
  /** The router on the public segment: another one only behind a carrier-grade NAT. */
  readonly outerRouter: LabNode;
}

export interface Topology {
  readonly publicSegment: LabNode;
  readonly rendezvous: LabNode;
  readonly sites: readonly LabSite[];
}

/** The two public addresses of the rendezvous. */
export const rendezvousAddresses = ["203.0.113.10", "203.0.113.11"] as const;

/** @param prefix goes before the name of every namespace; sites are named by the keys of `kinds`. */
export function planTopology(prefix: string, kinds: Readonly<Record<string, SiteKind>>): Topology {
  const node = (name: string, from: Pick<LabNode, "address" | "publicAddresses" | "uplink" | "ipv6">): LabNode => ({
    name,
    namespace: `${prefix}-${name}`,
    ...from,
  });
  const sites = Object.entries(kinds).map(([name, kind], index): LabSite => {
    const number = index + 1;
    const nat = natOf(kind);
    const ipv6 = hasIpv6(kind) ? ipv6Of(number) : undefined;
    const outside = nat === undefined ? ipv6Of(number).outside : `203.0.113.${20 + number}`;
    const inside =
      nat === undefined
        ? ipv6Of(number).host
        : nat === "none"
          ? `198.51.100.${number * 16 + 10}`
          : `192.168.${number}.10`;
    const seenAs = nat === "none" || nat === undefined ? [inside] : [outside];
    const isCarrierGrade = nat !== undefined && routersOf(nat).length === 2;
    const atRouter = { publicAddresses: seenAs, uplink: "wan", ipv6: ipv6?.outside };
    const router = node(`router${name}`, { address: isCarrierGrade ? `100.64.${number}.2` : outside, ...atRouter });
    const outerRouter = isCarrierGrade ? node(`carrier${name}`, { address: outside, ...atRouter }) : router;
    const host = node(`host${name}`, {
      address: inside,
      publicAddresses: seenAs,
      uplink: "eth0",
      ipv6: ipv6?.host,
    });
    return { name, kind, number, host, router, outerRouter };
  });
  return {
    publicSegment: node("public", { address: "", publicAddresses: [], uplink: "", ipv6: undefined }),
    rendezvous: node("rendezvous", {
      address: rendezvousAddresses[0],
      publicAddresses: rendezvousAddresses,
      uplink: "eth0",
      ipv6: rendezvousIpv6[0],
    }),
    sites,
  };
}

/** @returns every node, the public segment first, because the others plug into it. */
export function nodesOf(topology: Topology): LabNode[] {
  const behind = topology.sites.flatMap((site) => [...new Set([site.outerRouter, site.router, site.host])]);
  return [topology.publicSegment, topology.rendezvous, ...behind];
}

const networkOf = (address: string, bits: number): string => {
  const parts = address.split(".");
  const last = bits === 28 ? Number(parts[3]) & 0xf0 : 0;
  return `${parts.slice(0, 3).join(".")}.${last}/${bits}`;
};

const gatewayOf = (address: string, bits: number): string =>
  networkOf(address, bits).replace(/(\d+)\/\d+$/, (_, last) => String(Number(last) + 1));

/** Lines to be run by a shell inside the namespace of `node`. */
function inside(node: LabNode, lines: readonly string[]): string {
  return `nsenter --net=/run/netns/${node.namespace} sh -e <<'INSIDE'\n${lines.join("\n")}\nINSIDE\n`;
}

/** Pulls a cable from `node` to the bridge of the public segment. */
function plugIn(node: LabNode, publicSegment: LabNode): string {
  return [
    `ip -n ${publicSegment.namespace} link add ${node.name} type veth peer name ${node.uplink} netns ${node.namespace}`,
    `ip -n ${publicSegment.namespace} link set ${node.name} master public up`,
    "",
  ].join("\n");
}

/** The IPv4 of one router. */
function routerLines(
  node: LabNode,
  kind: RouterKind,
  lan: { gateway: string; inside: string },
  wanBits: number,
): string[] {
  return [
    `ip address add ${node.address}/${wanBits} dev wan`,
    `ip address add ${lan.gateway} dev lan`,
    ...(wanBits === 30 ? [`ip route add default via ${gatewayOf(node.address, 24)}`] : []),
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "nft -f - <<'RULES'",
    routerRules(kind, lan.inside),
    "RULES",
  ];
}

const up = (...devices: readonly string[]): string[] => ["lo", ...devices].map((name) => `ip link set ${name} up`);

function siteScript(site: LabSite, publicSegment: LabNode): string {
  const { host, router, outerRouter, number, kind } = site;
  const nat = natOf(kind);
  const kinds = nat === undefined ? [] : routersOf(nat);
  const bits = nat === "none" ? 28 : 24;
  const gateway = nat === undefined ? "" : gatewayOf(host.address, bits);
  const lines = [
    plugIn(outerRouter, publicSegment),
    `ip -n ${router.namespace} link add lan type veth peer name eth0 netns ${host.namespace}\n`,
  ];
  if (kinds[1] !== undefined) {
    const carrierGateway = `${gatewayOf(router.address, 24)}/30`;
    const lan = { gateway: carrierGateway, inside: router.address };
    lines.push(`ip -n ${outerRouter.namespace} link add lan type veth peer name wan netns ${router.namespace}\n`);
    lines.push(
      inside(outerRouter, [...quietIpv6, ...up("wan", "lan"), ...routerLines(outerRouter, kinds[1], lan, 24)]),
    );
  }
  const lan = { gateway: `${gateway}/${bits}`, inside: host.address };
  const wanBits = kinds.length === 2 ? 30 : 24;
  const ipv4Lines = kinds[0] === undefined ? [] : routerLines(router, kinds[0], lan, wanBits);
  lines.push(inside(router, [...quietIpv6, ...up("wan", "lan"), ...ipv4Lines, ...firewallLines(kind, number)]));
  const ipv4Host = [`ip address add ${host.address}/${bits} dev eth0`, `ip route add default via ${gateway}`];
  lines.push(
    inside(host, [...quietIpv6, ...up("eth0"), ...(nat === undefined ? [] : ipv4Host), ...hostIpv6Lines(kind, number)]),
  );
  return lines.join("");
}

/** Everybody on the public segment knows the way to the public addresses behind a router without NAT. */
function publicRoutes(topology: Topology): string {
  const behind = topology.sites.filter((site) => natOf(site.kind) === "none");
  const onSegment = [topology.rendezvous, ...topology.sites.map((site) => site.outerRouter)];
  return onSegment
    .flatMap((node) =>
      behind
        .filter((site) => site.outerRouter !== node && !node.address.includes(":"))
        .map((site) => {
          const network = networkOf(site.host.address, 28);
          return `ip -n ${node.namespace} route add ${network} via ${site.outerRouter.address}\n`;
        }),
    )
    .join("");
}

/** @returns the input of `sh -e` that fills the namespaces, which exist already. */
export function buildScript(topology: Topology): string {
  const { publicSegment, rendezvous } = topology;
  return [
    inside(publicSegment, [
      "ip link set lo up",
      "ip link add public type bridge",
      "ip link set public up",
      "nft -f - <<'RULES'",
      "table bridge faults {",
      "  set cut { type ipv4_addr . ipv4_addr; }",
      "  set closed { type inet_service; }",
      "  set dead { type ether_type; }",
      "  chain cutting {",
      "    type filter hook forward priority 0",
      "    meta l4proto udp ip saddr . ip daddr @cut drop",
      "    tcp dport @closed drop",
      "    ether type @dead drop",
      "  }",
      "  chain losing { type filter hook forward priority 1; }",
      "}",
      "RULES",
    ]),
    plugIn(rendezvous, publicSegment),
    inside(rendezvous, [
      ...quietIpv6,
      ...up("eth0"),
      ...rendezvousAddresses.map((address) => `ip address add ${address}/24 dev eth0`),
      // Of several the kernel speaks by the one that came last.
      ...[...rendezvousIpv6].reverse().map((address) => addIpv6(address, "eth0")),
    ]),
    ...topology.sites.map((site) => siteScript(site, publicSegment)),
    publicRoutes(topology),
    ipv6Routes(rendezvous, topology.sites),
  ].join("");
}
