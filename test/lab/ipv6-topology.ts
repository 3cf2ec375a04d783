// The lab's IPv6: a network of its own for each site that has it, behind a router that translates nothing and lets in only what was
// asked for, as home routers do (RFC 6092). The documentation prefix of RFC 3849 stands for the Internet.

import { hasIpv6, ipv6FirewallRules, type SiteKind } from "./router-rules.ts";
import type { LabNode, LabSite } from "./topology.ts";

/** The two IPv6 addresses of the rendezvous, and the name that leads to it by both families. */
export const rendezvousIpv6 = ["2001:db8::10", "2001:db8::11"] as const;
export const RENDEZVOUS_NAME = "rendezvous.lab";

/** The IPv6 addresses of a site. */
export interface SiteIpv6 {
  /** The router's, on the public segment. */
  readonly outside: string;
  readonly network: string;
  readonly gateway: string;
  readonly host: string;
}

/** @param number of the site, from 1 */
export function ipv6Of(number: number): SiteIpv6 {
  const prefix = `2001:db8:${number}::`;
  return { outside: `2001:db8::${20 + number}`, network: `${prefix}/64`, gateway: `${prefix}1`, host: `${prefix}10` };
}

/** Lines for every namespace before its devices are up: addresses are there at once, and nobody listens to routers. */
export const quietIpv6 = [
  "for conf in /proc/sys/net/ipv6/conf/*; do echo 0 > $conf/accept_dad; echo 0 > $conf/accept_ra; done",
];

export const addIpv6 = (address: string, device: string): string => `ip address add ${address}/64 dev ${device} nodad`;

/** Lines for the router of a site, whose devices are up. */
export function firewallLines(kind: SiteKind, number: number): string[] {
  if (!hasIpv6(kind)) return [];
  const { outside, gateway } = ipv6Of(number);
  return [
    addIpv6(outside, "wan"),
    addIpv6(gateway, "lan"),
    "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    "nft -f - <<'RULES'",
    ipv6FirewallRules,
    "RULES",
  ];
}

/** Lines for the host of a site, whose device is up. */
export function hostIpv6Lines(kind: SiteKind, number: number): string[] {
  if (!hasIpv6(kind)) return [];
  const { host, gateway } = ipv6Of(number);
  return [addIpv6(host, "eth0"), `ip -6 route add default via ${gateway}`];
}

/** Everybody on the public segment knows the way to the networks behind its routers. */
export function ipv6Routes(rendezvous: LabNode, sites: readonly LabSite[]): string {
  const behind = sites.filter((site) => hasIpv6(site.kind));
  const onSegment = [rendezvous, ...behind.map((site) => site.outerRouter)];
  return onSegment
    .flatMap((node) =>
      behind
        .filter((site) => site.outerRouter !== node)
        .map(({ number }) => {
          const { network, outside } = ipv6Of(number);
          return `ip -n ${node.namespace} -6 route add ${network} via ${outside}\n`;
        }),
    )
    .join("");
}
