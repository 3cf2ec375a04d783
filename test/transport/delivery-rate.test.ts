// The delivery rate, against figures worked out by hand: packets of 1000 bytes, times in ms, rates in bytes per ms.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DeliveryRate } from "../../src/transport/delivery-rate.ts";

const BYTES = 1000;

/** A sender that keeps the account of what is in flight. */
class Sender {
  readonly rate = new DeliveryRate();
  private next = 0;
  private inFlight = 0;

  send(nowMs: number, count: number): void {
    for (let i = 0; i < count; i++) {
      this.inFlight += BYTES;
      this.rate.onSent(nowMs, this.next++, BYTES, this.inFlight, 0);
    }
  }

  /** Acknowledges packets first … last with one frame. @returns the sample. */
  ack(nowMs: number, first: number, last = first, minRttMs = 0): DeliveryRate {
    this.rate.beginAck();
    for (let n = first; n <= last; n++) this.rate.onAcked(nowMs, n, BYTES);
    this.inFlight -= (last - first + 1) * BYTES;
    this.rate.endAck(minRttMs);
    return this.rate;
  }

  lose(packetNumber: number): void {
    this.inFlight -= BYTES;
    this.rate.onLost(packetNumber, BYTES);
  }
}

test("packets that are acknowledged as they were sent give the rate of both", () => {
  const sender = new Sender();
  for (let n = 0; n < 20; n++) sender.send(n * 2, 1);
  let rate = sender.rate;
  for (let n = 0; n < 20; n++) rate = sender.ack(100 + n * 2, n);
  // Packet 19 left at 38 with nothing delivered yet: 20 packets in 138 − 0 ms.
  assert.equal(rate.sampleDeliveredBytes, 20 * BYTES);
  assert.equal(rate.sampleBytesPerMs, (20 * BYTES) / 138);
});

test("in a steady flow the sample is the rate of the path", () => {
  const sender = new Sender();
  sender.send(0, 50);
  // The path delivers a packet each 2 ms, and each acknowledgement releases another one.
  let rate = sender.rate;
  for (let n = 0; n < 300; n++) {
    rate = sender.ack(100 + n * 2, n);
    sender.send(100 + n * 2, 1);
  }
  assert.ok(Math.abs(rate.sampleBytesPerMs - BYTES / 2) < 1e-6, `${rate.sampleBytesPerMs}`);
  assert.equal(rate.sampleRttMs, 100);
});

test("acknowledgements that come in a bunch do not make the path look faster", () => {
  const sender = new Sender();
  let acked = 0;
  let samples = 0;
  // A packet each 10 ms; what left 100 ms ago or more is acknowledged twice in 400 ms, one frame 300 ms behind the other.
  for (let nowMs = 0; nowMs < 8_000; nowMs += 10) {
    sender.send(nowMs, 1);
    const phase = nowMs % 400;
    if (nowMs < 400 || (phase !== 0 && phase !== 300)) continue;
    const last = (nowMs - 100) / 10;
    const rate = sender.ack(nowMs, acked, last);
    acked = last + 1;
    samples++;
    const fastest = BYTES / 10 + BYTES / 100;
    assert.ok(rate.sampleBytesPerMs <= fastest, `${rate.sampleBytesPerMs} at ${nowMs} ms`);
  }
  assert.equal(samples, 38);
});

test("an idle time is no part of any sample", () => {
  const sender = new Sender();
  sender.send(0, 4);
  sender.ack(20, 0, 3);
  sender.send(10_000, 4);
  assert.equal(sender.ack(10_020, 4, 7).sampleBytesPerMs, (4 * BYTES) / 20);
});

test("a time shorter than the least round trip measures nothing", () => {
  const sender = new Sender();
  sender.send(0, 2);
  assert.equal(sender.ack(20, 0, 1, 21).sampleBytesPerMs, 0);
  sender.send(20, 2);
  assert.equal(sender.ack(40, 2, 3, 20).sampleBytesPerMs, 100);
});

test("what is sent while the application has too little is marked until all of that is delivered", () => {
  const sender = new Sender();
  sender.send(0, 4);
  sender.rate.markAppLimited(4 * BYTES);
  sender.send(5, 2);
  assert.equal(sender.ack(20, 0, 3).sampleIsAppLimited, false);
  assert.equal(sender.rate.isAppLimited, true, "four packets delivered: not beyond the mark");
  assert.equal(sender.ack(25, 4).sampleIsAppLimited, true);
  assert.equal(sender.rate.isAppLimited, false);
  sender.send(26, 1);
  assert.equal(sender.ack(27, 5).sampleIsAppLimited, true, "sent under the mark");
  assert.equal(sender.ack(46, 6).sampleIsAppLimited, false);
});

test("a loss tells what was in flight when the lost packet left, and what was lost since", () => {
  const sender = new Sender();
  sender.send(0, 10);
  sender.ack(100, 0, 3);
  sender.lose(4);
  sender.lose(6);
  assert.equal(sender.rate.sampleInFlightBytes, 7 * BYTES);
  assert.equal(sender.rate.sampleLostBytes, 2 * BYTES);
  sender.send(101, 1);
  sender.lose(10);
  assert.equal(sender.rate.sampleLostBytes, BYTES, "it left after the others were lost");
});

test("a flight of thousands of packets is remembered whole", () => {
  const sender = new Sender();
  sender.send(0, 5000);
  assert.equal(sender.ack(50, 0).sampleInFlightBytes, BYTES);
  assert.equal(sender.ack(50, 4321).sampleInFlightBytes, 4322 * BYTES);
  assert.equal(sender.ack(50, 4999).sampleInFlightBytes, 5000 * BYTES);
});

test("rows are used again: a long transfer takes no more memory than its flight", () => {
  const rate = new DeliveryRate();
  for (let n = 0; n < 100_000; n++) {
    rate.onSent(n, n, BYTES, 10 * BYTES, Math.max(0, n - 10));
    if (n >= 10) rate.onAcked(n, n - 10, BYTES);
  }
  const rows = (rate as unknown as { rows: Float64Array }).rows;
  assert.ok(rows.length <= 16 * 7, `${rows.length}`);
  assert.equal(rate.deliveredBytes, (100_000 - 10) * BYTES);
});

test("the neighbours of a packet are the nearest that were acknowledged, one on either side, and of them the slower one counts", () => {
  const sender = new Sender();
  for (let n = 0; n < 30; n++) sender.send(n, 1);
  const missing = Number.POSITIVE_INFINITY;
  assert.equal(sender.rate.neighboursRttMs(15), missing, "none is there yet");
  sender.ack(60, 17);
  assert.equal(sender.rate.neighboursRttMs(15), missing, "and none before it");
  sender.ack(63, 13);
  assert.equal(sender.rate.neighboursRttMs(15), 50);
  sender.ack(70, 16);
  assert.equal(sender.rate.neighboursRttMs(15), 54, "the nearer one");
  assert.equal(sender.rate.neighboursRttMs(3), missing, "too far away");
  assert.equal(sender.rate.neighboursRttMs(29), missing);
});

test("a row that a packet without data has skipped is no neighbour's", () => {
  const rate = new DeliveryRate();
  const send = (n: number): void => rate.onSent(n, n, BYTES, BYTES, Math.max(0, n - 2));
  for (let n = 0; n < 16; n++) {
    send(n);
    rate.onAcked(n + 50, n, BYTES);
  }
  // 17 and 19 have numbers of packets that only acknowledged between them.
  for (const n of [16, 18, 20]) send(n);
  rate.onAcked(120, 20, BYTES);
  rate.onAcked(126, 16, BYTES);
  assert.equal(rate.neighboursRttMs(18), 110);
});
