// What `tunnel netcheck --json` prints: one object with these fields. Numbers carry their unit in their name, null is "not known", and
// `notes` says why. The same object is what the text for people is made of.

import { formatSocketAddress } from "../base/address.ts";
import { formatPeerId } from "../crypto/peer-id.ts";
import { formatHostAndPort } from "../crypto/rendezvous-address.ts";
import type { InterfaceAddresses } from "../io/interface-addresses.ts";
import type { TcpReach } from "../io/stun-tcp-probe.ts";
import type { FamilyFindings } from "../traversal/family-check.ts";
import type { Finding, KnownDependence } from "../traversal/nat-report.ts";
import type { NoMapping } from "../traversal/no-mapping.ts";
import type { ResolvedServer, ServerProbe } from "./netcheck-server.ts";

/** slow: found within a minute or so, over the relay until then. */
export type Reach = "yes" | "slow" | "no" | "unknown";

/** Whether this machine gets a direct path to another one, by what that one is behind. */
export interface DirectOutlook {
  /** A public address of its own. */
  readonly open: Reach;
  /** The usual home router: one port for all destinations. */
  readonly home: Reach;
  /** A router that takes another port for each destination, as many mobile networks and offices have. */
  readonly strict: Reach;
  /** IPv6, whatever there is for IPv4: nothing translates it, and two firewalls open for each other. */
  readonly ipv6: Reach;
}

/** The way to the Internet by one family of addresses. */
export interface FamilyFacts {
  /** The address that packets to the Internet leave from; null where there is no way by this family. */
  readonly localAddress: string | null;
  /** Whether any server has an address of this family, so that there was something to ask. */
  readonly checked: boolean;
  /** Whether UDP gets to a server and back. */
  readonly udp: boolean | null;
  /** Whether a NAT is in between. */
  readonly translated: boolean | null;
  /** Where this machine is seen: "ip:port". */
  readonly publicAddress: string | null;
  /** RFC 4787 §4.1. */
  readonly mapping: KnownDependence | null;
  /** RFC 4787 §5. */
  readonly filtering: KnownDependence | null;
  /** Whether the port outside is the one inside. */
  readonly portsPreserved: boolean | null;
  /** Whether two programs behind the NAT reach each other by their addresses outside (RFC 4787 §6). */
  readonly hairpin: boolean | null;
  /** The largest IP packet that gets to a server and back without being cut. */
  readonly mtuBytes: number | null;
  /** How long the NAT remembers a connection that is silent; null where --lifetime was not given. */
  readonly lifetime: { readonly atLeastSeconds: number; readonly belowSeconds: number | null } | null;
  /** Why a field is null, or what restricts its value, by the field's name. */
  readonly notes: Readonly<Record<string, string>>;
}

export interface StunServerFacts {
  /** "host:port", as it was named. */
  readonly address: string;
  /** What the name stands for. */
  readonly addresses: readonly string[];
  readonly udp: boolean;
  /** The shortest round trip over UDP. */
  readonly rttMs: number | null;
  /** "answered" to STUN over TCP, only "connected", or "failed". */
  readonly tcp: TcpReach;
  /** What it has for discovering a NAT's behaviour (RFC 5780). */
  readonly alternates: "address" | "port" | "none" | null;
}

/** Over TCP on its port, or by WebSocket; through the HTTP proxy where there is one. */
export interface StreamReach {
  readonly over: "tcp" | "websocket";
  readonly byProxy: boolean;
}

export interface RendezvousFacts extends StunServerFacts {
  /** The rendezvous-id that it shows; null where no rendezvous answers. */
  readonly id: string | null;
  /** The ways without UDP over which it answers, as agents try them; the soonest first. */
  readonly streams: readonly StreamReach[];
  /** Why it is not used though it answers. */
  readonly trouble: string | null;
}

/** A router that was asked to map a port; the mapping was given back. */
export interface RouterFacts {
  /** Its address on this machine's network. */
  readonly gateway: string;
  /** "PCP", "NAT-PMP" or "UPnP"; null where it maps no port. */
  readonly protocol: string | null;
  /** The address outside that it mapped: "ip:port". */
  readonly external: string | null;
  /** Why it maps none: "silent", "refused", or "carrier-nat": it stands behind another NAT itself. */
  readonly reason: NoMapping["reason"] | null;
}

/** All that was measured. */
export interface NetcheckFacts {
  readonly interfaces: readonly InterfaceAddresses[];
  readonly ipv4: FamilyFacts;
  readonly ipv6: FamilyFacts;
  readonly rendezvous: readonly RendezvousFacts[];
  readonly stun: readonly StunServerFacts[];
  /** Empty where no router is known, or with --no-port-mapping. */
  readonly routers: readonly RouterFacts[];
}

/** What that means. */
export interface NetcheckVerdict {
  /** Whether tunnels work from here, if only over the relay. The exit code is 0 then, and 1 otherwise. */
  readonly ok: boolean;
  /** Whether the relay can be used; null where no rendezvous was named. */
  readonly relay: boolean | null;
  readonly direct: DirectOutlook;
  /** Sentences for a person: what works, and what could be done about the rest. */
  readonly summary: readonly string[];
  readonly advice: readonly string[];
}

export type NetcheckReport = { readonly event: "netcheck" } & NetcheckVerdict & NetcheckFacts;

/** @param findings undefined where no server has an address of this family. */
export function familyFacts(localAddress: string | undefined, findings: FamilyFindings | undefined): FamilyFacts {
  const nat = findings?.nat;
  const mapped = nat?.servers.find((server) => server.mapped !== undefined)?.mapped;
  const lifetime = findings?.lifetime?.value;
  const properties = {
    mapping: nat?.mapping,
    filtering: nat?.filtering,
    portsPreserved: nat?.portsPreserved,
    hairpin: nat?.hairpin,
    mtuBytes: findings?.mtuBytes,
    lifetime: findings?.lifetime,
  };
  return {
    localAddress: localAddress ?? null,
    checked: findings !== undefined,
    udp: nat?.udp ?? null,
    translated: nat?.translated ?? null,
    publicAddress: mapped === undefined ? null : formatSocketAddress(mapped),
    mapping: orNull(properties.mapping),
    filtering: orNull(properties.filtering),
    portsPreserved: orNull(properties.portsPreserved),
    hairpin: orNull(properties.hairpin),
    mtuBytes: orNull(properties.mtuBytes),
    lifetime:
      lifetime === undefined
        ? null
        : {
            atLeastSeconds: seconds(lifetime.atLeastMs),
            belowSeconds: lifetime.belowMs ? seconds(lifetime.belowMs) : null,
          },
    notes: Object.fromEntries(
      Object.entries(properties).flatMap(([name, finding]) =>
        finding?.note === undefined ? [] : [[name, finding.note]],
      ),
    ),
  };
}

const orNull = <T>(finding: Finding<T> | undefined): T | null => finding?.value ?? null;
const seconds = (ms: number): number => Math.round(ms / 100) / 10;

export function stunServerFacts(
  server: ResolvedServer,
  probe: ServerProbe,
  findings: readonly FamilyFindings[],
): StunServerFacts {
  const addresses = server.addresses.map(formatSocketAddress);
  const reports = findings
    .flatMap(({ nat }) => nat.servers)
    .filter((report) => addresses.includes(formatSocketAddress(report.server)));
  const answered = reports.filter((report) => report.answered);
  const times = answered.flatMap(({ rttMs }) => (rttMs === undefined ? [] : [rttMs]));
  return {
    address: formatHostAndPort(server),
    addresses,
    udp: answered.length > 0,
    rttMs: times.length === 0 ? null : Math.round(Math.min(...times) * 10) / 10,
    tcp: probe.tcp,
    alternates: answered.length === 0 ? null : alternatesOf(answered),
  };
}

export function rendezvousFacts(
  server: ResolvedServer,
  probe: ServerProbe,
  findings: readonly FamilyFindings[],
): RendezvousFacts {
  const facts = stunServerFacts(server, probe, findings);
  const stranger = `${facts.address} answers STUN, and not as a rendezvous; check the address and the port`;
  return {
    ...facts,
    id: probe.publicKey === undefined ? null : formatPeerId(probe.publicKey),
    streams: probe.streams.map(({ over, byProxy }) => ({ over, byProxy })),
    trouble: facts.udp && probe.publicKey === undefined ? stranger : (probe.keyTrouble ?? null),
  };
}

function alternatesOf(answered: FamilyFindings["nat"]["servers"]): "address" | "port" | "none" {
  if (answered.some(({ server, other }) => other !== undefined && other.host !== server.host)) return "address";
  return answered.some(({ other }) => other !== undefined) ? "port" : "none";
}
