// What a person is told, for the networks that there are.

import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  FamilyFacts,
  NetcheckFacts,
  RendezvousFacts,
  RouterFacts,
  StunServerFacts,
} from "../../src/daemon/netcheck-report.ts";
import { netcheckText } from "../../src/daemon/netcheck-text.ts";
import { judgeNetwork } from "../../src/daemon/netcheck-verdict.ts";
import { Output } from "../../src/daemon/output.ts";

const home: FamilyFacts = {
  localAddress: "192.168.1.10",
  checked: true,
  udp: true,
  translated: true,
  publicAddress: "203.0.113.21:40000",
  mapping: "endpoint-independent",
  filtering: "address-and-port-dependent",
  portsPreserved: true,
  hairpin: false,
  mtuBytes: 1500,
  lifetime: null,
  notes: {},
};
const silent: FamilyFacts = {
  ...home,
  udp: false,
  translated: null,
  publicAddress: null,
  mapping: null,
  filtering: null,
  portsPreserved: null,
  hairpin: null,
  mtuBytes: null,
  notes: { mapping: "no server answered", mtuBytes: "no server answered" },
};
const absent: FamilyFacts = { ...silent, localAddress: null, checked: false, udp: null, notes: {} };
const hard: FamilyFacts = { ...home, mapping: "address-and-port-dependent", portsPreserved: false };
const unmeasured: FamilyFacts = {
  ...home,
  mapping: null,
  filtering: null,
  notes: { mapping: "only one address and port of a server answered; it takes two" },
};

const rendezvous: RendezvousFacts = {
  address: "meet.example.org:4700",
  addresses: ["192.0.2.1:4700"],
  udp: true,
  rttMs: 12.3,
  tcp: "answered",
  alternates: "address",
  id: "a".repeat(52),
  streams: [{ over: "tcp", byProxy: false }],
  trouble: null,
};
const deadRendezvous: RendezvousFacts = {
  ...rendezvous,
  udp: false,
  rttMs: null,
  tcp: "failed",
  alternates: null,
  id: null,
  streams: [],
};
const stun: StunServerFacts = {
  address: "stun.example.org:3478",
  addresses: ["192.0.2.9:3478"],
  udp: true,
  rttMs: 20,
  tcp: "failed",
  alternates: "none",
};

const facts = (fields: Partial<NetcheckFacts> = {}): NetcheckFacts => ({
  interfaces: [{ name: "eth0", addresses: ["192.168.1.10"] }],
  ipv4: home,
  ipv6: absent,
  rendezvous: [rendezvous],
  stun: [],
  routers: [],
  ...fields,
});

const words = (fields: Partial<NetcheckFacts>) => {
  const verdict = judgeNetwork(facts(fields));
  return { ...verdict, summary: verdict.summary.join(" "), advice: verdict.advice.join(" ") };
};

test("behind an ordinary router all is well, and there is nothing to do", () => {
  const { ok, relay, direct, summary, advice } = words({});
  assert.deepEqual([ok, relay, direct], [true, true, { open: "yes", home: "yes", strict: "slow", ipv6: "no" }]);
  assert.match(summary, /work from here.*directly wherever/);
  assert.equal(advice, "");
});

test("without a NAT and a firewall everybody reaches this machine", () => {
  const open = { ...home, translated: false, filtering: "endpoint-independent" } as const;
  const { direct, summary } = words({ ipv4: open });
  assert.deepEqual(direct, { open: "yes", home: "yes", strict: "yes", ipv6: "no" });
  assert.match(summary, /reached directly by everybody/);
});

test("behind a hard NAT direct paths are difficult, and it is said what helps", () => {
  const { ok, direct, summary, advice } = words({ ipv4: hard });
  assert.deepEqual([ok, direct], [true, { open: "yes", home: "slow", strict: "no", ipv6: "no" }]);
  assert.match(summary, /another port for every destination/);
  assert.match(advice, /UPnP.*IPv6 on both sides/);
  assert.doesNotMatch(words({ ipv4: hard, ipv6: { ...home, translated: false } }).advice, /IPv6/);
});

test("what was not measured is not known, and it is said how to measure it", () => {
  const { ok, direct, summary, advice } = words({ ipv4: unmeasured });
  assert.deepEqual([ok, direct], [true, { open: "yes", home: "unknown", strict: "unknown", ipv6: "no" }]);
  assert.match(summary, /cannot be told: only one address and port/);
  assert.match(advice, /--alternate/);
  assert.match(words({ ipv4: unmeasured, rendezvous: [], stun: [stun] }).advice, /second STUN server/);
});

test("a router that maps ports makes even a hard NAT easy, and one behind another does not", () => {
  const mapping = { gateway: "192.168.1.1", protocol: "PCP", external: "203.0.113.21:4000", reason: null } as const;
  const eased = words({ ipv4: hard, routers: [mapping] });
  assert.deepEqual(eased.direct, { open: "yes", home: "yes", strict: "yes", ipv6: "no" });
  assert.match(eased.summary, /opens a port/);
  assert.equal(eased.advice, "");
  const nested = { ...mapping, protocol: null, external: null, reason: "carrier-nat" } as const;
  assert.match(words({ ipv4: hard, routers: [nested] }).advice, /behind another one/);
});

test("IPv6 is a way past everything, where it is known to work", () => {
  const at = (localAddress: string | null, udp: boolean | null) =>
    words({ ipv4: hard, ipv6: { ...absent, localAddress, udp } }).direct.ipv6;
  assert.equal(at("2001:db8::1", true), "yes");
  assert.equal(at("2001:db8::1", false), "no");
  assert.equal(at("2001:db8::1", null), "unknown");
  assert.equal(at("fd00::2", null), "no");
  assert.equal(at(null, null), "no");
});

test("with IPv6 alone, machines without it are met over the relay, and nothing is claimed of an IPv4 that was not asked over", () => {
  const ipv6 = { ...home, translated: false } as const;
  const alone = words({ ipv4: absent, ipv6 });
  assert.deepEqual(alone.direct, { open: "no", home: "no", strict: "no", ipv6: "yes" });
  assert.match(
    alone.summary,
    /directly to machines that have IPv6 as well; they reach all others through the rendezvous/,
  );
  const unasked = words({ ipv4: { ...absent, localAddress: "192.168.1.10" }, ipv6 });
  assert.deepEqual(unasked.direct, { open: "unknown", home: "unknown", strict: "unknown", ipv6: "yes" });
  assert.match(unasked.summary, /IPv4 was not looked at/);
  assert.deepEqual([alone.advice, unasked.advice], ["", ""]);
});

test("where UDP is blocked and the rendezvous answers over TCP, tunnels work, and the network's operator is to be asked", () => {
  const reached = (...streams: RendezvousFacts["streams"]) =>
    words({ ipv4: silent, rendezvous: [{ ...deadRendezvous, tcp: "answered", id: rendezvous.id, streams }] });
  const { ok, relay, direct, summary, advice } = reached({ over: "tcp", byProxy: false });
  assert.deepEqual([ok, relay], [true, true]);
  assert.deepEqual(direct, { open: "unknown", home: "unknown", strict: "unknown", ipv6: "no" });
  assert.match(
    summary,
    /work from here, over TCP: this network lets no UDP through.*direct connection over TCP is tried/,
  );
  assert.match(advice, /let it out to meet\.example\.org:4700/);
  const proxied = reached({ over: "websocket", byProxy: true });
  assert.deepEqual([proxied.ok, proxied.direct.home], [true, "no"]);
  assert.match(proxied.summary, /over WebSocket.*through the rendezvous; only machines on one local network/);
});

test("where UDP is blocked and something else than a rendezvous takes TCP, tunnels do not work", () => {
  const { ok, summary, advice } = words({ ipv4: silent, rendezvous: [{ ...deadRendezvous, tcp: "answered" }] });
  assert.equal(ok, false);
  assert.match(summary, /lets no UDP through.*no rendezvous answers/);
  assert.match(advice, /let UDP out to meet\.example\.org:4700/);
  assert.match(
    words({ ipv4: silent, rendezvous: [], stun: [{ ...stun, udp: false, tcp: "answered" }] }).summary,
    /named/,
  );
});

test("where nothing answers, the rendezvous and the connection are to be looked at", () => {
  const { ok, summary, advice } = words({ ipv4: silent, rendezvous: [deadRendezvous] });
  assert.equal(ok, false);
  assert.match(summary, /neither over UDP nor over TCP/);
  assert.match(advice, /rendezvous meet\.example\.org:4700 runs.*UDP port 4700.*online/);
});

test("a rendezvous that is silent while others answer is itself at fault", () => {
  const { ok, relay, summary, advice } = words({ rendezvous: [deadRendezvous], stun: [stun] });
  assert.deepEqual([ok, relay], [false, false]);
  assert.match(summary, /UDP gets through, but the rendezvous does not answer/);
  assert.doesNotMatch(advice, /online/);
});

test("a machine without a network, a name without an address and a wrong key are called by their names", () => {
  assert.match(words({ ipv4: absent, rendezvous: [deadRendezvous] }).summary, /no way to the Internet/);
  const nameless = { ...deadRendezvous, addresses: [] };
  const unknown = words({ ipv4: { ...absent, localAddress: "192.168.1.10" }, rendezvous: [nameless] });
  assert.match(unknown.summary, /no server that was named has an address/);
  assert.match(unknown.advice, /check its spelling/);
  const posed = words({ rendezvous: [{ ...rendezvous, trouble: "the key of the rendezvous has changed" }] });
  assert.deepEqual([posed.ok, posed.relay], [false, false]);
  assert.match(posed.summary, /has changed/);
});

test("with STUN servers alone nothing is claimed of a rendezvous", () => {
  const { ok, relay, summary } = words({ rendezvous: [], stun: [stun] });
  assert.deepEqual([ok, relay], [true, null]);
  assert.match(summary, /whether one can be reached is not known/);
});

test("a rendezvous on this machine says nothing of the network", () => {
  const local = { ...rendezvous, address: "localhost:4700", addresses: ["127.0.0.1:4700", "[::1]:4700"] };
  assert.match(words({ rendezvous: [local] }).summary, /on this machine/);
});

test("packets that are too large and a router that forgets too soon are worth a word", () => {
  const narrow = { ...home, mtuBytes: null, notes: { mtuBytes: "not even 1248 bytes came back" } };
  assert.match(words({ ipv4: narrow }).advice, /MTU/);
  const forgetful = { ...home, lifetime: { atLeastSeconds: 10, belowSeconds: 15 } };
  assert.match(words({ ipv4: forgetful }).advice, /forgets a connection that is silent for 15 s/);
  const usual = { ...home, lifetime: { atLeastSeconds: 28, belowSeconds: 35 } };
  assert.equal(words({ ipv4: usual }).advice, "");
});

test("the first lines use no word that a person would have to look up", () => {
  const terms = /NAT|STUN|RFC|endpoint|MTU|hairpin|filter|mapping/;
  for (const ipv4 of [home, hard, silent, unmeasured, { ...home, translated: false }]) {
    const { summary } = words({ ipv4, rendezvous: [ipv4 === silent ? deadRendezvous : rendezvous] });
    assert.doesNotMatch(summary, terms);
    const reached = { ...deadRendezvous, streams: rendezvous.streams };
    assert.doesNotMatch(words({ ipv4: silent, rendezvous: [reached] }).summary, terms);
  }
});

test("the text fits a terminal, whatever the network", () => {
  const style = new Output(false, false);
  for (const ipv4 of [home, hard, silent, absent, unmeasured]) {
    const routers = [null, "silent", "refused", "carrier-nat"].map((reason) => ({
      gateway: "192.168.1.1",
      protocol: reason === null ? "NAT-PMP" : null,
      external: reason === null ? "203.0.113.21:40000" : null,
      reason: reason as RouterFacts["reason"],
    }));
    const all = facts({ ipv4, stun: [stun], routers });
    const lines = netcheckText({ event: "netcheck", ...judgeNetwork(all), ...all }, style);
    for (const line of lines) assert.ok(line.length <= 110, line);
    assert.ok(
      lines.every((line) => !line.includes("undefined") && !line.includes("null")),
      lines.join("\n"),
    );
  }
});
