// BBR's state machine on an ideal path: a bottleneck of some rate with a queue, worked out packet by packet.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RTT_SAMPLE_MAX_MS, WINDOW_BYTES_MAX } from "../../src/base/limits.ts";
import type { BbrState } from "../../src/transport/bbr-send-limits.ts";
import { CongestionBbr } from "../../src/transport/congestion-bbr.ts";
import { RttEstimator } from "../../src/transport/rtt-estimator.ts";

const MSS = 1200;

interface PacketUnderWay {
  readonly number: number;
  readonly isMarked: boolean;
  readonly ackAtMs: number;
}

/** A sender with endless data, paced, over a path that delivers `rate` bytes a millisecond, `rttMs` after a packet's turn. */
class IdealPath {
  readonly bbr = new CongestionBbr(MSS);
  readonly rtt = new RttEstimator();
  nowMs = 0;
  rate: number;
  rttMs: number;
  bytesInFlight = 0;
  lowestRemembered = 0;
  /** How long each state lasted, in ms, and what came after what. */
  readonly lasted = new Map<BbrState, number>();
  readonly order: BbrState[] = [];
  readonly windows: number[] = [];
  /** Packets that find more than this waiting are lost. */
  queueBytesMax = Number.POSITIVE_INFINITY;
  /** Packets that find more than this waiting are marked, of which the sender is told once a round trip. */
  markBytes = Number.POSITIVE_INFINITY;
  marks = 0;
  private answerFrom = 0;
  private next = 0;
  private tokens = 0;
  private freeAtMs = 0;
  private readonly underWay: PacketUnderWay[] = [];
  private readonly lost: PacketUnderWay[] = [];

  constructor(rateBytesPerMs: number, rttMs: number) {
    this.rate = rateBytesPerMs;
    this.rttMs = rttMs;
  }

  get queueMs(): number {
    return Math.max(0, this.freeAtMs - this.nowMs);
  }

  run(durationMs: number, hasData = true): void {
    for (const endMs = this.nowMs + durationMs; this.nowMs < endMs; this.nowMs += 0.25) {
      this.deliver();
      const { state } = this.bbr;
      this.lasted.set(state, (this.lasted.get(state) ?? 0) + 0.25);
      if (this.order.at(-1) !== state) this.order.push(state);
      this.tokens = Math.min(this.tokens + this.bbr.pacingBytesPerMs(this.rtt) * 0.25, 8 * MSS);
      while (hasData && this.tokens > 0 && this.bytesInFlight + MSS <= this.bbr.windowBytes) this.send();
    }
  }

  private send(): void {
    this.bytesInFlight += MSS;
    this.tokens -= MSS;
    this.bbr.onPacketSent(this.nowMs, this.next, MSS, this, false);
    const isLost = this.queueMs * this.rate > this.queueBytesMax;
    const isMarked = this.queueMs * this.rate > this.markBytes;
    if (!isLost) this.freeAtMs = Math.max(this.freeAtMs, this.nowMs) + MSS / this.rate;
    (isLost ? this.lost : this.underWay).push({ number: this.next, isMarked, ackAtMs: this.freeAtMs + this.rttMs });
    this.next++;
  }

  private deliver(): void {
    let acked = 0;
    let newest = 0;
    let isMarked = false;
    while (this.underWay[0] !== undefined && this.underWay[0].ackAtMs <= this.nowMs) {
      const packet = this.underWay.shift() as PacketUnderWay;
      this.bbr.onPacketAcked(this.nowMs, packet.number, MSS);
      newest = packet.number;
      if (packet.isMarked) isMarked = true;
      acked += MSS;
    }
    if (acked === 0) return;
    this.rtt.sample(this.rttMs + this.queueMs, 0);
    this.bytesInFlight -= acked;
    let lost = 0;
    while (this.lost[0] !== undefined && this.lost[0].number < newest - 3) {
      this.bytesInFlight -= MSS;
      lost += MSS;
      this.bbr.onPacketLost(this.nowMs, (this.lost.shift() as PacketUnderWay).number, MSS);
    }
    if (lost > 0) this.bbr.onLoss(this.nowMs, lost, this.nowMs, false);
    this.lowestRemembered = Math.min(this.underWay[0]?.number ?? this.next, this.lost[0]?.number ?? this.next);
    if (isMarked && newest >= this.answerFrom) {
      this.marks++;
      this.answerFrom = this.next;
      this.bbr.onCongestionExperienced(this.nowMs);
    }
    this.bbr.onAck(this.nowMs, acked, 0, this.rtt, false, this.bytesInFlight);
    this.windows.push(this.bbr.windowBytes);
  }
}

const near = (actual: number, expected: number, share: number, what: string): void =>
  assert.ok(Math.abs(actual - expected) <= share * expected, `${what}: ${actual}, expected about ${expected}`);

test("Startup doubles, Drain lets the queue go, and the model is the path's: its rate and its round trip", () => {
  const path = new IdealPath(1250, 40);
  path.run(1_500);
  assert.deepEqual(path.order.slice(0, 3), ["startup", "drain", "cruise"]);
  near(path.bbr.model.maxBytesPerMs, 1250, 0.05, "bandwidth");
  near(path.bbr.model.minRttMs, 41, 0.03, "round trip");
  assert.ok((path.lasted.get("startup") ?? 0) < 15 * 40, `${path.lasted.get("startup")} ms of Startup`);
  near(path.bbr.windowBytes, 2 * 1250 * 41, 0.4, "two bandwidth-delay products, and bunches");
});

test("ProbeBW goes round: down, cruise, refill, up, and again", () => {
  const path = new IdealPath(1250, 40);
  path.run(20_000);
  const cycle = path.order.slice(2).filter((state) => state !== "probe-rtt");
  const next: Partial<Record<BbrState, BbrState[]>> = {
    down: ["cruise", "refill"],
    cruise: ["refill", "down"],
    refill: ["up"],
    up: ["down"],
  };
  for (let i = 1; i < cycle.length; i++) {
    const [from, to] = [cycle[i - 1] as BbrState, cycle[i] as BbrState];
    assert.ok(from === to || next[from]?.includes(to), `${from} to ${to}`);
  }
  const probes = path.order.filter((state) => state === "up").length;
  assert.ok(probes >= 6 && probes <= 10, `${probes} probes in 20 s, one each 2 to 3 s`);
  assert.ok((path.lasted.get("cruise") ?? 0) > 10_000, "it cruises most of the time");
});

test("in the mean there is next to no queue, and the path is used", () => {
  const path = new IdealPath(1250, 40);
  path.run(3_000);
  const before = path.bbr.model.rate.deliveredBytes;
  let queueMs = 0;
  for (let i = 0; i < 1_000; i++) {
    path.run(10);
    queueMs += path.queueMs / 1_000;
  }
  assert.ok(queueMs < 6, `${queueMs} ms`);
  const used = (path.bbr.model.rate.deliveredBytes - before) / (1250 * 10_000);
  assert.ok(used > 0.95, `${used}`);
});

test("more bandwidth is found within two probes, less within two as well", () => {
  const path = new IdealPath(1250, 40);
  path.run(3_000);
  path.rate = 2500;
  path.run(8_000);
  near(path.bbr.model.maxBytesPerMs, 2500, 0.1, "twice the rate");
  path.rate = 600;
  path.run(15_000);
  near(path.bbr.model.maxBytesPerMs, 600, 0.2, "a quarter of that");
});

test("ProbeRTT comes when no short round trip was seen for five seconds, takes 200 ms, and finds a longer way", () => {
  const path = new IdealPath(1250, 40);
  path.run(3_000);
  path.rttMs = 80;
  path.run(20_000);
  near(path.bbr.model.minRttMs, 81, 0.1, "the new round trip");
  const times = path.order.filter((state) => state === "probe-rtt").length;
  assert.ok(times >= 1 && times <= 5, `${times} times`);
  const each = (path.lasted.get("probe-rtt") ?? 0) / times;
  assert.ok(each >= 200 && each < 500, `${each} ms each`);
});

test("a queue that overflows in Up sets the bound on what is in flight", () => {
  const path = new IdealPath(1250, 40);
  path.queueBytesMax = 0.3 * 1250 * 40;
  path.run(10_000);
  const { longTermInFlightBytes } = path.bbr.model;
  assert.ok(longTermInFlightBytes < 1.6 * 1250 * 41, `${longTermInFlightBytes}`);
  assert.ok(longTermInFlightBytes > 0.9 * 1250 * 41, `${longTermInFlightBytes}`);
  near(path.bbr.model.maxBytesPerMs, 1250, 0.1, "bandwidth");
});

test("a link that marks a queue is kept busy behind a queue that is hardly longer than what it marks", () => {
  const path = new IdealPath(1250, 40);
  path.markBytes = 5 * 1250;
  path.run(5_000);
  assert.ok(path.marks > 1 && path.marks < 30, `${path.marks} marks`);
  const before = path.bbr.model.rate.deliveredBytes;
  let [queueMs, mostMs] = [0, 0];
  for (let i = 0; i < 1_000; i++) {
    path.run(10);
    queueMs += path.queueMs / 1_000;
    mostMs = Math.max(mostMs, path.queueMs);
  }
  const used = (path.bbr.model.rate.deliveredBytes - before) / (1250 * 10_000);
  assert.ok(used > 0.94, `${used} used`);
  assert.ok(queueMs < 3 && mostMs < 20, `${queueMs} and ${mostMs} ms of queue`);
});

test("a mark in Cruise bounds what is in flight, by no less than fills the path, until the next probe", () => {
  const path = new IdealPath(1250, 40);
  const state = (): BbrState => path.bbr.state;
  path.run(3_000);
  while (state() !== "cruise") path.run(1);
  const before = path.bbr.windowBytes;
  path.bbr.onCongestionExperienced(path.nowMs);
  path.run(120);
  assert.equal(state(), "cruise");
  assert.ok(path.bbr.windowBytes < 0.75 * before, `${before} became ${path.bbr.windowBytes}`);
  for (let i = 0; i < 6 && state() === "cruise"; i++) {
    path.bbr.onCongestionExperienced(path.nowMs);
    path.run(45);
  }
  near(path.bbr.windowBytes, 1250 * 40, 0.1, "the window after many marks");
  while (state() !== "refill") path.run(1);
  path.run(80);
  assert.ok(path.bbr.windowBytes > 0.9 * before, `${path.bbr.windowBytes}`);
});

test("Startup ends with the second round trip that has a mark", () => {
  const path = new IdealPath(1250, 40);
  while (path.nowMs < 1_000 && path.bbr.state === "startup") {
    if (path.nowMs === 150 || path.nowMs === 200) path.bbr.onCongestionExperienced(path.nowMs);
    path.run(0.25);
  }
  assert.ok(path.nowMs > 199 && path.nowMs < 210, `${path.nowMs} ms`);
});

test("an application that has little to send does not make the path look slow", () => {
  const path = new IdealPath(1250, 40);
  path.run(3_000);
  const { bbr } = path;
  const before = bbr.model.maxBytesPerMs;
  path.run(500, false);
  for (let n = 100_000; n < 100_100; n++) {
    const nowMs = path.nowMs + (n - 100_000) * 100;
    bbr.onPacketSent(nowMs, n, MSS, { bytesInFlight: MSS, lowestRemembered: n }, true);
    bbr.onPacketAcked(nowMs + 41, n, MSS);
    bbr.onAck(nowMs + 41, MSS, nowMs, path.rtt, true, 0);
  }
  assert.equal(bbr.model.maxBytesPerMs, before);
});

test("losses that prove spurious are taken back", () => {
  const path = new IdealPath(1250, 40);
  path.run(3_000);
  const { bbr } = path;
  assert.equal(bbr.model.longTermInFlightBytes, Number.POSITIVE_INFINITY);
  for (let i = 0; i < 5_000 && bbr.state !== "up"; i++) path.run(1);
  path.run(20);
  const from = path.lowestRemembered;
  for (let n = from; n < from + 20; n++) bbr.onPacketLost(path.nowMs, n, MSS);
  assert.ok(bbr.model.longTermInFlightBytes < Number.POSITIVE_INFINITY);
  assert.equal(bbr.state, "down");
  bbr.onSpuriousLoss();
  assert.equal(bbr.model.longTermInFlightBytes, Number.POSITIVE_INFINITY);
  assert.equal(bbr.state, "up");
});

test("whatever happens, the window is a number between four packets and its bound, and a packet may go each round trip", () => {
  const action = fc.record({
    // A host may sleep for an hour at any time.
    afterMs: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 5_000 }) }, fc.constant(3_600_000)),
    count: fc.integer({ min: 1, max: 40 }),
    kind: fc.constantFrom(
      "send",
      "send",
      "send",
      "ack",
      "ack",
      "ack",
      "loss",
      "persistent",
      "spurious",
      "mark",
      "packet",
    ),
    appLimited: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      const bbr = new CongestionBbr(MSS);
      const rtt = new RttEstimator();
      const flight: { n: number; atMs: number }[] = [];
      let mss = MSS;
      let [nowMs, next] = [0, 0];
      const sent = (): { bytesInFlight: number; lowestRemembered: number } => ({
        bytesInFlight: flight.length * MSS,
        lowestRemembered: flight[0]?.n ?? next,
      });
      for (const { afterMs, count, kind, appLimited } of actions) {
        nowMs += afterMs;
        const some = kind === "send" ? [] : flight.splice(0, count);
        if (kind === "send") {
          for (let i = 0; i < count; i++) {
            flight.push({ n: next, atMs: nowMs });
            bbr.onPacketSent(nowMs, next++, MSS, sent(), appLimited);
          }
        } else if (kind === "ack" && some.length > 0) {
          for (const { n, atMs } of some) {
            if (nowMs - atMs <= RTT_SAMPLE_MAX_MS) rtt.sample(nowMs - atMs, 0);
            bbr.onPacketAcked(nowMs, n, MSS);
          }
          bbr.onAck(nowMs, some.length * MSS, 0, rtt, appLimited, flight.length * MSS);
        } else if (kind === "loss" || kind === "persistent") {
          for (const { n } of some) bbr.onPacketLost(nowMs, n, MSS);
          if (some.length > 0) bbr.onLoss(nowMs, some.length * MSS, 0, kind === "persistent");
        } else if (kind === "mark") {
          bbr.onCongestionExperienced(nowMs);
        } else if (kind === "spurious") {
          bbr.onSpuriousLoss();
        } else if (kind === "packet") {
          mss = 1200 + count;
          bbr.setPacketBytes(mss);
        }
        assert.ok(bbr.windowBytes >= 4 * mss && bbr.windowBytes <= WINDOW_BYTES_MAX, `window ${bbr.windowBytes}`);
        const rate = bbr.pacingBytesPerMs(rtt);
        assert.ok(rate >= mss / rtt.smoothedMs && rate < Number.POSITIVE_INFINITY, `rate ${rate}`);
      }
    }),
    { numRuns: 300 },
  );
});
