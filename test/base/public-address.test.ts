// Which addresses count as public, at the edges of every block.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hasPrefix, isPublicHost } from "../../src/base/public-address.ts";

test("an address is public unless a block that nobody has on the internet holds it", () => {
  const edges: Record<string, boolean> = {
    "9.255.255.255": true,
    "10.0.0.0": false,
    "10.255.255.255": false,
    "11.0.0.0": true,
    "100.63.255.255": true,
    "100.64.0.0": false,
    "100.127.255.255": false,
    "100.128.0.0": true,
    "127.0.0.1": false,
    "169.254.1.1": false,
    "172.15.255.255": true,
    "172.16.0.0": false,
    "172.31.255.255": false,
    "172.32.0.0": true,
    "192.0.0.2": false,
    "192.0.1.0": true,
    "192.167.255.255": true,
    "192.168.0.0": false,
    "192.169.0.0": true,
    "198.18.0.0": false,
    "198.20.0.0": true,
    "0.0.0.0": false,
    "223.255.255.255": true,
    "224.0.0.1": false,
    "255.255.255.255": false,
    "2001:db8::1": true,
    "fd00::1": false,
    "fe80::1": false,
    "::1": false,
    "::ffff:10.0.0.1": false,
    router: false,
  };
  for (const [host, isPublic] of Object.entries(edges)) assert.equal(isPublicHost(host), isPublic, host);
});

test("a prefix may end inside a byte", () => {
  assert.ok(hasPrefix([192, 168, 1, 10], [192, 168, 0, 0], 23));
  assert.ok(!hasPrefix([192, 168, 2, 10], [192, 168, 0, 0], 23));
  assert.ok(hasPrefix([192, 168, 2, 10], [], 0));
});
