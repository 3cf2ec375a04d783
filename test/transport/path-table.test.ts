// Which paths there are, which one carries data, and what becomes of those that fall silent.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PATH_FAIL_MS, PATH_ID_MAX, PATHS_MAX, RECEIVE_SPACES_MAX } from "../../src/base/limits.ts";
import { type Route, RouteTable } from "../../src/base/route.ts";
import type { ConnectionEvent } from "../../src/transport/connection-event.ts";
import type { Path } from "../../src/transport/path.ts";
import { PathTable } from "../../src/transport/path-table.ts";
import type { SentPacket } from "../../src/transport/sent-packets.ts";
import { defaultSettings } from "../../src/transport/transport-settings.ts";
import { relayPrefix } from "../../src/wire/datagram.ts";
import { addressOf } from "./datagram-tap.ts";

const routes = new RouteTable();
const direct = (n: number): Route => routes.direct(addressOf(`192.0.${n >> 8}.${n & 255}`));
const relayed = (n: number): Route => routes.relay(addressOf("198.51.100.1"), relayPrefix(new Uint8Array(8).fill(n)));

class Bench {
  readonly events: string[] = [];
  readonly lost: number[] = [];
  readonly abandoned: number[] = [];
  readonly table: PathTable;

  constructor() {
    const owner = {
      onPacketAcked: () => {},
      onPacketLost: (packet: SentPacket) => this.lost.push(packet.packetNumber),
    };
    const emit = (event: ConnectionEvent) => this.events.push(event.type);
    this.table = new PathTable(defaultSettings, owner, emit, (id) => this.abandoned.push(id));
  }

  open(nowMs: number, route: Route, rttMs = 50): Path {
    return this.table.open(nowMs, route, rttMs) ?? assert.fail(`no path to ${route.key}`);
  }

  /** Lets a path's probes go unanswered until it is suspect. */
  silence(nowMs: number, path: Path): number {
    let atMs = nowMs;
    path.onPacketSent(path.sent.prepare(atMs), atMs, 1200, true);
    while (!path.isSuspect) {
      atMs = path.recoveryAtMs;
      path.onRecoveryTimeout(atMs);
      path.onPacketSent(path.sent.prepare(atMs), atMs, 1200, true);
    }
    this.table.review(atMs);
    return atMs;
  }

  answer(nowMs: number, path: Path): void {
    const last = path.sent.nextPacketNumber - 1;
    path.onAck(nowMs, 0, Float64Array.from([last, 0]), 1);
    this.table.review(nowMs);
  }
}

test("IPv6 takes over where its round trip is as short, and gives way only to one that is clearly shorter", () => {
  const ipv6 = (n: number): Route => routes.direct({ family: 6, host: `2001:db8::${n}`, port: 4000 });
  const takesOver = (ipv4Ms: number, ipv6Ms: number): boolean => {
    const bench = new Bench();
    bench.open(0, direct(1), ipv4Ms);
    return bench.open(0, ipv6(1), ipv6Ms) === bench.table.active;
  };
  assert.deepEqual([takesOver(20, 20), takesOver(20, 22.9), takesOver(20, 23.5)], [true, true, false]);
  const keeps = (ipv4Ms: number, ipv6Ms: number): boolean => {
    const bench = new Bench();
    const path = bench.open(0, ipv6(1), ipv6Ms);
    bench.open(0, direct(1), ipv4Ms);
    return path === bench.table.active;
  };
  assert.deepEqual([keeps(20, 20), keeps(20, 24), keeps(20, 26)], [true, true, false]);
});

test("direct goes before the relay, whatever their round trips", () => {
  const bench = new Bench();
  const relay = bench.open(0, relayed(1), 10);
  assert.equal(bench.table.active, relay);
  const path = bench.open(0, direct(1), 200);
  assert.equal(bench.table.active, path);
  assert.equal(relay.active, false);
});

test("a path that works keeps what it has in flight when another one takes over", () => {
  const bench = new Bench();
  const relay = bench.open(0, relayed(1));
  relay.onPacketSent(relay.sent.prepare(10), 10, 1200, true);
  bench.open(20, direct(1));
  assert.equal(relay.active, false);
  assert.deepEqual(bench.lost, []);
  assert.equal(relay.bytesInFlight, 1200);
});

test("among direct paths a change needs a clear gain", () => {
  const bench = new Bench();
  const first = bench.open(0, direct(1), 50);
  bench.open(0, direct(2), 47);
  assert.equal(bench.table.active, first);
  const faster = bench.open(0, direct(3), 20);
  assert.equal(bench.table.active, faster);
});

test("a silent path hands its data over once, and is given up when it stays silent beside one that works", () => {
  const bench = new Bench();
  const relay = bench.open(0, relayed(1));
  const path = bench.open(0, direct(1));
  const atMs = bench.silence(100, path);
  assert.equal(path.state, "suspect");
  assert.equal(bench.table.active, relay);
  assert.deepEqual(bench.lost, [0, 1, 2]);
  bench.table.review(atMs + PATH_FAIL_MS - 1);
  assert.equal(path.state, "suspect");
  bench.table.review(atMs + PATH_FAIL_MS + 1);
  assert.equal(path.state, "failed");
  assert.equal(path.bytesInFlight, 0);
  assert.deepEqual(bench.lost, [0, 1, 2], "given up, but not handed over again");
  assert.equal(bench.events.filter((type) => type === "path-failed").length, 1);
});

test("the last path is never given up; the connection is said to be stalled, and to have recovered", () => {
  const bench = new Bench();
  const path = bench.open(0, direct(1));
  const atMs = bench.silence(100, path);
  bench.table.review(atMs + 100 * PATH_FAIL_MS);
  assert.equal(path.state, "suspect");
  assert.ok(bench.table.isStalled);
  assert.equal(bench.table.active, path);
  bench.answer(atMs + 100 * PATH_FAIL_MS, path);
  assert.ok(!bench.table.isStalled);
  assert.deepEqual(
    bench.events.filter((type) => type === "stalled" || type === "recovered"),
    ["stalled", "recovered"],
  );
});

test("a connection whose last path was dropped is stalled until another one opens", () => {
  const bench = new Bench();
  const path = bench.open(0, relayed(1));
  bench.table.drop(10, path);
  assert.equal(bench.table.active, undefined);
  assert.ok(bench.table.isStalled);
  assert.deepEqual(bench.abandoned, [1]);
  const next = bench.open(20, relayed(2));
  assert.equal(next.id, 2);
  assert.equal(bench.table.active, next);
  assert.ok(!bench.table.isStalled);
});

test("a challenge that comes back over a suspect path asks it again and does not acquit it", () => {
  const bench = new Bench();
  bench.open(0, relayed(1));
  const path = bench.open(0, direct(1));
  const atMs = bench.silence(100, path);
  bench.open(atMs + 10, direct(1));
  assert.equal(path.state, "suspect", "pings pass, data perhaps do not");
  assert.ok(path.pingWanted);
  bench.answer(atMs + 60, path);
  assert.equal(path.state, "working");
  assert.equal(bench.table.active, path);
});

test("a path that had failed starts anew when a challenge has come back over it", () => {
  const bench = new Bench();
  bench.open(0, relayed(1));
  const path = bench.open(0, direct(1));
  const atMs = bench.silence(100, path);
  bench.table.review(atMs + PATH_FAIL_MS + 1);
  const next = path.sent.nextPacketNumber;
  assert.equal(bench.open(atMs + 20_000, direct(1), 30), path);
  assert.equal(path.state, "working");
  assert.equal(path.rttMs, 30);
  assert.equal(path.sent.nextPacketNumber, next, "its packet numbers go on");
  assert.equal(bench.table.active, path);
});

test("with as many paths as there may be, the least needed one leads to the new route, never the relay that works", () => {
  const bench = new Bench();
  const relay = bench.open(0, relayed(1));
  const paths = Array.from({ length: PATHS_MAX - 1 }, (_, i) => bench.open(0, direct(i), 50 + i));
  const { active } = bench.table;
  for (let i = 0; i < 100; i++) {
    bench.open(i, direct(100 + i), 100);
    assert.equal(bench.table.all.length, PATHS_MAX);
    assert.ok(bench.table.all.includes(relay));
    assert.equal(relay.state, "working");
    assert.equal(relay.route, relayed(1));
    assert.equal(bench.table.active, active);
  }
  assert.ok(paths.length > 0);
  assert.ok(Math.max(...bench.table.all.map((path) => path.id)) <= PATHS_MAX, "no ids were used up by it");
});

test("a failed path makes room first", () => {
  const bench = new Bench();
  bench.open(0, relayed(1));
  const paths = Array.from({ length: PATHS_MAX - 1 }, (_, i) => bench.open(0, direct(i), 50 + i));
  const dead = paths[5] ?? assert.fail();
  const atMs = bench.silence(100, dead);
  bench.table.review(atMs + PATH_FAIL_MS + 1);
  assert.equal(dead.state, "failed");
  assert.equal(bench.open(atMs + 20_000, direct(200)), dead);
});

test("when all path ids are used up, routes are taken over by paths that exist", () => {
  const bench = new Bench();
  bench.open(0, relayed(1));
  const ids = new Set<number>();
  for (let n = 2; n <= PATH_ID_MAX + 100; n++) {
    const path = bench.open(n, direct(n % 60_000), 50);
    assert.equal(bench.table.active, path);
    assert.ok(path.id <= PATH_ID_MAX);
    ids.add(path.id);
    bench.table.drop(n, path);
    bench.table.onAbandonedTold(path.id);
  }
  assert.equal(ids.size, PATH_ID_MAX - 1, "each id once, and the last one again and again");
});

test("no more packet-number spaces are begun than the peer bears, however slowly it hears of those given up", () => {
  const bench = new Bench();
  bench.open(0, relayed(1));
  for (let n = 0; n < 200; n++) {
    const path = bench.table.open(n, direct(n), 50);
    if (path !== undefined) bench.table.drop(n, path);
  }
  const untold = bench.abandoned.length;
  assert.ok(untold + bench.table.all.length <= RECEIVE_SPACES_MAX, `${untold} given up and untold`);
  for (const id of bench.abandoned.splice(0)) bench.table.onAbandonedTold(id);
  assert.ok(bench.table.open(1_000, direct(500), 50), "when it has heard there is room again");
});
