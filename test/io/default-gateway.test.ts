// The router by the kernel's tables; those here were copied from machines and shortened.

import assert from "node:assert/strict";
import { test } from "node:test";
import { localAddress, parseIpv4Routes, parseIpv6Routes, routerPlaces } from "../../src/io/default-gateway.ts";

const HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

test("the default route with the lowest metric leads to the router", () => {
  const table = `${HEAD}wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
`;
  assert.deepEqual(parseIpv4Routes(table, true), { gateway: "192.168.1.254", device: "eth0", metric: 100 });
});

test("the table of a big-endian machine is read in its order", () => {
  const table = `${HEAD}eth0\t00000000\tC0A801FE\t0003\t0\t0\t100\t00000000\t0\t0\t0\n`;
  assert.equal(parseIpv4Routes(table, false)?.gateway, "192.168.1.254");
});

test("a route into a tunnel has no router, and half of the internet is not everywhere", () => {
  const table = `${HEAD}tun0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0
tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0
eth0\t00000000\t0101A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0
`;
  assert.equal(parseIpv4Routes(table, true), undefined);
  assert.equal(parseIpv4Routes("", true), undefined);
});

test("the router of IPv6 is found by its link-local address, and a refusal of all routes is none", () => {
  const zeros = "0".repeat(32);
  const table = `20010db8000000000000000000000000 40 ${zeros} 00 ${zeros} 00000100 00000001 00000000 00000001     eth0
${zeros} 00 ${zeros} 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
${zeros} 00 ${zeros} 00 ${zeros} ffffffff 00000001 00000000 00200200       lo
`;
  assert.deepEqual(parseIpv6Routes(table), { gateway: "fe80::1", device: "eth0", metric: 1024 });
  assert.equal(parseIpv6Routes(""), undefined);
});

test("our address is the one on the router's network", () => {
  const route = { gateway: "192.168.1.1", device: "eth0", metric: 0 };
  const table = {
    eth0: [
      { address: "10.0.0.5", cidr: "10.0.0.5/8" },
      { address: "192.168.1.10", cidr: "192.168.1.10/24" },
      { address: "fe80::10", cidr: "fe80::10/64" },
      { address: "2001:db8::10", cidr: "2001:db8::10/64" },
    ],
    eth1: [{ address: "192.168.1.11", cidr: "192.168.1.11/24" }],
  };
  assert.deepEqual(localAddress(4, route, table), { local: "192.168.1.10", networkBits: 24 });
  assert.equal(localAddress(4, { ...route, gateway: "172.16.0.1" }, table), undefined);
  assert.equal(localAddress(4, { ...route, device: "eth2" }, table), undefined);
  assert.deepEqual(localAddress(6, { ...route, gateway: "fe80::1" }, table), {
    local: "2001:db8::10",
    networkBits: 64,
  });
});

test("this machine's own tables can be read", () => {
  for (const place of routerPlaces([4, 6])) assert.ok(place.gateway.length > 0 && place.local.length > 0);
  assert.deepEqual(routerPlaces([]), []);
});
