// The weather of a link, one kind after the other, without devices and at times that the test chooses; and its orders.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkDirection } from "../../scripts/link/link-direction.ts";
import { type LinkSettings, PERFECT_LINK, readOrder, writeSettings } from "../../scripts/link/link-settings.ts";
import { PacketPool } from "../../scripts/link/packet-pool.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

interface Arrival {
  readonly number: number;
  readonly atMs: number;
}

interface Sending {
  readonly count: number;
  readonly intervalMs: number;
  readonly lengthBytes: number;
}

/** Sends numbered packets through a link. @returns what arrived, in order. */
function send(settings: Partial<LinkSettings>, { count, intervalMs, lengthBytes }: Sending, seed = 1) {
  const pool = new PacketPool();
  const random = new SeededRandom(seed);
  const direction = new LinkDirection(pool, () => random.fraction());
  direction.change(settings);
  const arrivals: Arrival[] = [];
  const arriveUntil = (endMs: number): void => {
    while (direction.nextArrivalMs <= endMs) {
      const atMs = direction.nextArrivalMs;
      const packet = direction.takeDue(atMs);
      assert.ok(packet !== undefined);
      assert.equal(packet.lengthBytes, lengthBytes);
      arrivals.push({ number: new DataView(packet.bytes.buffer, packet.bytes.byteOffset).getUint32(0), atMs });
      pool.give(packet);
    }
  };
  for (let number = 0; number < count; number++) {
    arriveUntil(number * intervalMs);
    const packet = pool.take();
    assert.ok(packet !== undefined);
    new DataView(packet.bytes.buffer, packet.bytes.byteOffset).setUint32(0, number);
    packet.lengthBytes = lengthBytes;
    direction.receive(number * intervalMs, packet);
  }
  arriveUntil(Number.MAX_VALUE);
  return { arrivals, numbers: arrivals.map(({ number }) => number), counters: direction.counters, direction };
}

const steady: Sending = { count: 10_000, intervalMs: 1, lengthBytes: 1000 };
const inOrder = Array.from({ length: steady.count }, (_, number) => number);

test("a perfect link delivers every packet at once and in order", () => {
  const { arrivals, numbers } = send({}, steady);
  assert.deepEqual(numbers, inOrder);
  assert.ok(arrivals.every(({ number, atMs }) => atMs - number < 0.001));
});

test("jitter delays each packet by up to so much, and lets none overtake", () => {
  const weather = { delayMs: 20, jitterMs: 10 };
  assert.deepEqual(send(weather, steady).numbers, inOrder);
  // Far enough apart that none has to wait for the one before it.
  const delaysMs = send(weather, { ...steady, intervalMs: 20 }).arrivals.map(({ number, atMs }) => atMs - 20 * number);
  assert.ok(Math.min(...delaysMs) >= 20 && Math.min(...delaysMs) < 20.5);
  assert.ok(Math.max(...delaysMs) > 29 && Math.max(...delaysMs) <= 30.1);
});

test("packets that come at the same time leave in their order", () => {
  const { numbers } = send({ delayMs: 5 }, { ...steady, intervalMs: 0 });
  assert.deepEqual(numbers, inOrder);
});

test("uniform loss loses its share, one by one", () => {
  const { counters, numbers } = send({ lossProbability: 0.1 }, steady);
  assert.ok(counters.lost > 900 && counters.lost < 1100, `${counters.lost} lost`);
  assert.equal(numbers.length + counters.lost, steady.count);
});

test("bursts lose packets in rows of the mean length that was set", () => {
  const burstLoss = { enterProbability: 0.01, leaveProbability: 0.1, lossProbability: 1 };
  const { numbers } = send({ burstLoss }, { ...steady, count: 50_000 });
  const gaps = numbers.flatMap((number, i) => {
    const before = i === 0 ? -1 : (numbers[i - 1] as number);
    return number - before > 1 ? [number - before - 1] : [];
  });
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  assert.ok(mean > 8 && mean < 12, `${mean} in a row`);
});

test("reordering holds packets back while those behind them overtake, and loses none", () => {
  const { numbers } = send({ reorderProbability: 0.05, reorderMs: 10 }, steady);
  assert.notDeepEqual(numbers, inOrder);
  assert.deepEqual(
    [...numbers].sort((a, b) => a - b),
    inOrder,
  );
  const overtaken = numbers.filter((number, i) => i > 0 && number < (numbers[i - 1] as number)).length;
  assert.ok(overtaken > 300 && overtaken < 600, `${overtaken} overtaken`);
});

test("duplicates are whole packets, as many as their share", () => {
  const { numbers, counters } = send({ duplicateProbability: 0.2 }, steady);
  assert.deepEqual([...new Set(numbers)], inOrder);
  assert.ok(numbers.length > 11_800 && numbers.length < 12_200, `${numbers.length} arrived`);
  assert.equal(counters.offered, steady.count);
  assert.equal(counters.delivered, numbers.length);
});

test("a rate spaces packets by the time that each takes to send, and what overflows the queue is dropped at its tail", () => {
  // 1000 bytes take 1 ms at 8 Mbit/s; two come each ms, and ten fit into the queue.
  const { arrivals, numbers, counters } = send(
    { rateMbps: 8, queueBytes: 10_000 },
    { count: 1000, intervalMs: 0.5, lengthBytes: 1000 },
  );
  for (const [i, { atMs }] of arrivals.entries()) assert.ok(Math.abs(atMs - (i + 1)) < 0.01, `${i} came at ${atMs} ms`);
  assert.deepEqual(numbers.slice(0, 15), inOrder.slice(0, 15));
  assert.equal(counters.noRoom, 1000 - numbers.length);
  assert.ok(numbers.length >= 508 && numbers.length <= 511, `${numbers.length} arrived`);
});

test("a queue's delays are told exactly: none where packets find it empty, the whole queue's where they find it full", () => {
  // 1000 bytes take 1 ms at 8 Mbit/s: each packet finds the queue as empty as the one before.
  const alone = send({ rateMbps: 8, queueBytes: 50_000 }, { count: 100, intervalMs: 1.25, lengthBytes: 1000 });
  assert.deepEqual(alone.direction.report().queue, { meanMs: 0, p95Ms: 0, mostMs: 0 });
  // 101 at once, one being sent and the others behind it: waits of 0, 1, ... 100 ms. A further one finds no room and does not count.
  const row = send({ rateMbps: 8, queueBytes: 101_000 }, { count: 102, intervalMs: 0, lengthBytes: 1000 });
  const { meanMs, p95Ms, mostMs } = row.direction.report().queue;
  assert.equal(row.counters.noRoom, 1);
  assert.ok(Math.abs(meanMs - 50) < 1e-9 && mostMs === 100, `mean ${meanMs} ms, most ${mostMs} ms`);
  assert.ok(p95Ms >= 95 && p95Ms < 97, `p95 ${p95Ms} ms`);
  row.direction.forget();
  assert.deepEqual(row.direction.report().queue, { meanMs: 0, p95Ms: 0, mostMs: 0 });
  assert.equal(row.counters.delivered, 0);
});

test("a packet longer than the MTU vanishes, and one of its length passes", () => {
  assert.equal(send({ mtuBytes: 1000 }, steady).numbers.length, steady.count);
  const { numbers, counters } = send({ mtuBytes: 999 }, steady);
  assert.deepEqual([numbers.length, counters.tooLong], [0, steady.count]);
});

test("a packet that could not be delivered in time is counted as late", () => {
  const pool = new PacketPool();
  const direction = new LinkDirection(pool, Math.random);
  direction.change({ delayMs: 10 });
  for (const receivedMs of [0, 5]) {
    const packet = pool.take();
    assert.ok(packet !== undefined);
    packet.lengthBytes = 100;
    direction.receive(receivedMs, packet);
  }
  assert.equal(direction.takeDue(9.9), undefined);
  assert.ok(direction.takeDue(10.5) !== undefined);
  assert.equal(direction.counters.late, 0);
  assert.ok(direction.takeDue(17) !== undefined);
  assert.deepEqual([direction.counters.late, direction.counters.latestMs], [1, 2]);
});

test("the pool of packets ends somewhere, and what is given back is handed out again", () => {
  const pool = new PacketPool();
  const taken = [];
  for (let packet = pool.take(); packet !== undefined; packet = pool.take()) taken.push(packet);
  assert.equal(taken.length, 65_536);
  assert.equal(new Set(taken).size, taken.length);
  pool.give(taken[7] as (typeof taken)[0]);
  assert.equal(pool.take(), taken[7]);
});

test("an order is read as it was written, Infinity and no bursts included", () => {
  const settings: LinkSettings = { ...PERFECT_LINK, rateMbps: 100, lossProbability: 0.25 };
  const line = JSON.stringify({ order: "change", way: "back", settings: writeSettings(settings) });
  assert.deepEqual(readOrder(line), { order: "change", way: "back", settings });
});

test("an order that makes no sense is refused with a sentence that names what is wrong", () => {
  const change = (settings: unknown) => readOrder(JSON.stringify({ order: "change", way: "both", settings }));
  assert.throws(() => change({ lossProbability: 1.1 }), /lossProbability is 1\.1/);
  assert.throws(() => change({ delayMs: -1 }), /delayMs is -1/);
  assert.throws(() => change({ rateMbps: 0 }), /rateMbps is 0/);
  assert.throws(() => change({ los: 1 }), /no setting los/);
  assert.throws(() => change({ burstLoss: { enterProbability: 1 } }), /burstLoss has to be/);
  assert.throws(() => readOrder('{"order":"change","way":"up","settings":{}}'), /way is "up"/);
  assert.throws(() => readOrder('{"order":"stop"}'), /order is "stop"/);
  assert.throws(() => readOrder("loss 3"), /JSON/);
});
