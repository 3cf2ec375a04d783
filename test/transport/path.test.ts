// One path's recovery: samples, losses, undone losses, persistent congestion and probe timeouts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { socketAddress } from "../../src/base/address.ts";
import { INITIAL_RTT_MS, PTO_MAX_MS, STREAM_CARRIER_MIN, TIMER_MS } from "../../src/base/limits.ts";
import { ProtocolError } from "../../src/base/protocol-error.ts";
import { RouteTable } from "../../src/base/route.ts";
import { CongestionCubic } from "../../src/transport/congestion-cubic.ts";
import { Path } from "../../src/transport/path.ts";
import type { SentPacket } from "../../src/transport/sent-packets.ts";

const BYTES = 1200;
const settings = {
  datagramBytes: BYTES,
  datagramBytesMax: BYTES,
  congestion: (bytes: number) => new CongestionCubic(bytes),
  timerMs: TIMER_MS,
};
const route = new RouteTable().direct(socketAddress("192.0.2.1", 4000) ?? assert.fail());

class Recorder {
  readonly acked: number[] = [];
  readonly lost: number[] = [];

  onPacketAcked(packet: SentPacket): void {
    this.acked.push(packet.packetNumber);
  }

  onPacketLost(packet: SentPacket): void {
    this.lost.push(packet.packetNumber);
  }
}

interface Bench {
  readonly path: Path;
  readonly owner: Recorder;
}

function bench(): Bench {
  const owner = new Recorder();
  return { owner, path: new Path(1, route, 0, settings, owner) };
}

/** Sends a packet. @returns its number. */
function send(path: Path, nowMs: number, eliciting = true): number {
  const packet = path.sent.prepare(nowMs);
  path.onPacketSent(packet, nowMs, BYTES, eliciting);
  return packet.packetNumber;
}

/** Acknowledges ranges given as [largest, smallest] pairs from above. */
function ack(path: Path, nowMs: number, ...pairs: number[]): void {
  path.onAck(nowMs, 0, Float64Array.from(pairs), pairs.length / 2);
}

/** A path that has sent 0 to count − 1 at 0 ms and has a window of 100 packets and an RTT of 100 ms. */
function warm(): Bench {
  const made = bench();
  const first = send(made.path, 0);
  ack(made.path, 100, first, first);
  made.path.congestion.onAck(100, 90 * BYTES, 1, made.path.rtt, false, 0);
  assert.equal(made.path.windowBytes, 100 * BYTES);
  return made;
}

test("an acknowledgement of a packet that was never sent breaks the protocol", () => {
  const { path } = bench();
  send(path, 0);
  assert.throws(() => ack(path, 10, 1, 0), ProtocolError);
});

test("only a newly acknowledged, ack-eliciting largest packet is a sample", () => {
  const { path } = bench();
  const eliciting = send(path, 0);
  const ackOnly = send(path, 10, false);
  ack(path, 50, ackOnly, ackOnly);
  assert.equal(path.hasRtt, false);
  ack(path, 60, eliciting, eliciting);
  assert.equal(path.rttMs, 60);
  ack(path, 500, eliciting, eliciting);
  assert.equal(path.rttMs, 60, "the second acknowledgement of a packet is no news");
});

test("bytes in flight are freed once by acknowledgement, loss, and both", () => {
  const { path, owner } = bench();
  for (let i = 0; i < 6; i++) send(path, i);
  assert.equal(path.bytesInFlight, 6 * BYTES);
  ack(path, 100, 5, 4);
  assert.deepEqual(owner.lost, [0, 1, 2]);
  assert.equal(path.bytesInFlight, BYTES);
  ack(path, 101, 5, 0);
  assert.equal(path.bytesInFlight, 0);
  assert.deepEqual(owner.acked, [4, 5, 0, 1, 2, 3]);
});

test("one loss whose packet arrives after all takes the window's cut back", () => {
  const { path } = warm();
  const numbers = Array.from({ length: 5 }, () => send(path, 200));
  const [first = 0] = numbers;
  ack(path, 300, first + 4, first + 1);
  assert.ok(path.windowBytes < 100 * BYTES, "the first one was taken for lost");
  ack(path, 301, first, first);
  assert.ok(path.windowBytes >= 100 * BYTES, `${path.windowBytes / BYTES} packets`);
});

test("a cut is not taken back while one of its packets is still missing", () => {
  const { path } = warm();
  const [first = 0] = Array.from({ length: 8 }, () => send(path, 200));
  ack(path, 300, first + 7, first + 3);
  assert.ok(path.windowBytes < 100 * BYTES);
  ack(path, 301, first, first);
  ack(path, 302, first + 2, first + 2);
  assert.ok(path.windowBytes < 100 * BYTES, "packet 1 is really lost");
  ack(path, 303, first + 1, first + 1);
  assert.ok(path.windowBytes >= 100 * BYTES);
});

test("losses found later that belong to the same cut have to arrive as well", () => {
  const { path } = warm();
  const [first = 0] = Array.from({ length: 12 }, () => send(path, 200));
  ack(path, 300, first + 4, first + 1);
  ack(path, 305, first + 11, first + 8);
  assert.ok(path.lostPackets >= 3, `${path.lostPackets} lost`);
  ack(path, 306, first, first);
  assert.ok(path.windowBytes < 100 * BYTES, "the second batch is still missing");
  ack(path, 307, first + 7, first + 5);
  assert.ok(path.windowBytes >= 100 * BYTES);
});

test("a late packet of an older cut does not take back the newest", () => {
  const { path } = warm();
  const [old = 0] = Array.from({ length: 5 }, () => send(path, 200));
  ack(path, 300, old + 4, old + 1);
  const [young = 0] = Array.from({ length: 8 }, () => send(path, 310));
  ack(path, 410, young + 7, young + 4);
  const cut = path.windowBytes;
  assert.ok(path.lostPackets >= 2);
  ack(path, 411, old, old);
  assert.ok(path.windowBytes < cut + BYTES, "only its own packets count for a cut");
});

test("packets given up with the path are no evidence about its thresholds, and no cut is undone by them", () => {
  const { path, owner } = warm();
  const [first = 0] = Array.from({ length: 6 }, () => send(path, 200));
  path.restart(5_000, BYTES);
  assert.deepEqual(
    owner.lost,
    [0, 1, 2, 3, 4, 5].map((i) => first + i),
  );
  assert.equal(path.bytesInFlight, 0);
  const [next = 0] = Array.from({ length: 8 }, () => send(path, 5_000));
  // The old ones arrive after all, five seconds late; a fresh loss is still found after three packets.
  ack(path, 5_050, first + 5, first);
  ack(path, 5_060, next + 4, next + 1);
  assert.ok(owner.lost.includes(next), "the packet threshold is still three");
  assert.ok(path.windowBytes < 10 * BYTES, "the loss cut the window, and the old packets do not undo it");
});

test("what was handed to a probe is not handed over a second time when it is declared lost", () => {
  const { path, owner } = warm();
  const first = send(path, 200);
  path.forEachInFlight((packet) => {
    packet.requeued = true;
    return true;
  });
  const probe = send(path, 500);
  send(path, 500);
  const last = send(path, 500);
  ack(path, 600, last, probe);
  assert.equal(path.lostPackets, 1, "it counts as lost");
  assert.deepEqual(owner.lost, [], "but its data went with the probe already");
  assert.ok(owner.acked.includes(probe));
  assert.ok(first < probe);
});

test("persistent congestion: everything over three probe timeouts lost takes the window to two packets", () => {
  const { path } = warm();
  for (let i = 0; i < 40; i++) send(path, 200 + i * 50);
  const newest = send(path, 2_300);
  ack(path, 2_400, newest, newest);
  assert.equal(path.windowBytes, 2 * BYTES);
});

test("a long outage in which one packet came through is no persistent congestion", () => {
  const { path } = warm();
  const [first = 0] = Array.from({ length: 40 }, (_, i) => send(path, 200 + i * 50));
  ack(path, 1_300, first + 20, first + 20);
  const window = path.windowBytes;
  const newest = send(path, 2_300);
  ack(path, 2_400, newest, newest);
  assert.ok(path.windowBytes >= window * 0.48, "one more cut, and no collapse");
});

test("losses on both sides of a packet that arrived are no persistent congestion, however long they last", () => {
  const { path } = warm();
  const [first = 0] = Array.from({ length: 40 }, (_, i) => send(path, 200 + i * 50));
  const newest = send(path, 2_300);
  ack(path, 2_400, newest, newest, first + 20, first + 20);
  assert.ok(path.windowBytes > 2 * BYTES, `${path.windowBytes / BYTES} packets`);
});

test("losses before the first sample are no persistent congestion", () => {
  const { path } = bench();
  for (let i = 0; i < 10; i++) send(path, i * 1_000);
  const newest = send(path, 10_000);
  ack(path, 10_100, newest, newest);
  assert.ok(path.windowBytes > 2 * BYTES);
});

test("probe timeouts double from the RFC's first value up to their bound, and an acknowledgement resets them", () => {
  const { path } = bench();
  let atMs = 0;
  send(path, atMs);
  assert.equal(path.recoveryAtMs, INITIAL_RTT_MS + 2 * INITIAL_RTT_MS + 25);
  let last = 0;
  for (const waitMs of [1024, PTO_MAX_MS, PTO_MAX_MS, PTO_MAX_MS]) {
    atMs += waitMs;
    assert.equal(path.recoveryAtMs, atMs);
    assert.ok(path.onRecoveryTimeout(atMs));
    assert.ok(path.probesOwed > 0);
    last = send(path, atMs);
  }
  assert.ok(path.isSuspect);
  ack(path, atMs + 100, last, last);
  assert.equal(path.isSuspect, false);
  assert.equal(path.probesOwed, 0);
});

test("a path whose round trip is longer than the bound on probe timeouts is not probed before an answer can be there", () => {
  const { path } = bench();
  const first = send(path, 0);
  ack(path, 3_000, first, first);
  send(path, 4_000);
  assert.ok(path.recoveryAtMs >= 4_000 + 3_000, `probe at ${path.recoveryAtMs}`);
});

test("an answer that comes after a sleep of minutes is no round trip, and the path is still probed within seconds", () => {
  const { path } = warm();
  const before = path.rttMs;
  const asked = send(path, 1_000);
  ack(path, 200_000, asked, asked);
  assert.equal(path.rttMs, before);
  const again = send(path, 201_000);
  ack(path, 210_000, again, again);
  send(path, 211_000);
  assert.ok(path.recoveryAtMs <= 211_000 + 6_000, `probe at ${path.recoveryAtMs}`);
});

test("with nothing in flight no timer runs", () => {
  const { path } = bench();
  assert.equal(path.recoveryAtMs, Number.POSITIVE_INFINITY);
  const n = send(path, 0);
  ack(path, 10, n, n);
  assert.equal(path.recoveryAtMs, Number.POSITIVE_INFINITY);
  send(path, 20, false);
  assert.equal(path.recoveryAtMs, Number.POSITIVE_INFINITY, "acknowledgements alone are not waited for");
});

test("a peer that never acknowledges cannot make the record of what was sent grow without bound", () => {
  const { path } = bench();
  // A receiver's packets only acknowledge, but for a PING now and then that asks for an answer.
  for (let i = 0; i < 600_000; i++) send(path, i, i % 64 === 0);
  const remembered = path.sent.nextPacketNumber - path.sent.lowestRemembered;
  assert.ok(remembered <= 150_000, `${remembered} records`);
});

/** Sends `count` packets at once, with never a moment in which nothing waits, and has them acknowledged after 100 ms. */
function round(path: Path, nowMs: number, count: number): void {
  path.appLimited = false;
  let last = 0;
  for (let i = 0; i < count; i++) last = send(path, nowMs);
  ack(path, nowMs + 100, last, last - count + 1);
}

test("a window of which less than half is used does not grow, though there is always something to send", () => {
  const { path } = warm();
  for (let i = 0; i < 20; i++) round(path, 1_000 + i * 100, 40);
  assert.equal(path.windowBytes, 100 * BYTES);
});

test("a window that is used grows", () => {
  const { path } = warm();
  round(path, 1_000, 100);
  round(path, 1_100, 100);
  assert.ok(path.windowBytes >= 190 * BYTES, `${path.windowBytes}`);
});

/** Sends packets that bear ECT(0) where the path has them do so. */
function sendMarked(path: Path, nowMs: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const packet = path.sent.prepare(nowMs);
    packet.marked = path.marks(true);
    path.onPacketSent(packet, nowMs, BYTES, true);
  }
}

test("congestion that the peer tells of cuts the window once a round trip, and is no loss", () => {
  const { path, owner } = bench();
  const tell = (nowMs: number, largest: number, smallest: number, ect0: number, ce: number): void =>
    path.onAck(nowMs, 0, Float64Array.of(largest, smallest), 1, { ect0, ect1: 0, ce });
  sendMarked(path, 0, 8);
  tell(100, 3, 0, 4, 0);
  const before = path.windowBytes;
  tell(101, 5, 4, 5, 1);
  assert.ok(Math.abs(path.windowBytes - 0.7 * before) < 1, `${before} became ${path.windowBytes}`);
  const after = path.windowBytes;
  tell(102, 7, 6, 5, 3);
  assert.equal(path.windowBytes, after);
  assert.deepEqual(owner.lost, []);
  assert.equal(path.ecn.state, "capable");
});

test("packets that were lost for their mark do not cut the window", () => {
  const { path, owner } = bench();
  sendMarked(path, 0, 10);
  const before = path.windowBytes;
  sendMarked(path, 1, 4);
  ack(path, 100, 13, 10);
  assert.equal(owner.lost.length, 10);
  assert.equal(path.ecn.state, "failed");
  assert.ok(path.windowBytes >= before, `${before} became ${path.windowBytes}`);
  sendMarked(path, 101, 4);
  assert.equal(path.sent.get(path.sent.nextPacketNumber - 1)?.marked, false);
});

test("over a stream nothing is marked", () => {
  const stream = new RouteTable().direct(socketAddress("192.0.2.1", 4000) ?? assert.fail(), STREAM_CARRIER_MIN);
  const path = new Path(1, stream, 0, settings, new Recorder());
  assert.equal(path.marks(true), false);
});
