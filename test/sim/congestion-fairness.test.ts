// How flows share a simulated slow link: two of ours, and one of ours beside CUBIC as others have it. Nothing here is a timing: the clock
// is virtual, and a run repeats exactly.

import assert from "node:assert/strict";
import { test } from "node:test";
import { congestionControllers } from "../../src/transport/congestion-choice.ts";
import type {
  CongestionController,
  CongestionControllerFactory,
  PacketsInFlight,
} from "../../src/transport/congestion-controller.ts";
import { CongestionCubic } from "../../src/transport/congestion-cubic.ts";
import type { RttEstimator } from "../../src/transport/rtt-estimator.ts";
import { runBottleneck } from "./bottleneck.ts";
import { plainCubic } from "./plain-cubic.ts";

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
    const what = `${names.join(" and ")} on ${JSON.stringify(link)}`;
    assert.ok(mean >= jainMin, `${what}: Jain's index ${indices.map((n) => n.toFixed(3)).join(", ")}`);
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
  const link = { rateMbps: 100, rttMs: 5, bufferBdp: 1, staggerMs: 100, warmUpMs: 4_000, durationMs: 6_000 };
  sharesFairly(["cubic", "burstyCubic"], 0.92, [link]);
  sharesFairly(["burstyCubic", "cubic"], 0.92, [link]);
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
