// What happens on paths when time passes: here, when one that carries nothing is asked.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KEEPALIVE_MS, SECOND_LOOK_MS } from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import type { Path } from "../../src/transport/path.ts";
import { PathTable } from "../../src/transport/path-table.ts";
import { PathTimers } from "../../src/transport/path-timers.ts";
import { defaultSettings } from "../../src/transport/transport-settings.ts";

const owner = { onPacketAcked: () => {}, onPacketLost: () => {} };

const routes = new RouteTable();

interface Bench {
  readonly table: PathTable;
  readonly timers: PathTimers;
}

function bench(): Bench {
  const table = new PathTable(
    defaultSettings,
    owner,
    () => {},
    () => {},
  );
  return { table, timers: new PathTimers(table, new Map(), owner, KEEPALIVE_MS) };
}

/** Sends what is wanted on a path, and has it acknowledged after so long. */
function exchange(table: PathTable, path: Path, nowMs: number, rttMs: number): void {
  path.pingWanted = false;
  const packet = path.sent.prepare(nowMs);
  path.onPacketSent(packet, nowMs, 60, true);
  path.onAck(nowMs + rttMs, 0, Float64Array.from([packet.packetNumber, 0]), 1);
  table.review(nowMs + rttMs);
}

test("a path in reserve is measured a second time in peace, and IPv6 taken for it where it is as good after all", () => {
  const { table, timers } = bench();
  const ipv4 = table.open(0, routes.direct({ family: 4, host: "192.0.2.1", port: 4000 }), 10) ?? assert.fail();
  // Its answer lay in a queue, as long as two processes were busy with meeting each other.
  const ipv6 = table.open(0, routes.direct({ family: 6, host: "2001:db8::1", port: 4000 }), 40) ?? assert.fail();
  assert.equal(table.active, ipv4);
  assert.equal(timers.deadlineMs, SECOND_LOOK_MS);
  timers.handleTimeout(SECOND_LOOK_MS);
  assert.deepEqual([ipv4.pingWanted, ipv6.pingWanted], [false, true]);
  exchange(table, ipv6, SECOND_LOOK_MS, 10);
  assert.equal(table.active, ipv6);
  // IPv4 is in reserve now, and its turn has come.
  assert.equal(timers.deadlineMs, SECOND_LOOK_MS);
});

test("a young path in reserve is measured after longer and longer times, until keepalives do it", () => {
  const { table, timers } = bench();
  const used = table.open(0, routes.direct({ family: 4, host: "192.0.2.1", port: 4000 }), 10) ?? assert.fail();
  const reserve = table.open(0, routes.direct({ family: 4, host: "192.0.2.2", port: 4000 }), 20) ?? assert.fail();
  const askedAtMs: number[] = [];
  for (let nowMs = 0; nowMs < 100_000; nowMs = timers.deadlineMs) {
    timers.handleTimeout(nowMs);
    if (used.pingWanted) exchange(table, used, nowMs, 10);
    if (!reserve.pingWanted) continue;
    askedAtMs.push(nowMs);
    exchange(table, reserve, nowMs, 20);
  }
  const looks = askedAtMs.filter((atMs) => atMs < KEEPALIVE_MS);
  assert.deepEqual(
    looks,
    looks.map((_, i) => SECOND_LOOK_MS * 2 ** i),
  );
  assert.ok(looks.length >= 4);
  const later = askedAtMs.slice(looks.length);
  assert.ok(
    later.every((atMs, i) => i === 0 || atMs - (later[i - 1] as number) === KEEPALIVE_MS),
    String(askedAtMs),
  );
  assert.equal(table.active, used);
});

test("a path that carried data when it was slow, and lost them to another, is looked at again", () => {
  const { table, timers } = bench();
  const ipv6 = table.open(0, routes.direct({ family: 6, host: "2001:db8::1", port: 4000 }), 11) ?? assert.fail();
  for (const atMs of [20, 40, 60]) exchange(table, ipv6, atMs, 11);
  const ipv4 = table.open(80, routes.direct({ family: 4, host: "192.0.2.1", port: 4000 }), 5) ?? assert.fail();
  assert.equal(table.active, ipv4);
  const atMs = timers.deadlineMs;
  timers.handleTimeout(atMs);
  assert.deepEqual([ipv4.pingWanted, ipv6.pingWanted, atMs], [false, true, 60 + SECOND_LOOK_MS]);
  exchange(table, ipv6, atMs, 5);
  assert.equal(table.active, ipv6);
});

test("a path in reserve that does not answer the second time is not asked again before its probe timeout", () => {
  const { table, timers } = bench();
  table.open(0, routes.direct({ family: 4, host: "192.0.2.1", port: 4000 }), 10);
  const dead = table.open(0, routes.direct({ family: 4, host: "192.0.2.2", port: 4000 }), 600) ?? assert.fail();
  timers.handleTimeout(SECOND_LOOK_MS);
  assert.ok(dead.pingWanted);
  dead.pingWanted = false;
  dead.onPacketSent(dead.sent.prepare(SECOND_LOOK_MS), SECOND_LOOK_MS, 60, true);
  assert.equal(timers.deadlineMs, dead.recoveryAtMs);
  assert.ok(dead.recoveryAtMs > 2 * SECOND_LOOK_MS);
});
