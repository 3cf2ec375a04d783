// Where everything in the lab is: its hosts and routers with their addresses, and the shell script that builds them.
//
//   host A ── router A ──┐                              ┌── router B ── host B
//   192.168.1.10         │ 203.0.113.21    203.0.113.22 │         192.168.2.10
//                        └──── public segment (bridge) ─┘
//                                       │
//                      rendezvous 203.0.113.10 and 203.0.113.11
//
// Behind a carrier-grade NAT the router reaches the public segment through the carrier's, over 100.64.0.0/10 (RFC 6598).
// Behind a router without NAT the host has a public address of its own. Each box is a network namespace, each line a
// veth pair; the public segment is a namespace with a bridge, where packets are cut, lost and limited.

import { type NatKind, type RouterKind, routerRules, routersOf } from "./router-rules.ts";

/** A network namespace with one uplink. */
export interface LabNode {
  /** "hostA", "routerA", "carrierA", "rendezvous", "public". */
  readonly name: string;
  /** Its name for `ip netns`. */
  readonly namespace: string;
  /** The address of its uplink. */
  readonly address: string;
  /** The addresses from which the public segment sees it and what is behind it. */
  readonly publicAddresses: readonly string[];
  /** The device that leads outwards. */
  readonly uplink: string;
}

/** A place with a NAT of its own. */
export interface LabSite {
  readonly name: string;
  readonly kind: NatKind;
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
export function planTopology(prefix: string, kinds: Readonly<Record<string, NatKind>>): Topology {
  const node = (name: string, address: string, publicAddresses: readonly string[], uplink: string): LabNode => ({
    name,
    namespace: `${prefix}-${name}`,
    address,
    publicAddresses,
    uplink,
  });
  const sites = Object.entries(kinds).map(([name, kind], index): LabSite => {
    const number = index + 1;
    const outside = `203.0.113.${20 + number}`;
    const inside = kind === "none" ? `198.51.100.${number * 16 + 10}` : `192.168.${number}.10`;
    const seenAs = kind === "none" ? [inside] : [outside];
    const isCarrierGrade = routersOf(kind).length === 2;
    const router = node(`router${name}`, isCarrierGrade ? `100.64.${number}.2` : outside, seenAs, "wan");
    const outerRouter = isCarrierGrade ? node(`carrier${name}`, outside, seenAs, "wan") : router;
    return { name, kind, host: node(`host${name}`, inside, seenAs, "eth0"), router, outerRouter };
  });
  return {
    publicSegment: node("public", "", [], ""),
    rendezvous: node("rendezvous", rendezvousAddresses[0], rendezvousAddresses, "eth0"),
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

function routerScript(
  node: LabNode,
  kind: RouterKind,
  lan: { gateway: string; inside: string },
  wanBits: number,
): string {
  return inside(node, [
    "ip link set lo up",
    `ip address add ${node.address}/${wanBits} dev wan`,
    "ip link set wan up",
    `ip address add ${lan.gateway} dev lan`,
    "ip link set lan up",
    ...(wanBits === 30 ? [`ip route add default via ${gatewayOf(node.address, 24)}`] : []),
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "nft -f - <<'RULES'",
    routerRules(kind, lan.inside),
    "RULES",
  ]);
}

function siteScript(site: LabSite, publicSegment: LabNode): string {
  const { host, router, outerRouter } = site;
  const kinds = routersOf(site.kind);
  const bits = site.kind === "none" ? 28 : 24;
  const gateway = gatewayOf(host.address, bits);
  const lines = [
    plugIn(outerRouter, publicSegment),
    `ip -n ${router.namespace} link add lan type veth peer name eth0 netns ${host.namespace}\n`,
  ];
  if (kinds.length === 2) {
    const carrierGateway = `${gatewayOf(router.address, 24)}/30`;
    lines.push(`ip -n ${outerRouter.namespace} link add lan type veth peer name wan netns ${router.namespace}\n`);
    lines.push(routerScript(outerRouter, kinds[1], { gateway: carrierGateway, inside: router.address }, 24));
  }
  const wanBits = kinds.length === 2 ? 30 : 24;
  lines.push(routerScript(router, kinds[0], { gateway: `${gateway}/${bits}`, inside: host.address }, wanBits));
  lines.push(
    inside(host, [
      "ip link set lo up",
      `ip address add ${host.address}/${bits} dev eth0`,
      "ip link set eth0 up",
      `ip route add default via ${gateway}`,
    ]),
  );
  return lines.join("");
}

/** Everybody on the public segment knows the way to the public addresses behind a router without NAT. */
function publicRoutes(topology: Topology): string {
  const behind = topology.sites.filter((site) => site.kind === "none");
  const onSegment = [topology.rendezvous, ...topology.sites.map((site) => site.outerRouter)];
  return onSegment
    .flatMap((node) =>
      behind
        .filter((site) => site.outerRouter !== node)
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
      "  chain cutting {",
      "    type filter hook forward priority 0",
      "    meta l4proto udp ip saddr . ip daddr @cut drop",
      "    tcp dport @closed drop",
      "  }",
      "  chain losing { type filter hook forward priority 1; }",
      "}",
      "RULES",
    ]),
    plugIn(rendezvous, publicSegment),
    inside(rendezvous, [
      "ip link set lo up",
      ...rendezvousAddresses.map((address) => `ip address add ${address}/24 dev eth0`),
      "ip link set eth0 up",
    ]),
    ...topology.sites.map((site) => siteScript(site, publicSegment)),
    publicRoutes(topology),
  ].join("");
}
