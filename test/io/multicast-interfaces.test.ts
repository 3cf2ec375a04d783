// On which interfaces a group is asked, by tables of interfaces that stand here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LAN_INTERFACES_MAX } from "../../src/base/limits.ts";
import { type MulticastTable, multicastInterfaces } from "../../src/io/multicast-interfaces.ts";

const entry = (address: string, internal = false) => ({
  family: address.includes(":") ? "IPv6" : "IPv4",
  address,
  internal,
});
const table: MulticastTable = {
  lo: [entry("127.0.0.1", true), entry("::1", true)],
  eth0: [entry("192.168.1.5"), entry("192.168.1.6"), entry("fe80::5"), entry("2001:db8::5")],
  wlan0: [entry("fe80::7"), entry("10.0.0.7")],
  gone: undefined,
  tun0: [entry("fd00::9")],
};

test("IPv4 is asked by the first address of each interface, loopback among them", () => {
  assert.deepEqual(multicastInterfaces(4, table), ["127.0.0.1", "192.168.1.5", "10.0.0.7"]);
});

test("IPv6 is asked where there is an address that can be answered without naming the interface", () => {
  assert.deepEqual(multicastInterfaces(6, table), ["::%eth0", "::%tun0"]);
});

test("a machine with hundreds of bridges asks on some of them", () => {
  const many = Object.fromEntries(
    Array.from({ length: 300 }, (_, i) => [`br${i}`, [entry(`10.1.${i >> 8}.${i & 255}`)]]),
  );
  assert.equal(multicastInterfaces(4, many).length, LAN_INTERFACES_MAX);
});
