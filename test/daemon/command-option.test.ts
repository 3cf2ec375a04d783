// What may be written on the command line and in the environment, and how the rest is refused.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { createIdentity } from "../../src/crypto/identity.ts";
import { formatPeerId } from "../../src/crypto/peer-id.ts";
import type { HostAndPort } from "../../src/crypto/rendezvous-address.ts";
import { formatTicket, type Ticket } from "../../src/crypto/ticket.ts";
import { parseCongestionOption } from "../../src/daemon/congestion-option.ts";
import { parseGoal } from "../../src/daemon/connect-goal.ts";
import { localUdpPort, parseDirectOptions } from "../../src/daemon/direct-option.ts";
import { parseListenOption } from "../../src/daemon/listen-option.ts";
import { parseRendezvousOption } from "../../src/daemon/rendezvous-option.ts";
import { parseResumeOption } from "../../src/daemon/resume-option.ts";
import { stateDirectoryPath } from "../../src/daemon/state-directory.ts";
import { readStandardInput, readTicketText } from "../../src/daemon/ticket-source.ts";
import { UsageError } from "../../src/daemon/usage-error.ts";
import { systemRandom } from "../../src/io/system-random.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const { publicKey } = createIdentity(systemRandom);
const id = formatPeerId(publicKey);
const rendezvous = [{ host: "meet.example", port: 4700 }];
const ticket: Ticket = { peer: publicKey, secret: new Uint8Array(16), rendezvous, addresses: [], service: "3000" };
const goal = (
  text: string,
  options: { service?: string; rendezvous?: string[] } = {},
  named = rendezvous.slice(1),
  addresses: HostAndPort[] = [],
) => parseGoal(text, { rendezvous: [], ...options }, named, addresses);
const direct = (...address: string[]) => parseDirectOptions({ address, lan: false, spray: true });
const refusal = (code: string) => (error: unknown) => error instanceof UsageError && error.code === code;

test("the state directory is the first that is named", () => {
  const home = "/home/a";
  assert.equal(stateDirectoryPath({ TUNNEL_STATE_DIR: "/x", XDG_STATE_HOME: "/y", HOME: home }), "/x");
  assert.equal(stateDirectoryPath({ STATE_DIRECTORY: "/var/lib/tunnel:/other", HOME: home }), "/var/lib/tunnel");
  assert.equal(stateDirectoryPath({ XDG_STATE_HOME: "/y", HOME: home }), "/y/tunnel");
  assert.equal(stateDirectoryPath({ XDG_STATE_HOME: "relative", HOME: home }), "/home/a/.local/state/tunnel");
  assert.equal(stateDirectoryPath({ TUNNEL_STATE_DIR: "", HOME: home }), "/home/a/.local/state/tunnel");
  assert.equal(stateDirectoryPath({ HOME: "/" }), "/var/lib/tunnel");
});

test("rendezvous come from the option, else from the environment, each once", () => {
  const env = { TUNNEL_RENDEZVOUS: "a.example, b.example:99" };
  assert.deepEqual(parseRendezvousOption([], env), [
    { host: "a.example", port: 4700 },
    { host: "b.example", port: 99 },
  ]);
  assert.deepEqual(parseRendezvousOption([`${id}@c.example:1`, "c.example:1"], env).length, 1);
  assert.deepEqual(parseRendezvousOption([], {}), []);
  for (const text of ["host:0", "host:70000", "nonsense@host:1", "ho st:1:2", "http://host"]) {
    assert.throws(() => parseRendezvousOption([text], {}), UsageError, text);
  }
});

test("--resume-timeout takes seconds, minutes or hours, from one minute to a day, and is ten minutes unless told", () => {
  assert.equal(parseResumeOption(undefined), 600_000);
  for (const [text, ms] of [
    ["60", 60_000],
    ["90s", 90_000],
    ["10m", 600_000],
    ["24h", 86_400_000],
  ] as const) {
    assert.equal(parseResumeOption(text), ms);
  }
  for (const text of ["", "59", "0", "25h", "10 m", "1d", "-5m", "1.5m", "ten"]) {
    assert.throws(() => parseResumeOption(text), /from 1m to 24h/, text);
  }
});

test("--congestion names a controller that there is, and they are chosen between by the path unless told", () => {
  assert.equal(parseCongestionOption(undefined), "auto");
  assert.equal(parseCongestionOption("bbr"), "bbr");
  for (const name of ["", "reno", "BBR", "toString"]) {
    assert.throws(() => parseCongestionOption(name), /expected auto, cubic or bbr/, name);
  }
});

test("--listen takes a port with or without a host, and 0 for one that is free", () => {
  const parse = (text: string) => parseListenOption(text, "127.0.0.1");
  assert.deepEqual(parse("8080"), { host: "127.0.0.1", port: 8080 });
  assert.deepEqual(parse("0.0.0.0:80"), { host: "0.0.0.0", port: 80 });
  assert.deepEqual(parse("[::1]:80"), { host: "::1", port: 80 });
  assert.deepEqual(parse(":80"), { host: "127.0.0.1", port: 80 });
  assert.deepEqual(parse("0"), { host: "127.0.0.1", port: 0 });
  for (const text of ["", "abc", "70000", "host:", "host", "::1:80", "[x]:80", "-1", "1.5"]) {
    assert.throws(() => parse(text), UsageError, text);
  }
});

test("a ticket is taken from one place, and only one", async (t) => {
  const file = join(temporaryDirectory(t), "ticket");
  writeFileSync(file, "  tunnelabc\n");
  assert.equal(await readTicketText({ peer: "given" }, { TUNNEL_TICKET: "other" }), "given");
  assert.equal(await readTicketText({ ticketFile: file }, { TUNNEL_TICKET: "other" }), "tunnelabc");
  assert.equal(await readTicketText({}, { TUNNEL_TICKET: "other" }), "other");
  await assert.rejects(readTicketText({ peer: "given", ticketFile: file }, {}), UsageError);
  await assert.rejects(readTicketText({}, {}), /tunnel expose/);
  await assert.rejects(readTicketText({ ticketFile: `${file}.gone` }, {}), /no such file/);
  writeFileSync(file, "\n");
  await assert.rejects(readTicketText({ ticketFile: file }, {}), /empty/);
});

test("standard input is read to its end, but not for ever", async () => {
  assert.equal(await readStandardInput(Readable.from(["tunnel", "abc\n"])), "tunnelabc");
  await assert.rejects(readStandardInput(Readable.from(["\n"])), UsageError);
  async function* endless() {
    for (;;) yield "x".repeat(10_000);
  }
  assert.ok((await readStandardInput(endless())).length > 0);
});

test("a ticket says all; --rendezvous outrules its own, the environment does not", () => {
  const text = formatTicket(ticket);
  assert.deepEqual(goal(text), { ...ticket });
  assert.equal(goal(text, { service: "3000" }).service, "3000");
  const other = [{ host: "other.example", port: 1 }];
  assert.deepEqual(goal(text, {}, other).rendezvous, rendezvous);
  assert.deepEqual(goal(text, { rendezvous: ["other.example:1"] }, other).rendezvous, other);
  assert.throws(() => goal(text, { service: "4000" }), /for the service "3000"/);
});

test("a ticket that names no rendezvous takes the one that is known", () => {
  assert.deepEqual(goal(formatTicket({ ...ticket, rendezvous: [] }), {}, rendezvous).rendezvous, rendezvous);
});

test("the addresses of a ticket are tried beside those that are named, each once", () => {
  const [here, there] = [
    { host: "192.0.2.1", port: 4800 },
    { host: "camera.example", port: 4800 },
  ];
  const text = formatTicket({ ...ticket, addresses: [here, there] });
  assert.deepEqual(goal(text).addresses, [here, there]);
  assert.deepEqual(goal(text, {}, [], [{ host: "10.0.0.1", port: 1 }, there]).addresses, [
    { host: "10.0.0.1", port: 1 },
    there,
    here,
  ]);
  assert.deepEqual(goal(id, {}, [], [here]).addresses, [here]);
});

test("--address takes a host with its port, and nothing that is no single host", () => {
  const [a, b, c] = ["camera.example:4800", "[2001:db8::1]:1", "192.0.2.1:65535"];
  assert.deepEqual(direct(a, `${b},${c}`, a).addresses, [
    { host: "camera.example", port: 4800 },
    { host: "2001:db8::1", port: 1 },
    { host: "192.0.2.1", port: 65535 },
  ]);
  for (const text of [
    "",
    "host",
    "host:0",
    "host:70000",
    ":4800",
    "2001:db8::1:4800",
    "[::]:1",
    "0.0.0.0:1",
    "a b:1",
  ]) {
    assert.throws(() => direct(text), UsageError, text);
  }
  for (const text of ["239.1.2.3:1", "[ff02::1]:1", "255.255.255.255:1"]) {
    assert.throws(() => direct(text), /one machine/, text);
  }
  assert.throws(() => direct(...Array.from({ length: 9 }, (_, i) => `host${i}:1`)), /at most 8/);
});

test("the port of an address is the local one, unless another is named", () => {
  assert.equal(localUdpPort(direct()), undefined);
  assert.equal(localUdpPort(direct("a.example:4800", "b.example:4800")), 4800);
  const several = { address: ["a.example:1", "b.example:2"], lan: false, spray: true };
  assert.equal(localUdpPort(parseDirectOptions({ ...several, udpPort: "4800" })), 4800);
  assert.throws(() => localUdpPort(parseDirectOptions(several)), /--udp-port/);
});

test("a peer id asks for a service by name", () => {
  assert.deepEqual(goal(id, { service: "web" }, rendezvous), {
    peer: publicKey,
    service: "web",
    rendezvous,
    addresses: [],
  });
  assert.equal(goal(id.toUpperCase()).service, "");
});

test("a text that is neither says what it looks like", () => {
  const text = formatTicket(ticket);
  assert.throws(() => goal(text.slice(0, -9)), refusal("ticket-cut"));
  assert.throws(
    () => goal(`${text.slice(0, -9)}${text.at(-9) === "a" ? "b" : "a"}${text.slice(-8)}`),
    refusal("ticket-mistyped"),
  );
  assert.throws(() => goal("hello"), refusal("ticket-not-a-ticket"));
  assert.throws(() => goal(id.slice(0, -1)), /peer id is mistyped/);
});
