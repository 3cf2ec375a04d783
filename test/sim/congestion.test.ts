// Both congestion controllers on simulated slow links: how much of the link they use, how long packets wait for it, how flows share it.
// Nothing here is a timing: the clock is virtual, and a run repeats exactly. Figures are held to those of congestion-record.ts,
// with some room for changes that only shift who meets which loss.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CongestionName, congestionControllers } from "../../src/transport/congestion-choice.ts";
import type {
  CongestionController,
  CongestionControllerFactory,
  PacketsInFlight,
} from "../../src/transport/congestion-controller.ts";
import { CongestionCubic } from "../../src/transport/congestion-cubic.ts";
import type { RttEstimator } from "../../src/transport/rtt-estimator.ts";
import { runBottleneck } from "./bottleneck.ts";
import { measureCell } from "./congestion-grid.ts";
import { congestionRecord } from "./congestion-record.ts";

const { cubic, bbr } = congestionControllers;

/** Full packets of 1452 bytes carry 1400 or so of a stream in 1480 on the link: more than this of a link's rate is not to be had. */
const UTILISATION_MAX = 0.96;
/** What waited behind a lost packet when the count began is read, and counted, after it: part of a round trip's bytes. */
const READ_LATER_MAX = 0.01;

/** What everybody else's CUBIC does: RFC 9438, and nothing besides. */
const plainCubic: CongestionControllerFactory = (packetBytes) => new CongestionCubic(packetBytes);

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

for (const controller of ["cubic", "bbr"] as const satisfies CongestionName[]) {
  test(`${controller} uses each link as it was seen to, and makes no longer a queue`, () => {
    for (const record of congestionRecord) {
      const { rateMbps, rttMs, lossPercent, bufferBdp } = record.cell;
      const what = `${rateMbps} Mbit/s, ${rttMs} ms, ${lossPercent} % of loss, ${bufferBdp} BDP of buffer`;
      const expected = record[controller];
      const { utilisation, queueMs } = measureCell(record.cell, controller);
      assert.ok(utilisation <= UTILISATION_MAX + READ_LATER_MAX, `${what}: ${percent(utilisation)} cannot be`);
      const least = expected.utilisation * (lossPercent === 0 ? 0.97 : 0.85);
      assert.ok(utilisation >= least, `${what}: ${percent(utilisation)}, was ${percent(expected.utilisation)}`);
      const most = expected.queueMs * 1.25 + 0.03 * rttMs + 1;
      assert.ok(queueMs <= most, `${what}: a queue of ${queueMs.toFixed(1)} ms, was ${expected.queueMs} ms`);
    }
  });
}

test("the record itself is good enough: no link without loss is left idle, and with BBR none that loses 3 %", () => {
  for (const { cell, cubic: ofCubic, bbr: ofBbr } of congestionRecord) {
    const what = JSON.stringify(cell);
    assert.ok(ofBbr.utilisation >= 0.84, `bbr on ${what}`);
    if (cell.lossPercent === 0) assert.ok(ofCubic.utilisation >= 0.89, `cubic on ${what}`);
    // Two bandwidth-delay products of window leave one for the queue, and batches.
    assert.ok(ofBbr.queueMs <= cell.rttMs + 3, `bbr on ${what}`);
  }
});

test("bbr has nine tenths of what a link can carry that loses 1 or 3 %, whatever its buffer, long or short", () => {
  for (const [rateMbps, rttMs] of [
    [10, 50],
    [100, 5],
    [100, 50],
    [100, 200],
  ] as const) {
    for (const lossPercent of [1, 3]) {
      for (const bufferBdp of [0.3, 1]) {
        const shares = [1, 2].map(
          (seed) => measureCell({ rateMbps, rttMs, lossPercent, bufferBdp }, "bbr", seed).utilisation,
        );
        const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
        const possible = UTILISATION_MAX * (1 - lossPercent / 100);
        const what = `${rateMbps} Mbit/s, ${rttMs} ms, ${lossPercent} %, ${bufferBdp} BDP: ${shares.map(percent).join(", ")}`;
        assert.ok(mean >= 0.9 * possible, what);
      }
    }
  }
});

test("bbr has them as well where programs stand still every other moment, and with a queue that takes their bursts", () => {
  for (const [rateMbps, rttMs, pauseMs] of [
    [10, 5, 2],
    [100, 5, 1],
    [100, 5, 2],
    [100, 50, 2],
  ] as const) {
    const link = { rateMbps, rttMs, lossProbability: 0.03, bufferBdp: 1, warmUpMs: 1_000 + 17 * rttMs };
    const { utilisation } = runBottleneck({ ...link, pauseMs, flows: [bbr], durationMs: 4_000 });
    const what = `${rateMbps} Mbit/s, ${rttMs} ms, up to ${pauseMs} ms late: ${percent(utilisation)}`;
    assert.ok(utilisation >= 0.9 * UTILISATION_MAX * 0.97, what);
  }
});

test("cubic alone uses a link as others' CUBIC does, behind a shorter queue: half of it where the buffer is large", () => {
  for (const [rateMbps, rttMs, bufferBdp, queueShareMax] of [
    [10, 5, 1, 1.02],
    [10, 50, 1, 0.85],
    [10, 200, 1, 0.6],
    [100, 5, 1, 1],
    [100, 50, 0.3, 0.9],
    [100, 50, 1, 0.6],
    [100, 50, 4, 0.5],
  ] as const) {
    const link = { rateMbps, rttMs, bufferBdp, lossProbability: 0, warmUpMs: 10_000, durationMs: 20_000 };
    const ours = runBottleneck({ ...link, flows: [cubic] });
    const others = runBottleneck({ ...link, flows: [plainCubic] });
    const what = `${rateMbps} Mbit/s, ${rttMs} ms, ${bufferBdp} BDP`;
    const queues = `${ours.queueMs.toFixed(1)} and ${others.queueMs.toFixed(1)} ms`;
    assert.ok(ours.queueMs <= others.queueMs * queueShareMax, `${what}: queues of ${queues}`);
    const uses = `${percent(ours.utilisation)} and ${percent(others.utilisation)}`;
    assert.ok(ours.utilisation >= 0.99 * others.utilisation, `${what}: ${uses}`);
  }
});

interface Shared {
  readonly rttMs: number;
  readonly bufferBdp: number;
  readonly pauseMs?: number;
  readonly rateMbps?: number;
  readonly staggerMs?: number;
  readonly warmUpMs?: number;
  readonly durationMs?: number;
}

const links: readonly Shared[] = [
  { rttMs: 20, bufferBdp: 0.3 },
  { rttMs: 20, bufferBdp: 1 },
  { rttMs: 20, bufferBdp: 4 },
];

/** Who loses a packet when is a matter of chance, and with it who is ahead for the next seconds: the mean of some seeds is looked at. */
const SEEDS = [1, 2, 3];

/** What the kernel sends at a time where it segments late, and it takes a third of the window at the most. */
const BURST_PACKETS = 8;

/**
 * CUBIC as the kernel's TCP has it: not paced, and in bursts, of which a short queue takes only the beginning. Such a flow loses more often than
 * one that is paced.
 */
class BurstyCubic implements CongestionController {
  readonly name = "bursty cubic";
  private readonly packetBytes: number;
  private readonly cubic: CongestionCubic;
  private isOpen = true;

  constructor(packetBytes: number) {
    this.packetBytes = packetBytes;
    this.cubic = new CongestionCubic(packetBytes);
  }

  private get burstBytes(): number {
    return Math.min(BURST_PACKETS * this.packetBytes, this.cubic.windowBytes / 3);
  }

  get windowBytes(): number {
    return this.isOpen ? this.cubic.windowBytes : this.cubic.windowBytes - this.burstBytes;
  }

  pacingBytesPerMs(): number {
    return 1e7;
  }

  onPacketSent(_nowMs: number, _packetNumber: number, _bytes: number, { bytesInFlight }: PacketsInFlight): void {
    if (bytesInFlight + this.packetBytes > this.cubic.windowBytes) this.isOpen = false;
  }

  onPacketAcked(): void {}
  onPacketLost(): void {}

  onAck(
    nowMs: number,
    bytes: number,
    sentAtMs: number,
    rtt: RttEstimator,
    appLimited: boolean,
    bytesInFlight: number,
  ): void {
    this.cubic.onAck(nowMs, bytes, sentAtMs, rtt, appLimited);
    if (bytesInFlight <= this.cubic.windowBytes - this.burstBytes) this.isOpen = true;
  }

  onLoss(nowMs: number, bytes: number, sentAtMs: number, persistent: boolean): void {
    this.cubic.onLoss(nowMs, bytes, sentAtMs, persistent);
  }

  onCongestionExperienced(nowMs: number, sentAtMs: number): void {
    this.cubic.onCongestionExperienced(nowMs, sentAtMs);
  }

  onSpuriousLoss(): void {
    this.cubic.onSpuriousLoss();
  }

  setPacketBytes(bytes: number): void {
    this.cubic.setPacketBytes(bytes);
  }
}

const burstyCubic: CongestionControllerFactory = (packetBytes) => new BurstyCubic(packetBytes);

const controllers = { ...congestionControllers, plainCubic, burstyCubic };

type Contender = keyof typeof controllers;

function fairness(names: readonly Contender[], link: Shared, seed: number): number {
  return runBottleneck({
    rateMbps: 10,
    lossProbability: 0,
    staggerMs: 1_000,
    warmUpMs: 5_000,
    durationMs: 20_000,
    ...link,
    flows: names.map((name) => controllers[name]),
    seed,
  }).fairness;
}

function sharesFairly(names: readonly Contender[], jainMin: number, on: readonly Shared[] = links): void {
  for (const link of on) {
    const indices = SEEDS.map((seed) => fairness(names, link, seed));
    const mean = indices.reduce((sum, index) => sum + index, 0) / indices.length;
    assert.ok(mean >= jainMin, `${JSON.stringify(link)}: Jain's index ${indices.map((n) => n.toFixed(3)).join(", ")}`);
  }
}

test("two flows with CUBIC share a link fairly, in small buffers and in large ones", () => {
  sharesFairly(["cubic", "cubic"], 0.95);
});

test("of two flows with CUBIC the one that came a few round trips later has nearly as much after the second loss", () => {
  const link = { rateMbps: 40, rttMs: 50, bufferBdp: 1, warmUpMs: 7_000, durationMs: 6_000 };
  // Alone side by side growth makes up for the difference too, by half from one loss to the next: to 0.91 and 0.90.
  sharesFairly(["cubic", "cubic"], 0.935, [
    { ...link, staggerMs: 150 },
    { ...link, staggerMs: 200 },
  ]);
});

test("a flow with CUBIC and one of others' CUBIC share a link fairly, whoever comes first", () => {
  sharesFairly(["cubic", "plainCubic"], 0.85);
  sharesFairly(["plainCubic", "cubic"], 0.85);
});

test("a flow with CUBIC leaves the kernel's TCP its share where the queue is short and the kernel sends in bursts", () => {
  const link = {
    rateMbps: 100,
    rttMs: 5,
    bufferBdp: 1,
    lossProbability: 0,
    staggerMs: 100,
    warmUpMs: 4_000,
    durationMs: 6_000,
  };
  for (const names of [
    ["cubic", "burstyCubic"],
    ["burstyCubic", "cubic"],
  ] as const) {
    const indices = [1, 2, 3].map(
      (seed) => runBottleneck({ ...link, flows: names.map((name) => controllers[name]), seed }).fairness,
    );
    const mean = indices.reduce((sum, index) => sum + index, 0) / indices.length;
    assert.ok(mean >= 0.92, `${names.join(" and ")}: Jain's index ${indices.map((n) => n.toFixed(3)).join(", ")}`);
  }
});

test("two flows with BBR share a link fairly, in small buffers and in large ones", () => {
  sharesFairly(["bbr", "bbr"], 0.95);
});

test("a flow with BBR and one with CUBIC leave each other a good part", () => {
  sharesFairly(["bbr", "cubic"], 0.85);
});

test("a flow with BBR leaves one with CUBIC its part where both programs stand still every other moment", () => {
  sharesFairly(["bbr", "cubic"], 0.75, [{ rttMs: 20, bufferBdp: 0.3, pauseMs: 2 }]);
  sharesFairly(["bbr", "cubic"], 0.95, [{ rttMs: 20, bufferBdp: 1, pauseMs: 2 }]);
});

test("a megabyte takes no more packets than full ones of data, and one acknowledgement for two", () => {
  for (const congestion of [cubic, bbr]) {
    const { dataPackets, ackPackets, lost } = runBottleneck({
      rateMbps: 10,
      rttMs: 50,
      lossProbability: 0,
      bufferBdp: 4,
      flows: [congestion],
      warmUpMs: 4_000,
      durationMs: 10_000,
    });
    // What is lost is sent again, once.
    assert.ok(dataPackets * (1 - lost) <= 705, `${dataPackets} packets of data, ${percent(lost)} lost`);
    assert.ok(ackPackets <= 0.53 * dataPackets, `${ackPackets} packets back for ${dataPackets}`);
  }
});

test("a fast short path with a buffer of megabytes, as between two hosts whose processors are the bottleneck, is used in full behind a queue of milliseconds", () => {
  for (const [congestion, queueMsMax] of [
    [cubic, 5],
    [bbr, 5],
  ] as const) {
    const { utilisation, queue95Ms, lost } = runBottleneck({
      rateMbps: 600,
      rttMs: 0.3,
      lossProbability: 0,
      // 4 MiB, what we ask of the kernel for a socket: 56 ms of this rate.
      bufferBdp: (4 * 1024 * 1024) / (600 * 125 * 0.3),
      flows: [congestion],
      warmUpMs: 400,
      durationMs: 400,
    });
    assert.ok(utilisation > 0.94, percent(utilisation));
    assert.ok(queue95Ms <= queueMsMax, `${queue95Ms} ms`);
    assert.equal(lost, 0);
  }
});

test("a shell over 64 kbit/s and 600 ms echoes within a second or so while a file goes through, however large the buffer; with bbr within two", () => {
  for (const [congestion, bufferBdp, medianMsMax, lateMsMax] of [
    [cubic, 1, 1_100, 1_300],
    [cubic, 3.3, 1_100, 1_300],
    [cubic, 16, 1_100, 1_300],
    [bbr, 1, 1_300, 2_500],
    [bbr, 16, 1_900, 2_500],
  ] as const) {
    const { keystrokesMs, utilisation } = runBottleneck({
      rateMbps: 0.064,
      rttMs: 600,
      lossProbability: 0,
      bufferBdp,
      flows: [congestion],
      warmUpMs: 20_000,
      durationMs: 120_000,
      keystrokeMs: 1_000,
    });
    const sorted = [...keystrokesMs].sort((a, b) => a - b);
    const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] as number;
    const what = `${bufferBdp} BDP: p50 ${at(0.5).toFixed(0)} ms, p95 ${at(0.95).toFixed(0)} ms`;
    assert.ok(sorted.length >= 115, `${what}, ${sorted.length} echoes`);
    assert.ok(at(0.5) <= medianMsMax && at(0.95) <= lateMsMax, what);
    assert.ok(utilisation > 0.88, `${what}, ${percent(utilisation)}`);
  }
});
