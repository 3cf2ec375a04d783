// Loss by packet number and by time, and thresholds that widen when a loss was none (RFC 9002 §6.1).

import assert from "node:assert/strict";
import { test } from "node:test";
import { PACKET_THRESHOLD_MAX } from "../../src/base/limits.ts";
import { LossDetection } from "../../src/transport/loss-detection.ts";
import { RttEstimator } from "../../src/transport/rtt-estimator.ts";
import { packetState, type SentPacket, SentPackets } from "../../src/transport/sent-packets.ts";

const RTT_MS = 100;

/** Ten packets, one a millisecond from 0 ms on, on a path of 100 ms. */
function flight(count = 10): { sent: SentPackets; loss: LossDetection; rtt: RttEstimator } {
  const sent = new SentPackets();
  for (let n = 0; n < count; n++) sent.commit(sent.prepare(n), 1200, true);
  const rtt = new RttEstimator();
  rtt.sample(RTT_MS, 0);
  return { sent, loss: new LossDetection(), rtt };
}

function acknowledge(sent: SentPackets, loss: LossDetection, ...numbers: number[]): void {
  for (const n of numbers) {
    sent.acknowledge(n, n, (packet) => sent.settle(packet, packetState.acked));
    loss.largestAcked = Math.max(loss.largestAcked, n);
  }
}

function lostAt(nowMs: number, { sent, loss, rtt }: ReturnType<typeof flight>): number[] {
  const lost: number[] = [];
  loss.detect(nowMs, sent, rtt, (packet) => lost.push(packet.packetNumber));
  return lost;
}

test("a packet is lost when one sent three later was acknowledged, not before", () => {
  const path = flight();
  acknowledge(path.sent, path.loss, 2);
  assert.deepEqual(lostAt(101, path), []);
  acknowledge(path.sent, path.loss, 4);
  assert.deepEqual(lostAt(102, path), [0, 1]);
  acknowledge(path.sent, path.loss, 5);
  assert.deepEqual(lostAt(103, path), [], "what was lost is not lost again");
});

test("a packet is lost 9/8 of a round trip after it was sent, if a later one was acknowledged", () => {
  const path = flight(3);
  acknowledge(path.sent, path.loss, 1);
  assert.deepEqual(lostAt(101, path), []);
  assert.equal(path.loss.lossAtMs, 112.5);
  assert.deepEqual(lostAt(112.4, path), []);
  assert.deepEqual(lostAt(112.5, path), [0]);
  assert.equal(path.loss.lossAtMs, Number.POSITIVE_INFINITY);
});

test("nothing is lost above the largest acknowledged packet, however old", () => {
  const path = flight();
  assert.deepEqual(lostAt(100_000, path), []);
  acknowledge(path.sent, path.loss, 0);
  assert.deepEqual(lostAt(100_000, path), []);
});

test("thresholds widen when a loss proves spurious, up to their bounds", () => {
  const path = flight(60);
  acknowledge(path.sent, path.loss, 8);
  assert.deepEqual(lostAt(101, path), [0, 1, 2, 3, 4, 5]);
  // Packet 0 was eight behind: from now on nine are waited for.
  path.loss.onSpurious(path.sent.get(0) as SentPacket, 101, path.rtt);
  acknowledge(path.sent, path.loss, 17);
  assert.deepEqual(lostAt(102, path), [6, 7]);
  acknowledge(path.sent, path.loss, 9 + PACKET_THRESHOLD_MAX - 1);
  path.loss.onSpurious(path.sent.get(1) as SentPacket, 1_000, path.rtt);
  assert.deepEqual(lostAt(103, path), []);
  acknowledge(path.sent, path.loss, 9 + PACKET_THRESHOLD_MAX);
  assert.deepEqual(lostAt(104, path), [9], "never more than the upper bound");
  // The time threshold is at most two round trips.
  assert.deepEqual(lostAt(10 + 2 * RTT_MS - 1, path), []);
  assert.deepEqual(lostAt(10 + 2 * RTT_MS, path), [10]);
});

test("a path that leads elsewhere starts with narrow thresholds again", () => {
  const path = flight(40);
  acknowledge(path.sent, path.loss, 15);
  lostAt(101, path);
  path.loss.onSpurious(path.sent.get(0) as SentPacket, 101, path.rtt);
  path.loss.reset();
  acknowledge(path.sent, path.loss, 22);
  assert.deepEqual(lostAt(102, path), [13, 14, 16, 17, 18, 19]);
});

test("a long flight is scanned once, not once an acknowledgement", () => {
  const count = 20_000;
  const path = flight(count);
  let gets = 0;
  const get = path.sent.get.bind(path.sent);
  path.sent.get = (n) => {
    gets++;
    return get(n);
  };
  // Every second packet is lost.
  for (let n = 1; n < count; n += 2) {
    acknowledge(path.sent, path.loss, n);
    path.loss.detect(0, path.sent, path.rtt, () => {});
  }
  assert.ok(gets < count * 4, `${gets} looks at ${count} packets`);
});
