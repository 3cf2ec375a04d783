// Interned routes: one object a place, and no memory for a route that nobody holds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { SocketAddress } from "../../src/base/address.ts";
import { RouteTable } from "../../src/base/route.ts";

const host: SocketAddress = { family: 4, host: "192.0.2.1", port: 4700 };

test("the same place is the same object", () => {
  const routes = new RouteTable();
  const direct = routes.direct(host);
  assert.equal(routes.direct({ ...host }), direct);
  const relayed = routes.relay(host, Uint8Array.of(0xc5, 1));
  assert.equal(routes.relay({ ...host }, Uint8Array.of(0xc5, 1)), relayed);
});

test("another host, port, family or channel is another route", () => {
  const routes = new RouteTable();
  const all = [
    routes.direct(host),
    routes.direct({ ...host, port: 4701 }),
    routes.direct({ ...host, host: "192.0.2.2" }),
    routes.direct({ family: 6, host: "2001:db8::1", port: 4700 }),
    routes.relay(host, Uint8Array.of(0xc5, 1)),
    routes.relay(host, Uint8Array.of(0xc5, 2)),
    routes.relay({ ...host, port: 4701 }, Uint8Array.of(0xc5, 1)),
  ];
  assert.equal(new Set(all).size, all.length);
  assert.equal(new Set(all.map((route) => route.key)).size, all.length);
});

test("a direct route has no prefix, and a relayed one keeps its own copy", () => {
  const routes = new RouteTable();
  const prefix = Buffer.of(0xc5, 0, 0, 0, 1);
  const direct = routes.direct(host);
  const relayed = routes.relay(host, prefix);
  prefix.fill(0);
  assert.deepEqual([direct.via, direct.prefix.length], ["direct", 0]);
  assert.equal(relayed.via, "relay");
  assert.deepEqual(relayed.prefix, Uint8Array.of(0xc5, 0, 0, 0, 1));
  assert.deepEqual(relayed.remote, host);
});

test("a route that nobody holds is let go, one that is held stays the same", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const routes = new RouteTable();
  const held = routes.direct(host);
  const dropped = new WeakRef(routes.direct({ ...host, port: 1 }));
  // A WeakRef holds its target until the current job ends.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  assert.equal(dropped.deref(), undefined);
  for (let port = 1; port <= 5000; port++) routes.direct({ ...host, host: "198.51.100.1", port });
  assert.equal(routes.direct(host), held);
  assert.equal(routes.direct({ ...host, port: 1 }).remote.port, 1);
});
