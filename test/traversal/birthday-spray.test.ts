// One spray: how many probes, how fast, to where.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SPRAY_PORTS, SPRAY_SOCKETS } from "../../src/base/limits.ts";
import { BirthdaySpray, type SprayProbe } from "../../src/traversal/birthday-spray.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const target = { family: 4, host: "198.51.100.7", port: 4321 } as const;

function runAll(role: "open-sockets" | "spray-ports", inTurn = false): { atMs: number; probe: SprayProbe }[] {
  const spray = new BirthdaySpray(0, role, target, new SeededRandom(1), inTurn);
  const all: { atMs: number; probe: SprayProbe }[] = [];
  for (let atMs = 0; !spray.isDone; atMs = spray.pollTimeout()) {
    for (const probe of spray.takeDue(atMs)) all.push({ atMs, probe });
  }
  assert.equal(spray.pollTimeout(), Number.POSITIVE_INFINITY);
  return all;
}

function mostInASecond(times: readonly number[]): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length));
}

test("many ports: each at most once, of the one host, from the main socket, and slowly enough for a home router", () => {
  const all = runAll("spray-ports");
  assert.equal(all.length, SPRAY_PORTS);
  assert.equal(new Set(all.map(({ probe }) => probe.address.port)).size, SPRAY_PORTS);
  for (const { probe } of all) {
    assert.equal(probe.socket, undefined);
    assert.equal(probe.address.host, target.host);
    assert.ok(probe.address.port >= 1024 && probe.address.port <= 65_535);
  }
  assert.ok(mostInASecond(all.map(({ atMs }) => atMs)) <= 153);
});

test("many sockets: each once, towards the one address, the last ones when the other side has tried its ports", () => {
  const all = runAll("open-sockets");
  assert.deepEqual(
    all.map(({ probe }) => probe.socket),
    Array.from({ length: SPRAY_SOCKETS }, (_, i) => i),
  );
  for (const { probe } of all) assert.deepEqual(probe.address, target);
  const portsDoneMs = runAll("spray-ports").at(-1)?.atMs as number;
  assert.ok((all.at(-1)?.atMs as number) > portsDoneMs);
  assert.ok(all.filter(({ atMs }) => atMs > portsDoneMs).length >= 90);
});

test("where the sides take turns no socket is opened before all ports have been tried, and it is over sooner", () => {
  const ports = runAll("spray-ports", true);
  const sockets = runAll("open-sockets", true);
  assert.ok((sockets[0]?.atMs as number) > (ports.at(-1)?.atMs as number));
  assert.ok((sockets.at(-1)?.atMs as number) < 4_000);
  const both = [...ports, ...sockets];
  assert.ok(both.length < 1_000);
  assert.ok(mostInASecond(both.map(({ atMs }) => atMs)) <= 300);
  // A chance of 93 %.
  assert.ok((1 - sockets.length / 64_512) ** ports.length < 0.07);
});

test("both sides together stay below a thousand flows and 300 new ones a second", () => {
  const both = [...runAll("open-sockets"), ...runAll("spray-ports")];
  assert.ok(both.length < 1_000);
  assert.ok(mostInASecond(both.map(({ atMs }) => atMs)) <= 306);
});
