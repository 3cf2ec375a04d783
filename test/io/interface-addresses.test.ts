// Which of a machine's addresses are offered to a peer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { HOST_CANDIDATES_MAX } from "../../src/base/limits.ts";
import { type InterfaceTable, interfaceAddresses } from "../../src/io/interface-addresses.ts";

const lo = [
  { address: "127.0.0.1", internal: true },
  { address: "::1", internal: true },
];
const both = [4, 6] as const;
const addresses = (table: InterfaceTable, loopback = false, families: readonly (4 | 6)[] = both): readonly string[] =>
  interfaceAddresses({ loopback, families }, table);
const outside = (...list: string[]) => list.map((address) => ({ address, internal: false }));

test("addresses of both families are offered, loopback is not", () => {
  assert.deepEqual(addresses({ lo, eth0: outside("192.168.1.5", "2001:DB8::5") }), ["192.168.1.5", "2001:db8::5"]);
});

test("link-local addresses are left out", () => {
  const table = { lo, eth0: outside("169.254.1.1", "fe80::1", "febf::1", "fe80::1%eth0", "10.0.0.1") };
  assert.deepEqual(addresses(table), ["10.0.0.1"]);
});

test("loopback is offered where there is nothing else", () => {
  assert.deepEqual(addresses({ lo, eth0: outside("fe80::1") }), ["127.0.0.1", "::1"]);
});

test("loopback comes first where it is asked for", () => {
  assert.deepEqual(addresses({ lo, eth0: outside("10.0.0.1") }, true), ["127.0.0.1", "::1", "10.0.0.1"]);
});

test("a family that the socket does not reach is left out", () => {
  assert.deepEqual(addresses({ lo, eth0: outside("10.0.0.1", "2001:db8::1") }, false, [4]), ["10.0.0.1"]);
});

test("the order is stable and the number bounded", () => {
  const many = outside(...Array.from({ length: 100 }, (_, i) => `10.0.0.${i + 1}`));
  assert.equal(addresses({ docker: many }).length, HOST_CANDIDATES_MAX);
  assert.deepEqual(addresses({ docker: [...many].reverse() }), addresses({ docker: many }));
});
