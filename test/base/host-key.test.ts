// What is counted as one host.

import assert from "node:assert/strict";
import { test } from "node:test";
import { socketAddress } from "../../src/base/address.ts";
import { hostKey } from "../../src/base/host-key.ts";

const at = (host: string) => socketAddress(host, 1000)!;

test("two ports of an IPv4 address are one host, two addresses are two", () => {
  assert.equal(hostKey(socketAddress("192.0.2.1", 1)!), hostKey(socketAddress("192.0.2.1", 2)!));
  assert.notEqual(hostKey(at("192.0.2.1")), hostKey(at("192.0.2.2")));
});

test("all addresses of an IPv6 customer are one host", () => {
  assert.equal(hostKey(at("2001:db8:1:2ff::1")), hostKey(at("2001:db8:1:200:1:2:3:4")));
  assert.notEqual(hostKey(at("2001:db8:1:200::1")), hostKey(at("2001:db8:1:300::1")));
});
