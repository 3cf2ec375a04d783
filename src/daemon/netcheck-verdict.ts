// What a checked network means for a person who wants a tunnel: what works from here, with whom, and what to do about what does not. No
// word in here asks for knowledge of networks; the terms are in the details below it.

import { DATAGRAM_BYTES_MIN, KEEPALIVE_MS } from "../base/limits.ts";
import { type PunchRole, punchRole } from "../traversal/punch-plan.ts";
import type { NatBehaviour } from "../wire/candidate.ts";
import type {
  DirectOutlook,
  FamilyFacts,
  NetcheckFacts,
  NetcheckVerdict,
  Reach,
  RendezvousFacts,
  StreamReach,
} from "./netcheck-report.ts";

const peer = (mapping: NatBehaviour["mapping"], filtering: NatBehaviour["filtering"]): NatBehaviour => ({
  mapping,
  filtering,
  portsPreserved: true,
});

/** What stands for each kind of peer. */
const PEERS: Readonly<Record<Exclude<keyof DirectOutlook, "ipv6">, NatBehaviour>> = {
  open: peer("endpoint-independent", "endpoint-independent"),
  home: peer("endpoint-independent", "address-and-port-dependent"),
  strict: peer("address-and-port-dependent", "address-and-port-dependent"),
};

const REACH_OF: Readonly<Record<PunchRole, Reach>> = {
  simultaneous: "yes",
  "open-sockets": "slow",
  "spray-ports": "slow",
  relay: "no",
};

export function judgeNetwork(facts: NetcheckFacts): NetcheckVerdict {
  const usable = facts.rendezvous.filter(isUsable);
  const udp = hasUdp(facts);
  const relay = facts.rendezvous.length === 0 ? null : usable.length > 0;
  const ok = relay ?? udp;
  const direct = outlook(facts);
  return { ok, relay, direct, summary: summarize(facts, ok, direct), advice: advise(facts, direct) };
}

const isUsable = ({ udp, streams, trouble }: RendezvousFacts): boolean =>
  (udp || streams.length > 0) && trouble === null;
/** Two agents that reach their rendezvous over TCP try to reach each other so as well, unless a proxy is in between. */
const triesTcp = ({ rendezvous }: NetcheckFacts): boolean =>
  rendezvous.some(
    (server) => isUsable(server) && server.streams.some(({ over, byProxy }) => over === "tcp" && !byProxy),
  );
const hasUdp = ({ ipv4, ipv6 }: NetcheckFacts): boolean => ipv4.udp === true || ipv6.udp === true;
const isKnown = ({ mapping }: FamilyFacts): boolean => mapping !== null;

/** The family that peers are likeliest to have as well, which is the one with NATs, where it is there. */
const mainFamily = ({ ipv4, ipv6 }: NetcheckFacts): FamilyFacts => (ipv4.udp === true ? ipv4 : ipv6);

function outlook(facts: NetcheckFacts): DirectOutlook {
  const ipv6 = outlookByIpv6(facts.ipv6);
  if (!hasUdp(facts)) {
    const overTcp = triesTcp(facts) ? "unknown" : "no";
    return { open: overTcp, home: overTcp, strict: overTcp, ipv6 };
  }
  // A mapped port is open to everybody, whatever the router does besides.
  if (hasMappedPort(facts)) return { open: "yes", home: "yes", strict: "yes", ipv6 };
  const family = mainFamily(facts);
  if (family === facts.ipv6) {
    // What the other side is behind is about IPv4, which this machine lacks, or nobody was asked over.
    const overIpv4 = isUnasked(facts.ipv4) ? "unknown" : "no";
    return { open: overIpv4, home: overIpv4, strict: overIpv4, ipv6 };
  }
  if (!isKnown(family)) return { open: "yes", home: "unknown", strict: "unknown", ipv6 };
  const ours = peer(family.mapping ?? "unknown", family.filtering ?? "unknown");
  const reach = (kind: keyof typeof PEERS): Reach => REACH_OF[punchRole(ours, PEERS[kind])];
  return { open: reach("open"), home: reach("home"), strict: reach("strict"), ipv6 };
}

function outlookByIpv6({ localAddress, udp }: FamilyFacts): Reach {
  if (udp !== null) return udp ? "yes" : "no";
  // An address of a private network (RFC 4193) leads nowhere else.
  return localAddress === null || /^f[cd]/.test(localAddress) ? "no" : "unknown";
}

const isUnasked = ({ localAddress, checked }: FamilyFacts): boolean => localAddress !== null && !checked;
const hasMappedPort = ({ routers }: NetcheckFacts): boolean => routers.some(({ external }) => external !== null);
const isHard = ({ mapping }: FamilyFacts): boolean => mapping !== null && mapping !== "endpoint-independent";
const isOpen = ({ translated, filtering }: FamilyFacts): boolean =>
  translated === false && filtering === "endpoint-independent";

function summarize(facts: NetcheckFacts, ok: boolean, direct: DirectOutlook): string[] {
  if (!ok) return [troubleOf(facts)];
  const stream = hasUdp(facts) ? undefined : facts.rendezvous.find(isUsable)?.streams[0];
  if (stream !== undefined) return withoutUdp(stream, facts);
  const start =
    facts.rendezvous.length === 0
      ? "UDP gets through. No rendezvous was named, so whether one can be reached is not known."
      : "Tunnels work from here: they start through the rendezvous at once.";
  if (isAllLocal(facts)) {
    return [start, "The rendezvous is on this machine, so nothing can be said of the network around it."];
  }
  const family = mainFamily(facts);
  if (family === facts.ipv6) {
    const others = isUnasked(facts.ipv4)
      ? "IPv4 was not looked at, since no server that was asked has an address of it"
      : "they reach all others through the rendezvous, since nothing gets out over IPv4";
    return [start, `They go directly to machines that have IPv6 as well; ${others}.`];
  }
  if (isOpen(family)) return [start, "This machine can be reached directly by everybody: nothing stands before it."];
  if (hasMappedPort(facts)) {
    return [start, "The router opens a port for tunnels when it is asked, so this machine can be reached directly."];
  }
  if (isHard(family)) {
    return [
      start,
      "The router here uses another port for every destination, which makes direct connections difficult. Where none is found, data goes through the rendezvous.",
    ];
  }
  if (direct.home === "yes")
    return [start, "Then they go directly wherever the other side's network allows it, as most do."];
  return [start, `Whether they go directly cannot be told: ${family.notes.mapping ?? "it was not measured"}.`];
}

function withoutUdp({ over }: StreamReach, facts: NetcheckFacts): string[] {
  const way = over === "tcp" ? "TCP" : "WebSocket";
  return [
    `Tunnels work from here, over ${way}: this network lets no UDP through, or none to the servers that were asked.`,
    triesTcp(facts)
      ? "They start through the rendezvous. A direct connection over TCP is tried; whether there is one is seen only then."
      : "They go through the rendezvous; only machines on one local network reach each other directly.",
  ];
}

/** Whether everything that answers is on this very machine, as in a trial. */
function isAllLocal({ rendezvous, stun }: NetcheckFacts): boolean {
  const answering = [...rendezvous, ...stun].filter(({ udp }) => udp);
  return answering.every(({ addresses }) => addresses.every((address) => /^(127\.|\[::1\])/.test(address)));
}

/** Why nothing works. */
function troubleOf(facts: NetcheckFacts): string {
  const { ipv4, ipv6, rendezvous, stun } = facts;
  if (ipv4.localAddress === null && ipv6.localAddress === null) {
    return "Tunnels do not work from here: this machine has no way to the Internet.";
  }
  const wrong = rendezvous.find(({ udp, streams, trouble }) => (udp || streams.length > 0) && trouble !== null);
  if (wrong !== undefined) return `Tunnels do not work from here: ${wrong.trouble}.`;
  const servers = [...rendezvous, ...stun];
  if (servers.every(({ addresses }) => addresses.length === 0)) {
    return "Tunnels do not work from here: no server that was named has an address.";
  }
  if (hasUdp(facts)) return "Tunnels do not work from here: UDP gets through, but the rendezvous does not answer.";
  if (servers.some(({ tcp }) => tcp !== "failed")) {
    const lacking =
      rendezvous.length === 0 ? "no rendezvous was named, which is needed then" : "no rendezvous answers there";
    return `Tunnels do not work from here: this network lets no UDP through, or none to the servers that were asked. TCP gets there, but ${lacking}.`;
  }
  return "Tunnels do not work from here: no server answers, neither over UDP nor over TCP.";
}

function advise(facts: NetcheckFacts, direct: DirectOutlook): string[] {
  return [...adviseOnServers(facts), ...adviseOnNat(facts, direct), ...adviseOnPackets(facts)];
}

function adviseOnServers(facts: NetcheckFacts): string[] {
  const { rendezvous, stun } = facts;
  const advice: string[] = [];
  for (const { address, addresses, udp, tcp, streams, trouble } of rendezvous) {
    const port = address.slice(address.lastIndexOf(":") + 1);
    if (trouble !== null) advice.push(`${capitalized(trouble)}.`);
    else if (!udp && streams.length > 0) {
      advice.push(
        `Tunnels are faster, and more of them direct, with UDP: ask whoever runs this network to let it out to ${address}. If it does already, the rendezvous' firewall keeps UDP port ${port} closed.`,
      );
    } else if (addresses.length === 0) advice.push(`The name in ${address} is not known: check its spelling.`);
    else if (!udp && tcp === "failed" && !hasUdp(facts)) {
      advice.push(
        `Check that the rendezvous ${address} runs, that its firewall lets UDP port ${port} in, and that this machine is online.`,
      );
    } else if (!udp && tcp === "failed") {
      advice.push(`Check that the rendezvous ${address} runs, and that its firewall lets UDP port ${port} in.`);
    } else if (!udp) {
      advice.push(
        `Ask whoever runs this network to let UDP out to ${address}. If it does already, the rendezvous' firewall keeps UDP port ${port} closed.`,
      );
    }
  }
  for (const { address, addresses } of stun) {
    if (addresses.length === 0) advice.push(`The name in ${address} is not known: check its spelling.`);
  }
  return advice;
}

function adviseOnNat(facts: NetcheckFacts, direct: DirectOutlook): string[] {
  const family = mainFamily(facts);
  if (!hasUdp(facts) || hasMappedPort(facts)) return [];
  if (isHard(family)) {
    if (facts.routers.some(({ reason }) => reason === "carrier-nat")) {
      return [
        "The router stands behind another one, at the provider perhaps: ask the provider for a public address or for IPv6, or turn a second router of your own into a mere access point.",
      ];
    }
    const ipv6 = direct.ipv6 === "yes" ? "" : " IPv6 on both sides helps as well.";
    return [
      `For direct connections, turn on UPnP, NAT-PMP or PCP on the router, or full-cone NAT (endpoint-independent) where it offers a choice.${ipv6} In a mobile or office network that is up to its operator.`,
    ];
  }
  if (direct.home !== "unknown" || isKnown(family)) return [];
  return facts.rendezvous.some(isUsable)
    ? [
        "To find out more, start the rendezvous with --alternate and a second address of it, or at least a second port; or name a STUN server with --stun.",
      ]
    : ["To find out more, name a second STUN server with --stun."];
}

/** Bytes of an IP packet with the smallest datagram that every path of a tunnel has to carry. */
const PACKET_BYTES_MIN = DATAGRAM_BYTES_MIN + 28;

function adviseOnPackets(facts: NetcheckFacts): string[] {
  return [facts.ipv4, facts.ipv6].flatMap(({ udp, mtuBytes, notes, lifetime }) => {
    const advice: string[] = [];
    if (udp === true && mtuBytes === null && notes.mtuBytes?.startsWith("not even")) {
      advice.push(
        `Small packets pass and packets of ${PACKET_BYTES_MIN} bytes do not: look for a wrong MTU on this machine's interfaces, its VPN or its router.`,
      );
    }
    if (lifetime?.belowSeconds && lifetime.belowSeconds * 1000 <= KEEPALIVE_MS) {
      advice.push(
        `The router forgets a connection that is silent for ${lifetime.belowSeconds} s, sooner than tunnels say something: direct paths that idle may have to be found again. A longer UDP timeout on the router helps.`,
      );
    }
    return advice;
  });
}

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
