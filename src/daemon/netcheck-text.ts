// The report of a network check as lines for a terminal: first what it means, then what was measured.

import type { KnownDependence } from "../traversal/nat-report.ts";
import type {
  FamilyFacts,
  NetcheckReport,
  Reach,
  RendezvousFacts,
  RouterFacts,
  StreamReach,
  StunServerFacts,
} from "./netcheck-report.ts";

/** How words are made to stand out; see Output. */
export interface TextStyle {
  bold(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

const WIDTH = 100;
const LABEL_WIDTH = 38;

/** @returns lines without line breaks. */
export function netcheckText(report: NetcheckReport, style: TextStyle): string[] {
  const { summary, advice } = report;
  return [
    ...wrap(summary[0] ?? "", "").map((line) => style.bold(line)),
    ...summary.slice(1).flatMap((sentence) => wrap(sentence, "")),
    "",
    ...outlookLines(report, style),
    ...(advice.length === 0 ? [] : ["", style.bold("What to do")]),
    ...advice.flatMap((sentence) => wrap(sentence, "  ", "- ")),
    "",
    style.bold("Details"),
    ...report.interfaces.map(({ name, addresses }) => row(`Interface ${name}`, addresses.join(", "))),
    ...report.rendezvous.flatMap((server) => rendezvousLines(server)),
    ...report.stun.flatMap((server) => serverLines("STUN server", server)),
    ...report.routers.filter(isTold).map((router) => row(`Router ${router.gateway}`, routerText(router))),
    ...familyLines("IPv4", report.ipv4),
    ...familyLines("IPv6", report.ipv6),
  ];
}

function outlookLines({ relay, direct, rendezvous }: NetcheckReport, style: TextStyle): string[] {
  const nearest =
    rendezvous.filter(({ udp }) => udp).sort((a, b) => (a.rttMs ?? 0) - (b.rttMs ?? 0))[0] ??
    rendezvous.find(({ streams }) => streams.length > 0);
  const where =
    nearest === undefined ? "" : ` (${nearest.address}${nearest.rttMs === null ? "" : `, ${nearest.rttMs} ms away`})`;
  const reach = (label: string, value: Reach): string => {
    if (value === "yes") return row(label, style.green("yes"));
    return row(label, style.yellow(value === "no" && relay !== true ? "no" : REACH_WORDS[value]));
  };
  return [
    row(
      "Through the rendezvous",
      relay === null ? "not checked" : relay ? `${style.green("yes")}${where}` : style.yellow("no"),
    ),
    "  Directly, to a machine",
    reach("  with a public address", direct.open),
    reach("  behind an ordinary home router", direct.home),
    reach("  behind a strict router (*)", direct.strict),
    row("  over IPv6", direct.ipv6 === "yes" ? style.green("yes") : style.yellow(IPV6_WORDS[direct.ipv6])),
    "  (*) one with another port for every destination, as many mobile networks and offices have",
  ];
}

const REACH_WORDS: Readonly<Record<Reach, string>> = {
  yes: "yes",
  slow: "mostly, after trying for up to a minute",
  no: "no, only through the rendezvous",
  unknown: "not known",
};

const IPV6_WORDS: Readonly<Record<Reach, string>> = {
  ...REACH_WORDS,
  no: "no, it does not get through from here",
  unknown: "not known, since no server that was asked has it",
};

function rendezvousLines(server: RendezvousFacts): string[] {
  return [
    ...serverLines("Rendezvous", server),
    row("  without UDP it is reached", listOf(server.streams.map(streamText)) || "by no way"),
    ...(server.id === null ? [] : [row("  its id", server.id)]),
    ...(server.trouble === null ? [] : [row("  not usable", server.trouble)]),
  ];
}

const streamText = ({ over, byProxy }: StreamReach): string =>
  `${over === "tcp" ? "over TCP" : "over WebSocket"}${byProxy ? " through the proxy" : ""}`;

/** Each once. */
const listOf = (items: readonly string[]): string => [...new Set(items)].join(", ");

function serverLines(label: string, { address, addresses, udp, rttMs, tcp, alternates }: StunServerFacts): string[] {
  if (addresses.length === 0) return [row(label, `${address}: the name is not known`)];
  const known = addresses.join() === address ? "" : ` (${addresses.join(", ")})`;
  const overUdp = udp ? `over UDP${rttMs === null ? "" : ` in ${rttMs} ms`}` : "not over UDP";
  const overTcp = { answered: "over TCP", connected: "it takes TCP connections", failed: "not over TCP" }[tcp];
  return [
    row(label, `${address}${known}`),
    row("  answers", `${overUdp}, ${overTcp}`),
    ...(alternates === null ? [] : [row("  for measuring NATs (RFC 5780)", ALTERNATES[alternates])]),
  ];
}

const ALTERNATES = {
  address: "it has a second address and a second port",
  port: "it has a second port, and no second address",
  none: "it has neither a second address nor a second port",
} as const;

/** Hardly a router opens ports for IPv6, and none needs to: one that does not is not worth a line. */
const isTold = ({ gateway, protocol }: RouterFacts): boolean => protocol !== null || !gateway.includes(":");

function routerText({ protocol, external, reason }: RouterFacts): string {
  if (protocol !== null) return `maps a port on request (${protocol}), outside it is ${external}`;
  if (reason === "carrier-nat") return "maps ports on request, but stands behind another NAT itself";
  return reason === "refused" ? "refuses to map a port" : "maps no port: it knows neither PCP nor NAT-PMP nor UPnP";
}

function familyLines(name: string, facts: FamilyFacts): string[] {
  const { localAddress, checked, udp, notes } = facts;
  if (localAddress === null && udp !== true) return [row(name, "no way to the Internet")];
  if (!checked) return [row(name, `${localAddress}; no server has such an address, so nothing was measured`)];
  if (udp !== true) return [row(name, "no server answers over UDP")];
  const note = (field: string): string => (notes[field] === undefined ? "" : ` (${notes[field]})`);
  const fact = (label: string, field: string, value: string | undefined): string[] => {
    if (value === undefined) return wrapRow(`  ${label}`, `not known: ${notes[field] ?? "it was not measured"}`);
    return wrapRow(`  ${label}`, `${value}${note(field)}`);
  };
  const { mapping, filtering, portsPreserved, hairpin, mtuBytes, lifetime } = facts;
  const via = facts.translated ? "behind a NAT" : "without a NAT";
  return [
    row(name, `UDP passes, ${via}: ${localAddress ?? "here"} is seen as ${facts.publicAddress}`),
    ...fact("port outside (mapping)", "mapping", mapping === null ? undefined : MAPPING[mapping]),
    ...fact("lets in (filtering)", "filtering", filtering === null ? undefined : FILTERING[filtering]),
    ...fact("port kept (preservation)", "portsPreserved", yesNo(portsPreserved)),
    ...(facts.translated ? fact("turns packets round (hairpin)", "hairpin", yesNo(hairpin)) : []),
    ...fact("largest packet (MTU)", "mtuBytes", mtuBytes === null ? undefined : `${mtuBytes} bytes`),
    ...(lifetime === null && notes.lifetime === undefined
      ? [row("  remembers a silent connection", "not measured; --lifetime does, in up to five minutes")]
      : fact("remembers a silent connection", "lifetime", lifetime === null ? undefined : lifetimeText(lifetime))),
  ];
}

const MAPPING: Readonly<Record<KnownDependence, string>> = {
  "endpoint-independent": "one for all destinations: endpoint-independent",
  "address-dependent": "another for each address: address-dependent",
  "address-and-port-dependent": "another for each destination: address- and port-dependent",
};

const FILTERING: Readonly<Record<KnownDependence, string>> = {
  "endpoint-independent": "everybody: endpoint-independent",
  "address-dependent": "whom was written to: address-dependent",
  "address-and-port-dependent": "whom was written to, from that very port: address- and port-dependent",
};

const yesNo = (value: boolean | null): string | undefined => (value === null ? undefined : value ? "yes" : "no");

function lifetimeText({ atLeastSeconds, belowSeconds }: NonNullable<FamilyFacts["lifetime"]>): string {
  return belowSeconds === null
    ? `longer than ${atLeastSeconds} s`
    : `for ${atLeastSeconds} s, and not for ${belowSeconds} s`;
}

const row = (label: string, text: string): string => `  ${label.padEnd(LABEL_WIDTH - 2)}${text}`;

function wrapRow(label: string, text: string): string[] {
  const [first = "", ...rest] = wrap(text, "", "", WIDTH - LABEL_WIDTH);
  return [row(label, first), ...rest.map((line) => `${" ".repeat(LABEL_WIDTH)}${line}`)];
}

/** Breaks a sentence into lines of a readable length. @param mark stands before the first one. */
function wrap(sentence: string, indent: string, mark = "", width = WIDTH): string[] {
  const lines: string[] = [];
  let line = `${indent}${mark}`;
  const room = indent.length + mark.length;
  for (const word of sentence.split(" ")) {
    if (line.length > room && line.length + word.length + 1 > width) {
      lines.push(line);
      line = " ".repeat(room);
    }
    line += line.length > room ? ` ${word}` : word;
  }
  return [...lines, line];
}
