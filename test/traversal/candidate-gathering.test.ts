// Which addresses are told to a peer, and which of the peer's are believed to be worth a probe.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSocketAddress, type SocketAddress } from "../../src/base/address.ts";
import { CANDIDATES_MAX } from "../../src/base/limits.ts";
import { gatherCandidates, plausibleTargets } from "../../src/traversal/candidate-gathering.ts";
import type { Candidate } from "../../src/wire/candidate.ts";

const address = (text: string): SocketAddress => {
  const parsed = parseSocketAddress(text);
  assert.ok(parsed, text);
  return parsed;
};
const hosts = (...texts: string[]): Candidate[] => texts.map((text) => ({ type: "host", address: address(text) }));

test("an address that is both an interface's and seen by others is told once, as the interface's", () => {
  const own = address("203.0.113.5:4000");
  assert.deepEqual(gatherCandidates([own], [own, address("198.51.100.1:9")]), [
    { type: "host", address: own },
    { type: "server-reflexive", address: address("198.51.100.1:9") },
  ]);
});

test("what a router maps comes behind the interfaces, and before what others have seen", () => {
  const mapped = address("203.0.113.5:4000");
  const other = address("203.0.113.5:51234");
  const own = address("192.168.1.10:4000");
  assert.deepEqual(gatherCandidates([own], [mapped, other], [mapped]), [
    { type: "host", address: own },
    { type: "port-mapped", address: mapped },
    { type: "server-reflexive", address: other },
  ]);
});

test("nobody can aim us at what no peer can be reached at", () => {
  const bad = [
    "0.0.0.0:1",
    "224.0.0.1:1",
    "255.255.255.255:1",
    "169.254.1.1:1",
    "[ff02::1]:1",
    "[fe80::1]:1",
    "127.0.0.1:1",
  ];
  const good = ["192.168.1.2:1", "203.0.113.9:1", "[2001:db8::1]:1"];
  const own = [address("10.0.0.1:4000"), address("[2001:db8::9]:4000")];
  assert.deepEqual(plausibleTargets(hosts(...bad, ...good), own), good.map(address));
});

test("loopback is probed only by who offers loopback, and our own address never", () => {
  const own = [address("127.0.0.1:4000")];
  assert.deepEqual(plausibleTargets(hosts("127.0.0.1:4000", "127.0.0.1:5000"), own), [address("127.0.0.1:5000")]);
});

test("a family that we have no address of is left alone", () => {
  assert.deepEqual(plausibleTargets(hosts("[2001:db8::1]:1", "192.0.2.1:1"), [address("10.0.0.1:1")]), [
    address("192.0.2.1:1"),
  ]);
});

test("however many candidates a peer names, so many are probed and no more", () => {
  const many = Array.from({ length: 300 }, (_, i) => `192.0.2.${i % 250}:${1 + i}`);
  assert.equal(plausibleTargets(hosts(...many), [address("10.0.0.1:1")]).length, CANDIDATES_MAX);
});
