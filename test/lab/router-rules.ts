// The routers of the lab: for each kind of NAT the nftables rules that make the kernel behave like it, in the terms of
// RFC 4787. `masquerade` keeps the source port while it is free, which is endpoint-independent mapping, and lets
// in what answers the very address and port that was written to. Everything else is built around that.

/** What stands between a host and the public segment. */
export type NatKind =
  | "none"
  | "full-cone"
  | "address-restricted"
  | "port-restricted"
  | "symmetric"
  | "carrier-grade"
  | "carrier-grade-symmetric"
  | "udp-blocked"
  | "bad-router";

/** What a site has of IPv4 and IPv6: a NAT alone is IPv4 alone. Behind IPv6's router nothing is translated, but what comes unasked is dropped. */
export type SiteKind =
  | NatKind
  /** IPv4 behind the usual home router, and IPv6 behind its firewall. */
  | "dual-stack"
  /** IPv6 alone. */
  | "v6-firewall";

/** @returns the NAT of a site's IPv4; undefined where it has none. */
export function natOf(kind: SiteKind): NatKind | undefined {
  if (kind === "v6-firewall") return undefined;
  return kind === "dual-stack" ? "port-restricted" : kind;
}

export const hasIpv6 = (kind: SiteKind): boolean => kind === "dual-stack" || kind === "v6-firewall";

/** The kind of one router; a carrier-grade NAT is made of two. */
export type RouterKind = Exclude<NatKind, "carrier-grade" | "carrier-grade-symmetric">;

/** @returns the routers from the host outwards. */
export function routersOf(kind: NatKind): [RouterKind] | [RouterKind, RouterKind] {
  if (kind === "carrier-grade") return ["port-restricted", "port-restricted"];
  if (kind === "carrier-grade-symmetric") return ["port-restricted", "symmetric"];
  return [kind];
}

/** What a router lets in from outside to the host behind it. */
function prerouting(kind: RouterKind, inside: string): string {
  if (kind === "full-cone") return `iifname "wan*" meta l4proto udp dnat to ${inside}`;
  // An address may send to a port once that port has sent to the address, from whichever of its own ports.
  if (kind === "address-restricted") {
    return `iifname "wan*" meta l4proto udp ip saddr . udp dport @contacted dnat to ${inside}`;
  }
  return "";
}

function forward(kind: RouterKind): string {
  if (kind === "none") return "accept";
  return `
    ${kind === "udp-blocked" ? "meta l4proto udp drop" : ""}
    ct state established,related accept
    ct status dnat accept
    ${kind === "address-restricted" ? 'iifname "lan" meta l4proto udp update @contacted { ip daddr . udp sport }' : ""}
    iifname "lan" accept
    drop`;
}

function postrouting(kind: RouterKind): string {
  if (kind === "none") return "";
  return `oifname "wan*" masquerade${kind === "symmetric" ? " fully-random" : ""}`;
}

/**
 * Every router but the bad one drops what comes unasked for itself. The bad one takes it in, and so remembers a flow that
 * occupies the very ports that the host behind it is about to use.
 * @param inside the address of the host behind the router
 * @returns input for `nft -f`; the devices are called wan, with a number where there are more, and lan
 */
export function routerRules(kind: RouterKind, inside: string): string {
  return `
table ip router {
  set contacted {
    type ipv4_addr . inet_service
    flags dynamic,timeout
    timeout 2m
    size 65535
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    ${prerouting(kind, inside)}
  }
  chain input {
    type filter hook input priority filter
    ct state established,related accept
    ${kind === "bad-router" ? "" : 'iifname "wan*" drop'}
  }
  chain forwarding {
    type filter hook forward priority filter
    ${forward(kind)}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    ${postrouting(kind)}
  }
}
`;
}

/** Input for `nft -f`: IPv6 as a home router lets it pass (RFC 6092). What went out may be answered, and nothing else comes in. */
export const ipv6FirewallRules = `
table ip6 router {
  chain input {
    type filter hook input priority filter
    ct state established,related accept
    meta l4proto ipv6-icmp accept
    iifname "wan*" drop
  }
  chain forwarding {
    type filter hook forward priority filter
    ct state established,related accept
    iifname "lan" accept
    drop
  }
}
`;
