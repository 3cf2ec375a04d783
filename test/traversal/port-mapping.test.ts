// Asking a router for a port, in virtual time: which protocol it takes, how the mapping is kept, and what a router may do wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketAddress } from "../../src/base/address.ts";
import { PortMapping } from "../../src/traversal/port-mapping.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { FakeRouter } from "./fake-router.ts";
import { gateway, internal, MappingClock } from "./mapping-clock.ts";

const HOUR_MS = 3_600_000;

const mapped = (protocol: string, host: string, port: number, lifetimeSeconds = 7200) => ({
  type: "mapped",
  protocol,
  external: { family: 4, host, port },
  lifetimeSeconds,
});

/** @returns a clock whose machine has been mapped. */
function startMapped(router: FakeRouter, seed = 1): MappingClock {
  const clock = new MappingClock(router, seed);
  clock.start();
  clock.run(1000);
  assert.deepEqual(clock.types, ["mapped"]);
  return clock;
}

test("a router that speaks PCP is asked once", () => {
  const router = new FakeRouter();
  const clock = startMapped(router);
  assert.deepEqual(clock.events, [mapped("PCP", "203.0.113.9", 41_000)]);
  assert.equal(router.requests.length, 1);
});

test("a router that knows only NAT-PMP says so, and is asked that way at once", () => {
  const router = new FakeRouter({ pcp: false });
  router.portShift = 7;
  const clock = startMapped(router);
  assert.deepEqual(clock.events, [mapped("NAT-PMP", "203.0.113.9", 41_007)]);
  assert.equal(clock.eventAtMs[0], 1_000_012);
});

test("a router that is silent to PCP is asked by NAT-PMP after 1.75 s", () => {
  const router = new FakeRouter({ pcp: false });
  const clock = new MappingClock(router);
  clock.losses = 3;
  clock.start();
  clock.run(5000);
  assert.deepEqual(clock.types, ["mapped"]);
  assert.deepEqual(router.requests.slice(0, 4), ["lost", "lost", "lost", "0000"]);
  assert.equal(clock.eventAtMs[0], 1_000_000 + 1750 + 8);
});

test("lost requests are repeated after 250 ms, then 500 ms", () => {
  const clock = new MappingClock(new FakeRouter());
  clock.losses = 2;
  clock.start();
  clock.run(2000);
  assert.equal(clock.eventAtMs[0], 1_000_000 + 750 + 4);
});

test("a router that never answers is given up after 3.5 s and six requests, and is left alone", () => {
  const router = new FakeRouter({ pcp: false, natPmp: false });
  const clock = new MappingClock(router);
  clock.start();
  clock.run(HOUR_MS);
  assert.deepEqual(clock.types, ["unavailable"]);
  assert.equal(clock.eventAtMs[0], 1_000_000 + 3500);
  assert.equal(router.requests.length, 6);
  assert.equal(clock.machine.pollTimeout(), Number.POSITIVE_INFINITY);
});

test("where the network says that nobody listens, it is given up at once", () => {
  const clock = new MappingClock(new FakeRouter({ pcp: false, natPmp: false }));
  clock.start();
  clock.input(() => clock.machine.handleUnreachable());
  const [event] = clock.events;
  assert.ok(event?.type === "unavailable" && event.reason === "silent");
});

test("an answer from anywhere but the router's own port is ignored", () => {
  const router = new FakeRouter();
  const clock = new MappingClock(router);
  clock.losses = 1;
  clock.start();
  const answer = router.answer(clock.nowMs, clock.lastRequest) as Uint8Array;
  const deliver = (from: SocketAddress) =>
    clock.input((nowMs) => clock.machine.handleDatagram(nowMs, from, answer.slice()));
  deliver({ ...gateway, host: "192.168.1.66" });
  deliver({ ...gateway, port: 5352 });
  assert.deepEqual(clock.events, []);
  deliver(gateway);
  assert.deepEqual(clock.types, ["mapped"]);
});

test("an answer of PCP with another nonce, or for another port, is ignored", () => {
  for (const at of [24, 41]) {
    const router = new FakeRouter({ natPmp: false });
    const answer = router.answer.bind(router);
    router.answer = (nowMs, request) => {
      const bytes = answer(nowMs, request);
      if (bytes !== undefined) bytes[at] = (bytes[at] as number) ^ 1;
      return bytes;
    };
    const clock = new MappingClock(router);
    clock.start();
    clock.run(10_000);
    assert.deepEqual(clock.types, ["unavailable"], `byte ${at}`);
  }
});

for (const pcp of [true, false]) {
  const name = pcp ? "PCP" : "NAT-PMP";

  test(`${name}: the mapping is renewed between a half and five eighths of its life, and nobody hears of it`, () => {
    const router = new FakeRouter({ pcp });
    const clock = startMapped(router);
    const isMap = (request: string): boolean => request.startsWith(pcp ? "0201" : "0001");
    const before = router.requests.filter(isMap).length;
    clock.run(HOUR_MS - 2000);
    assert.equal(router.requests.filter(isMap).length, before);
    clock.run(HOUR_MS / 4 + 2000);
    assert.equal(router.requests.filter(isMap).length, before + 1);
    clock.run(24 * HOUR_MS);
    assert.deepEqual(clock.types, ["mapped"]);
  });

  test(`${name}: a shorter lease is renewed sooner`, () => {
    const router = new FakeRouter({ pcp });
    router.lifetimeSecondsMax = 60;
    const clock = startMapped(router);
    const before = router.requests.length;
    clock.run(40_000);
    assert.ok(router.requests.length > before);
    clock.run(HOUR_MS);
    assert.deepEqual(clock.types, ["mapped"]);
  });

  test(`${name}: a lease of nothing, or of next to nothing, is a refusal`, () => {
    for (const seconds of [0, 1, 7]) {
      const router = new FakeRouter({ pcp });
      router.lifetimeSecondsMax = seconds;
      const clock = new MappingClock(router);
      clock.start();
      clock.run(HOUR_MS);
      const [event] = clock.events;
      assert.ok(event?.type === "unavailable" && event.reason === "refused", `${seconds} s`);
      assert.equal(clock.events.length, 1);
    }
  });

  test(`${name}: a router that forgot is found out by its epoch within ten minutes, and asked again`, () => {
    const router = new FakeRouter({ pcp });
    const clock = startMapped(router);
    clock.run(60_000);
    router.restart(clock.nowMs);
    clock.run(10 * 60_000);
    assert.equal(router.mappings.get(internal.port)?.externalPort, 41_000);
    assert.deepEqual(clock.types, ["mapped"]);
  });

  test(`${name}: a router that announces that it forgot is asked again within five seconds, not by all hosts at once`, () => {
    const delays: number[] = [];
    for (let seed = 1; seed <= 10; seed++) {
      const router = new FakeRouter({ pcp });
      const clock = startMapped(router, seed);
      clock.run(60_000);
      router.restart(clock.nowMs);
      router.portShift = 3;
      const announcement = router.announcement(clock.nowMs, pcp ? "pcp" : "nat-pmp");
      clock.input((nowMs) => clock.machine.handleDatagram(nowMs, gateway, announcement));
      const announcedAtMs = clock.nowMs;
      clock.run(5_100);
      assert.deepEqual(clock.events.at(-1), mapped(name, "203.0.113.9", 41_003));
      delays.push((clock.eventAtMs.at(-1) as number) - announcedAtMs);
    }
    assert.ok(Math.max(...delays) - Math.min(...delays) > 2_000, delays.join(" "));
  });

  test(`${name}: an announcement that shows nothing new is no reason to ask`, () => {
    const router = new FakeRouter({ pcp });
    const clock = startMapped(router);
    const before = router.requests.length;
    clock.run(60_000);
    const announcement = router.announcement(clock.nowMs, pcp ? "pcp" : "nat-pmp");
    clock.input((nowMs) => clock.machine.handleDatagram(nowMs, gateway, announcement));
    clock.run(60_000);
    assert.equal(router.requests.length, before);
  });

  test(`${name}: a mapping whose router stays silent is lost when its life is over, and asked for anew`, () => {
    const router = new FakeRouter({ pcp });
    const clock = startMapped(router);
    const mappedAtMs = clock.eventAtMs[0] as number;
    router.pcp = false;
    router.natPmp = false;
    clock.run(3 * HOUR_MS);
    assert.deepEqual(clock.types, ["mapped", "lost", "unavailable"]);
    assert.equal(clock.eventAtMs[1], mappedAtMs + 7_200_000);
  });

  test(`${name}: requests for a renewal that go unanswered come at half of what is left, at least 4 s apart`, () => {
    const router = new FakeRouter({ pcp });
    router.lifetimeSecondsMax = 120;
    const clock = startMapped(router);
    const before = clock.requestAtMs.length;
    router.pcp = false;
    router.natPmp = false;
    clock.run(118_900);
    const times = clock.requestAtMs.slice(before);
    assert.ok(times.length >= 12, `${times.length} requests`);
    const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] as number));
    // Two repetitions, then a second in vain, then the pause.
    for (const gapMs of gaps) assert.ok(gapMs === 250 || gapMs === 500 || gapMs >= 1_000 + 4_000, `${gapMs} ms`);
  });

  test(`${name}: a renewal that is refused keeps the mapping for the rest of its life`, () => {
    const router = new FakeRouter({ pcp });
    const clock = startMapped(router);
    router.result = 2;
    clock.run(HOUR_MS * 1.5);
    assert.deepEqual(clock.types, ["mapped"]);
    router.result = 0;
    clock.run(HOUR_MS);
    assert.deepEqual(clock.types, ["mapped"]);
  });

  test(`${name}: a refusal is told in words`, () => {
    const router = new FakeRouter({ pcp });
    router.result = 2;
    const clock = new MappingClock(router);
    clock.start();
    clock.run(HOUR_MS);
    const message = "it does not allow it";
    assert.deepEqual(clock.events, [{ type: "unavailable", reason: "refused", message }]);
  });

  test(`${name}: a router behind another NAT maps nothing of use, and keeps nothing of ours`, () => {
    for (const external of ["10.1.2.3", "100.64.0.2", "192.168.178.20"]) {
      const router = new FakeRouter({ pcp, external });
      const clock = new MappingClock(router);
      clock.start();
      clock.run(1000);
      const [event] = clock.events;
      assert.ok(event?.type === "unavailable" && event.reason === "carrier-nat", external);
      assert.equal(router.mappings.size, 0);
    }
  });

  test(`${name}: the mapping is given back, and nothing is sent after that`, () => {
    const router = new FakeRouter({ pcp });
    const clock = startMapped(router);
    clock.input((nowMs) => clock.machine.remove(nowMs));
    clock.run(100);
    assert.deepEqual(clock.types, ["mapped", "removed"]);
    assert.equal(router.mappings.size, 0);
    const before = router.requests.length;
    clock.run(24 * HOUR_MS);
    assert.equal(router.requests.length, before);
    assert.deepEqual(clock.types, ["mapped", "removed"]);
  });

  test(`${name}: after a sleep the mapping is asked for again at once`, () => {
    const router = new FakeRouter({ pcp });
    const clock = startMapped(router);
    router.mappings.clear();
    clock.input((nowMs) => clock.machine.renew(nowMs));
    clock.run(100);
    assert.equal(router.mappings.size, 1);
  });
}

test("giving back is tried twice, and then it is over", () => {
  const router = new FakeRouter();
  const clock = startMapped(router);
  clock.losses = 9;
  clock.input((nowMs) => clock.machine.remove(nowMs));
  clock.run(749);
  assert.deepEqual(clock.types, ["mapped"]);
  clock.run(1);
  assert.deepEqual(clock.types, ["mapped", "removed"]);
});

test("what was asked for and not answered yet is given back as well", () => {
  const router = new FakeRouter();
  const clock = new MappingClock(router);
  clock.start();
  clock.input((nowMs) => clock.machine.remove(nowMs));
  clock.run(1000);
  assert.deepEqual(clock.types, ["removed"]);
  assert.equal(router.mappings.size, 0);
});

test("NAT-PMP: each renewal asks for the address first", () => {
  const router = new FakeRouter({ pcp: false });
  const clock = startMapped(router);
  clock.run(1.3 * HOUR_MS);
  const renewedAt = router.requests.findLastIndex((request) => request.startsWith("0001"));
  assert.ok(renewedAt > 5);
  assert.equal(router.requests[renewedAt - 1], "0000");
  assert.ok((clock.requestAtMs[renewedAt] as number) - (clock.requestAtMs[renewedAt - 1] as number) < 10);
});

test("NAT-PMP: an address that changed without a restart is found out, and told", () => {
  const router = new FakeRouter({ pcp: false });
  const clock = startMapped(router);
  router.external = "203.0.113.10";
  clock.run(11 * 60_000);
  assert.deepEqual(clock.events.at(-1), mapped("NAT-PMP", "203.0.113.10", 41_000));
});

test("a router that was replaced by one with NAT-PMP alone is asked that way at the next renewal", () => {
  const router = new FakeRouter();
  const clock = startMapped(router);
  router.pcp = false;
  clock.run(2 * HOUR_MS);
  assert.deepEqual(clock.types, ["mapped", "lost", "mapped"]);
  assert.deepEqual(clock.events.at(-1), mapped("NAT-PMP", "203.0.113.9", 41_000));
});

test("over IPv6 there is PCP alone", () => {
  const machine = new PortMapping({
    gateway: { family: 6, host: "fe80::1", port: 5351 },
    internal: { family: 6, host: "2001:db8::10", port: 41_000 },
    random: new SeededRandom(1),
  });
  machine.start(0);
  for (const nowMs of [250, 750, 1750]) machine.handleTimeout(nowMs);
  const event = machine.pollEvent();
  assert.ok(event?.type === "unavailable" && event.reason === "silent");
});

test("an early wake-up changes nothing", () => {
  const router = new FakeRouter();
  const clock = startMapped(router);
  for (let i = 0; i < 100; i++) {
    clock.input((nowMs) => clock.machine.handleTimeout(nowMs));
    clock.run(1000);
  }
  assert.equal(router.requests.length, 1);
});
