// What counts as a change of network.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NetworkWatch } from "../../src/io/network-watch.ts";

function watch() {
  const world = { addresses: ["10.0.0.1"], wallMs: 1_000_000, monotonicMs: 0, changes: [] as string[] };
  const watcher = new NetworkWatch({
    read: () => world.addresses,
    onChange: (change, addresses) => world.changes.push(`${change} ${addresses.join(" ")}`),
    wallNowMs: () => world.wallMs,
    monotonicNowMs: () => world.monotonicMs,
  });
  const pass = (wallMs: number, monotonicMs: number): void => {
    world.wallMs += wallMs;
    world.monotonicMs += monotonicMs;
    watcher.poll();
  };
  return { world, pass };
}

test("while nothing changes, nothing is said", () => {
  const { world, pass } = watch();
  for (let i = 0; i < 10; i++) pass(3_000, 3_000);
  assert.deepEqual(world.changes, []);
});

test("another address is told once", () => {
  const { world, pass } = watch();
  world.addresses = ["10.9.9.9"];
  pass(3_000, 3_000);
  pass(3_000, 3_000);
  assert.deepEqual(world.changes, ["addresses 10.9.9.9"]);
});

test("a machine that slept is told of although its addresses are the same", () => {
  const { world, pass } = watch();
  pass(600_000, 3_000);
  pass(3_000, 3_000);
  assert.deepEqual(world.changes, ["woke 10.0.0.1"]);
});

test("a late timer is no sleep, and a wall clock set back is nothing", () => {
  const { world, pass } = watch();
  pass(60_000, 60_000);
  pass(-3_600_000, 3_000);
  assert.deepEqual(world.changes, []);
});
