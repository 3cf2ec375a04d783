// A path dies in the middle of a transfer: no stream is lost, and data flow again within three seconds, whatever the round trip,
// whichever side sends, and whichever direction is cut.

import assert from "node:assert/strict";
import { test } from "node:test";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import { World } from "../sim/world.ts";
import type { StreamRecord } from "./endpoint-machine.ts";
import { MultiPathWorld } from "./multi-path-world.ts";

const RTTS_MS = [1, 10, 30, 100, 200, 300];
const OUTAGE_MS_MAX = 3_000;
/** More than can be sent within the test. */
const ENDLESS = 400_000_000;

function worldOf(rttMs: number, seed = 1): MultiPathWorld {
  const world = new World({ seed });
  const link = { delayMs: rttMs / 2, rateMbps: 5, queueBytes: 60_000 };
  const made = new MultiPathWorld(world, { networks: [link], relay: { ...link, delayMs: rttMs / 2 + 5 } });
  made.a.checkEvery = 16;
  made.b.checkEvery = 16;
  return made.connect();
}

/** @returns how long it took until `record` had received more than by now. */
function untilMore(world: World, record: StreamRecord): number {
  // What was on its way when the path was cut still arrives.
  const startMs = world.nowMs;
  let last = record.received;
  let lastAtMs = startMs;
  let gapMs = 0;
  world.runUntil(() => {
    if (record.received > last) {
      gapMs = Math.max(gapMs, world.nowMs - lastAtMs);
      last = record.received;
      lastAtMs = world.nowMs;
    }
    return world.nowMs - startMs > 5_000;
  }, 60_000);
  return Math.max(gapMs, world.nowMs - lastAtMs);
}

for (const towards of ["a", "b", undefined] as const) {
  const what = towards === undefined ? "both directions are" : `the direction towards ${towards.toUpperCase()} is`;

  test(`an upload goes on within three seconds when ${what} cut`, () => {
    for (const rttMs of RTTS_MS) {
      const made = worldOf(rttMs);
      const record = made.upload(ENDLESS);
      made.world.runFor(2_000);
      assert.equal(made.connection.activePath?.via, "direct");
      made.cut(0, towards);
      const gapMs = untilMore(made.world, made.twin(record) ?? assert.fail());
      assert.ok(gapMs < OUTAGE_MS_MAX, `RTT ${rttMs} ms: nothing for ${gapMs} ms`);
    }
  });

  test(`a download goes on within three seconds when ${what} cut`, () => {
    for (const rttMs of RTTS_MS) {
      const made = worldOf(rttMs);
      made.b.onStream = (record, nowMs) => made.b.send(nowMs, record, ENDLESS);
      const record = made.upload(10);
      made.world.runFor(2_000);
      made.cut(0, towards);
      const gapMs = untilMore(made.world, record);
      assert.ok(gapMs < OUTAGE_MS_MAX, `RTT ${rttMs} ms: nothing for ${gapMs} ms`);
    }
  });

  test(`questions are answered again within three seconds when ${what} cut`, () => {
    for (const rttMs of RTTS_MS) {
      const made = worldOf(rttMs);
      made.b.onStream = (record, nowMs) => made.b.send(nowMs, record, 2_000);
      const ask = (): number => {
        const record = made.upload(500);
        return made.world.runUntil(() => record.ended, 20_000);
      };
      for (let i = 0; i < 20; i++) {
        ask();
        made.world.runFor(50);
      }
      made.cut(0, towards);
      const tookMs = ask();
      assert.ok(tookMs < OUTAGE_MS_MAX + rttMs, `RTT ${rttMs} ms: answered after ${tookMs} ms`);
      for (let i = 0; i < 5; i++) {
        const nextMs = ask();
        assert.ok(nextMs < OUTAGE_MS_MAX, `RTT ${rttMs} ms: and then after ${nextMs} ms`);
      }
    }
  });
}

test("the first byte after a long silence on a path that died meanwhile arrives within three seconds", () => {
  for (const rttMs of RTTS_MS) {
    const made = worldOf(rttMs);
    made.b.onStream = (record, nowMs) => made.b.send(nowMs, record, 2_000);
    made.world.runUntil(() => made.connection.activePath?.via === "direct", 5_000);
    made.world.runFor(10_000);
    made.cut(0);
    const record = made.upload(100);
    const tookMs = made.world.runUntil(() => record.ended, 20_000);
    assert.ok(tookMs < OUTAGE_MS_MAX + rttMs, `RTT ${rttMs} ms: answered after ${tookMs} ms`);
  }
});

test("data that were on their way over the relay when the direct path took over survive the relay's death", () => {
  const world = new World({ seed: 3 });
  const made = new MultiPathWorld(world, {
    networks: [{ delayMs: 5 }],
    relay: { delayMs: 150, rateMbps: 5, queueBytes: 400_000 },
  });
  made.connect();
  // Only the relay first: the direct path comes while the window is full of data for the relay.
  made.cut(0);
  const record = made.upload(8_000_000);
  made.world.runUntil(() => made.connection.paths.all.some((path) => path.state === "failed"), 30_000);
  assert.equal(made.connection.activePath?.via, "relay");
  assert.ok((made.connection.activePath?.bytesInFlight ?? 0) > 0);
  made.mend(0);
  made.probeAll();
  made.world.runUntil(() => made.connection.activePath?.via === "direct", 5_000);
  made.cut(1);
  const tookMs = made.world.runUntil(() => made.twin(record)?.ended === true, 20_000);
  assert.ok(tookMs < 6_000, `${tookMs} ms`);
});

test("a path that had failed is used again when a challenge has come back over it", () => {
  for (const rttMs of RTTS_MS) {
    const made = worldOf(rttMs);
    const record = made.upload(ENDLESS);
    made.world.runFor(1_000);
    made.cut(0);
    made.world.runUntil(() => made.connection.paths.all.some((path) => path.state === "failed"), 30_000);
    assert.equal(made.connection.activePath?.via, "relay");
    made.mend(0);
    made.probeAll();
    made.world.runUntil(() => made.connection.activePath?.via === "direct", 2_000);
    const gapMs = untilMore(made.world, made.twin(record) ?? assert.fail());
    assert.ok(gapMs < 1_000, `RTT ${rttMs} ms: nothing for ${gapMs} ms`);
    assert.equal(made.connection.activePath?.via, "direct", "and it stays there");
  }
});

test("the side that did not notice keeps its path, and the one that gave it up finds back by hearing from it", () => {
  const made = worldOf(30);
  made.world.runFor(10_000);
  made.cut(0);
  // Data would make their receiver notice as well.
  made.connection.ping();
  made.world.runUntil(() => made.connection.paths.all.some((path) => path.state === "failed"), 30_000);
  made.mend(0);
  assert.ok(made.accepted.paths.all.every((path) => path.state === "working"));
  // Nobody probes; B's keepalive on its own path is the only sign of life.
  made.world.runUntil(() => made.connection.activePath?.via === "direct", 40_000);
});

function transferOver(scenario: Scenario, lose: (made: MultiPathWorld) => void): void {
  const { random } = scenario;
  const link = () => ({
    delayMs: random.between(0, 80),
    jitterMs: random.between(0, 5),
    lossProbability: random.between(0, 0.05),
    rateMbps: random.between(5, 50),
    queueBytes: 100_000,
  });
  const made = new MultiPathWorld(scenario.world(), {
    networks: [link(), link()],
    ...(random.chance(0.5) ? { relay: link() } : {}),
  });
  made.connect(random.integer(0, made.lanes.length - 1));
  made.b.onStream = (record, nowMs) => made.b.send(nowMs, record, random.integer(0, 150_000));
  const records = Array.from({ length: 5 }, () => made.upload(random.integer(0, 300_000)));
  made.world.runFor(random.between(0, 800));
  lose(made);
  made.world.runUntil(() => records.every((record) => record.closed), 60_000);
  for (const record of records) {
    const twin = made.twin(record) ?? assert.fail();
    assert.ok(record.ended && twin.ended);
    assert.equal(twin.received, record.sent);
    assert.equal(record.received, twin.sent);
  }
  assert.equal(made.a.count("closed") + made.b.count("closed"), 0);
}

forSeeds(25, "any one path of two or three is killed in mid-transfer, and no stream is lost", (scenario) => {
  transferOver(scenario, (made) => made.cut(scenario.random.integer(0, made.lanes.length - 1)));
});

forSeeds(15, "one direction of any one path is killed in mid-transfer, and no stream is lost", (scenario) => {
  const { random } = scenario;
  transferOver(scenario, (made) => made.cut(random.integer(0, made.lanes.length - 1), random.pick(["a", "b"])));
});
