// The address towards the Internet is one of this machine's own, where there is a way there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { interfaceList } from "../../src/io/interface-addresses.ts";
import { outboundAddress } from "../../src/io/outbound-address.ts";

test("it is an address of an interface, or there is none", async () => {
  const own = interfaceList().flatMap(({ addresses }) => addresses);
  for (const family of [4, 6] as const) {
    const address = await outboundAddress(family);
    assert.ok(address === undefined || own.includes(address), `${address} is none of ${own}`);
  }
});

test("interfaces are listed with their usable addresses, and those without any are left out", () => {
  const list = interfaceList({
    lo: [{ address: "127.0.0.1", internal: true }],
    eth0: [
      { address: "192.168.1.2", internal: false },
      { address: "fe80::1", internal: false },
      { address: "2001:DB8::1", internal: false },
    ],
    wlan0: [{ address: "169.254.1.1", internal: false }],
    down: undefined,
  });
  assert.deepEqual(list, [
    { name: "lo", addresses: ["127.0.0.1"] },
    { name: "eth0", addresses: ["192.168.1.2", "2001:db8::1"] },
  ]);
});
