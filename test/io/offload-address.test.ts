// Addresses as the kernel lays them out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { socketAddress } from "../../src/base/address.ts";
import { KernelAddressCache, kernelAddress, kernelAddressBytes } from "../../src/io/offload-address.ts";

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString("hex");

test("an IPv4 socket takes a sockaddr_in", () => {
  assert.equal(hex(kernelAddress(4, "192.0.2.1", 4700)), `0200125cc0000201${"00".repeat(8)}`);
  assert.equal(kernelAddressBytes(4), 16);
});

test("an IPv6 socket takes a sockaddr_in6", () => {
  const ip = "20010db8000000000000000000000001";
  assert.equal(hex(kernelAddress(6, "2001:db8::1", 4700)), `0a00125c00000000${ip}00000000`);
  assert.equal(kernelAddressBytes(6), 28);
});

test("an IPv4 address on an IPv6 socket is the address that it is mapped to", () => {
  const ip = `${"00".repeat(10)}ffffc0000201`;
  assert.equal(hex(kernelAddress(6, "192.0.2.1", 65535)), `0a00ffff00000000${ip}00000000`);
});

test("an IPv6 address on an IPv4 socket is none", () => {
  assert.equal(kernelAddress(4, "::1", 1), undefined);
  assert.equal(kernelAddress(4, "nonsense", 1), undefined);
});

test("the address of a route is laid out once", () => {
  const cache = new KernelAddressCache(6);
  const address = socketAddress("192.0.2.1", 80);
  assert.ok(address !== undefined);
  const bytes = cache.get(address);
  assert.equal(cache.get(address), bytes);
  assert.deepEqual(bytes, kernelAddress(6, "192.0.2.1", 80));
});
