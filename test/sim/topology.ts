// Ready-made arrangements of networks. The usual one has two hosts, each behind a router of some kind, and a public host R in the
// middle, which is where a rendezvous goes:
//
//     A --- router A --- internet --- router B --- B
//                           |
//                           R
//
// With kind "none" a host stands in the internet itself; with "cgn" a carrier's NAT stands between its router and the internet.

import type { SocketAddress } from "../../src/base/address.ts";
import type { Host } from "./host.ts";
import type { LinkSettings } from "./link.ts";
import type { Network } from "./network.ts";
import type { Router } from "./router.ts";
import type { RouterKind } from "./router-kind.ts";
import type { World } from "./world.ts";

/** The carrier's NAT maps independently of endpoints, as RFC 6888 demands, but cannot preserve ports for its many customers. */
const CARRIER: RouterKind = { kind: "nat", ports: "random", hairpin: true, flowsMax: 65_536 };
const SYMMETRIC: RouterKind = {
  kind: "nat",
  mapping: "address-and-port-dependent",
  filtering: "address-and-port-dependent",
  ports: "random",
};
const HOME: RouterKind = { kind: "nat", filtering: "address-and-port-dependent" };

/** The routers between a host and the internet, the host's own first. */
const NAT_KINDS = {
  none: [],
  fullCone: [{ kind: "nat", filtering: "endpoint-independent" }],
  addressRestricted: [{ kind: "nat", filtering: "address-dependent" }],
  portRestricted: [HOME],
  /** Below RFC 4787's two minutes, as some are: forgets what is silent for 20 s, and for 14 s. */
  forgetful: [{ ...HOME, unrepliedMs: 20_000, repliedMs: 20_000 }],
  veryForgetful: [{ ...HOME, unrepliedMs: 14_000, repliedMs: 14_000 }],
  /** Linux's masquerade: like the one before, by whole tuples. */
  linux: [{ kind: "conntrack" }],
  symmetric: [SYMMETRIC],
  symmetricSequential: [{ ...SYMMETRIC, ports: "sequential" }],
  /** Ports rise by one to three. */
  symmetricStriding: [{ ...SYMMETRIC, ports: "striding" }],
  cgn: [HOME, CARRIER],
  cgnSymmetric: [HOME, { ...SYMMETRIC, flowsMax: 65_536 }],
  udpBlocked: [{ kind: "udp-blocked" }],
  /** Linux that takes unsolicited packets in: see conntrack-nat.ts. */
  badRouter: [{ kind: "conntrack", takesUnsolicited: true }],
  /** The same with another port for each remote. */
  badSymmetric: [{ kind: "conntrack", takesUnsolicited: true, ports: "random" }],
} as const satisfies Record<string, readonly RouterKind[]>;

export type NatKind = keyof typeof NAT_KINDS;

export const natKinds = Object.keys(NAT_KINDS) as NatKind[];

export interface SiteOptions {
  readonly kind: NatKind;
  /** Tells sites apart, 1 to 99: it enters every address. */
  readonly number: number;
  /** The access link, in both directions. */
  readonly link?: Partial<LinkSettings>;
  /** The network that the outermost router is in; the internet unless told. */
  readonly outer?: Network;
  readonly outerIp?: string;
}

/** A home or an office: some hosts in one network behind the routers of one kind. */
export class Site {
  readonly world: World;
  readonly name: string;
  readonly kind: NatKind;
  /** Where its hosts are; the internet itself where the kind is none. */
  readonly network: Network;
  /** The host's own router first, the carrier's last. */
  readonly routers: readonly Router[];
  private readonly number: number;
  private readonly link: Partial<LinkSettings>;
  private hosts = 0;
  private ipv6Router: Router | undefined;

  constructor(world: World, name: string, options: SiteOptions) {
    this.world = world;
    this.name = name;
    this.kind = options.kind;
    this.number = options.number;
    this.link = options.link ?? {};
    const kinds: readonly RouterKind[] = NAT_KINDS[options.kind];
    let outer = options.outer ?? world.internet;
    const routers: Router[] = [];
    for (let i = kinds.length - 1; i >= 0; i--) {
      const isOutermost = i === kinds.length - 1;
      const inner = world.addNetwork(`${name} network ${i}`);
      // Shared address space (RFC 6598) between a carrier's NAT and the home router behind it.
      const ip = isOutermost ? (options.outerIp ?? `198.51.100.${this.number}`) : `100.64.${this.number}.2`;
      const router = kinds[i] as RouterKind;
      routers.unshift(
        world.addRouter(kinds.length === 1 ? name : `${name} ${i === 0 ? "home" : "carrier"}`, {
          ip,
          inner,
          outer,
          router,
          ...(isOutermost ? { link: this.link } : {}),
        }),
      );
      outer = inner;
    }
    this.network = outer;
    this.routers = routers;
  }

  /** The router that has a public address. */
  get outermost(): Router | undefined {
    return this.routers.at(-1);
  }

  /** The address that the next host here gets. */
  nextIp(): string {
    this.hosts++;
    return this.routers.length === 0
      ? `203.0.113.${this.number + this.hosts * 20}`
      : `10.${this.number}.0.${this.hosts + 1}`;
  }

  addHost(name: string, options: { readonly port?: number; readonly clockOffsetMs?: number } = {}): Host {
    const link = this.routers.length === 0 ? { link: this.link } : {};
    return this.world.addHost(name, { ip: this.nextIp(), network: this.network, ...link, ...options });
  }

  /**
   * Gives one of the hosts an IPv6 address, too, behind a firewall that keeps state where the site has a router.
   * @returns the socket's IPv6 address.
   */
  joinIpv6(host: Host, ip = `2001:db8:${this.number}::${(host.index + 1).toString(16)}`): SocketAddress {
    if (this.routers.length === 0) {
      host.join(this.world.internet, ip, this.link, this.link);
    } else {
      this.ipv6Router ??= this.world.addRouter(`${this.name} IPv6`, {
        ip: `2001:db8:${this.number}:ffff::1`,
        inner: this.world.addNetwork(`${this.name} IPv6 network`),
        router: this.kind === "udpBlocked" ? { kind: "udp-blocked" } : { kind: "firewall" },
        link: this.link,
      });
      this.ipv6Router.announce(ip);
      host.join(this.ipv6Router.inner, ip);
    }
    return host.addresses.at(-1) as SocketAddress;
  }
}

export interface TwoNatsOptions {
  readonly a: NatKind;
  readonly b: NatKind;
  /** From A to B, one way, and to R half of it; 20 unless told. */
  readonly delayMs?: number;
  /** More about both access links. */
  readonly link?: Partial<LinkSettings>;
  readonly linkA?: Partial<LinkSettings>;
  readonly linkB?: Partial<LinkSettings>;
  readonly linkR?: Partial<LinkSettings>;
  readonly portA?: number;
  readonly portB?: number;
  /** Routers between any two places of the internet; the world's six unless told. */
  readonly hops?: number;
  /** Which of the two have IPv6 as well, or instead; then R has both. */
  readonly ipv6?: { readonly a?: "beside" | "alone"; readonly b?: "beside" | "alone" };
}

export interface TwoNats {
  readonly a: Host;
  readonly b: Host;
  /** The public host, at port 4700. */
  readonly r: Host;
  readonly siteA: Site;
  readonly siteB: Site;
}

/** Host A behind router A, host B behind router B, and a public host R in the middle. */
export function twoNats(world: World, options: TwoNatsOptions): TwoNats {
  if (options.hops !== undefined) world.internet.routersBetween = options.hops;
  const link: Partial<LinkSettings> = { delayMs: (options.delayMs ?? 20) / 2, ...options.link };
  const siteA = new Site(world, "router A", { kind: options.a, number: 1, link: { ...link, ...options.linkA } });
  const siteB = new Site(world, "router B", { kind: options.b, number: 2, link: { ...link, ...options.linkB } });
  const a = siteA.addHost("A", { port: options.portA ?? 4001 });
  const b = siteB.addHost("B", { port: options.portB ?? 4002 });
  const r = world.addHost("R", { ip: "192.0.2.1", port: 4700, ...(options.linkR ? { link: options.linkR } : {}) });
  if (options.ipv6 !== undefined) r.join(world.internet, "2001:db8:ffff::1", options.linkR, options.linkR);
  for (const [host, site, how] of [
    [a, siteA, options.ipv6?.a],
    [b, siteB, options.ipv6?.b],
  ] as const) {
    if (how === "alone") host.leave();
    if (how !== undefined) site.joinIpv6(host);
  }
  return { a, b, r, siteA, siteB };
}
