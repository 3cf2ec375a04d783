// How often a receiver acknowledges: often enough for the sender's window, and no more.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ACK_ELICITING_THRESHOLD,
  ACK_ELICITING_THRESHOLD_MAX,
  ACKS_PER_ROUND_TRIP,
  GRANULARITY_MS,
} from "../../src/base/limits.ts";
import { AckFrequency } from "../../src/transport/ack-frequency.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { World } from "../sim/world.ts";
import { EndpointMachine } from "./endpoint-machine.ts";

/** One packet every `everyMs`, for `durationMs`. @returns the time of the last. */
function flow(frequency: AckFrequency, startMs: number, everyMs: number, durationMs: number, rttMs: number): number {
  let nowMs = startMs;
  for (; nowMs < startMs + durationMs; nowMs += everyMs) frequency.onPacket(nowMs, rttMs);
  return nowMs;
}

test("a flow of a few packets a round trip is acknowledged with every second, however long it lasts", () => {
  const frequency = new AckFrequency();
  flow(frequency, 0, 1, 2_000, 20);
  assert.equal(frequency.threshold, ACK_ELICITING_THRESHOLD);
});

test("a fast flow waits for more packets, and still has its acknowledgements in each round trip", () => {
  for (const perRoundTrip of [40, 64, 100, 128, 1_000]) {
    const frequency = new AckFrequency();
    flow(frequency, 0, 10 / perRoundTrip, 100, 10);
    const { threshold } = frequency;
    const expected = Math.min(ACK_ELICITING_THRESHOLD_MAX, Math.max(2, Math.floor(perRoundTrip / ACKS_PER_ROUND_TRIP)));
    assert.ok(Math.abs(threshold - expected) <= 1, `${threshold} at ${perRoundTrip} packets a round trip`);
    assert.ok(perRoundTrip / threshold >= ACKS_PER_ROUND_TRIP);
    assert.equal(frequency.delayMs, GRANULARITY_MS);
  }
});

test("after a silence, and where it becomes slow, a flow is acknowledged with every second packet again", () => {
  const frequency = new AckFrequency();
  let nowMs = flow(frequency, 0, 0.1, 100, 20);
  assert.equal(frequency.threshold, ACK_ELICITING_THRESHOLD_MAX);
  frequency.onPacket(nowMs + 500, 20);
  assert.equal(frequency.threshold, ACK_ELICITING_THRESHOLD);
  nowMs = flow(frequency, nowMs + 500, 0.1, 100, 20);
  assert.equal(frequency.threshold, ACK_ELICITING_THRESHOLD_MAX);
  flow(frequency, nowMs, 2, 50, 20);
  assert.equal(frequency.threshold, ACK_ELICITING_THRESHOLD);
});

test("a long round trip is no reason to wait where packets are far apart", () => {
  const frequency = new AckFrequency();
  flow(frequency, 0, 1.1, 2_000, 200);
  assert.equal(frequency.threshold, ACK_ELICITING_THRESHOLD);
});

test("no wait is shorter than a timer can be", () => {
  const frequency = new AckFrequency();
  flow(frequency, 0, 0.01, 10, 0.3);
  assert.equal(frequency.delayMs, GRANULARITY_MS);
});

test("a bulk transfer is as fast as its link with an acknowledgement for every six packets or more", () => {
  const world = new World({ seed: 1 });
  const random = new SeededRandom(1);
  const a = new EndpointMachine(random.fork("a"));
  const b = new EndpointMachine(random.fork("b"));
  const link = { delayMs: 5, rateMbps: 100, queueBytes: 250_000 };
  const hostA = world.addHost("A", { ip: "198.51.100.1", link });
  const hostB = world.addHost("B", { ip: "198.51.100.2", link });
  const datagrams = { a: 0, b: 0 };
  for (const [machine, name] of [
    [a, "a"],
    [b, "b"],
  ] as const) {
    const poll = machine.pollTransmit.bind(machine);
    machine.pollTransmit = (nowMs, out) => {
      const hasMore = poll(nowMs, out);
      if (hasMore) datagrams[name] += Math.ceil(out.lengthBytes / out.segmentBytes);
      return hasMore;
    };
  }
  hostA.run(a, (nowMs) => a.pump(nowMs));
  hostB.run(b, (nowMs) => b.pump(nowMs));
  const connection = hostA.input((nowMs) => a.connect(nowMs, b.identity, hostB.address));
  world.runUntil(() => connection.state === "connected", 100);
  hostA.input((nowMs) => a.send(nowMs, a.open(nowMs, connection), 16_000_000));
  const durationMs = world.runUntil(() => [...b.records.values()].some((record) => record.ended), 10_000);
  // 16 MB at 100 Mbit/s take 1280 ms on the wire without headers.
  assert.ok(durationMs < 1_500, `took ${durationMs} ms`);
  assert.ok(datagrams.b * 6 < datagrams.a, `${datagrams.b} datagrams back for ${datagrams.a}`);
});
