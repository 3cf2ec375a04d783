// The controller that is used unless told, on simulated slow links: CUBIC where queues lose packets, BBR where the link does, and hands change when
// what a path is like does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CongestionAuto } from "../../src/transport/congestion-auto.ts";
import { congestionControllers } from "../../src/transport/congestion-choice.ts";
import type { CongestionControllerFactory } from "../../src/transport/congestion-controller.ts";
import type { RttEstimator } from "../../src/transport/rtt-estimator.ts";
import { type BottleneckSettings, runBottleneck } from "./bottleneck.ts";
import { plainCubic } from "./plain-cubic.ts";

const { cubic, bbr } = congestionControllers;

/** Tells who was at work when, and for how long BBR was. */
class Watched extends CongestionAuto {
  readonly changes: { readonly atMs: number; readonly name: string }[] = [];
  bbrMs = 0;
  private lastMs = 0;

  override onAck(
    nowMs: number,
    bytes: number,
    sentAtMs: number,
    rtt: RttEstimator,
    appLimited: boolean,
    flightBytes: number,
  ): void {
    if (this.name === "bbr") this.bbrMs += nowMs - this.lastMs;
    this.lastMs = nowMs;
    super.onAck(nowMs, bytes, sentAtMs, rtt, appLimited, flightBytes);
    if (this.name !== (this.changes.at(-1)?.name ?? "cubic")) this.changes.push({ atMs: nowMs, name: this.name });
  }

  get names(): string {
    return this.changes.map(({ name }) => name).join(" ");
  }
}

/** Makes controllers of flows, and remembers them in the order in which the flows start. */
function watching(): { readonly auto: CongestionControllerFactory; readonly watched: readonly Watched[] } {
  const watched: Watched[] = [];
  const auto: CongestionControllerFactory = (packetBytes) => {
    const one = new Watched(packetBytes, cubic);
    watched.push(one);
    return one;
  };
  return { auto, watched };
}

type Link = Omit<BottleneckSettings, "flows" | "warmUpMs" | "durationMs">;

/** One flow alone. */
function alone(link: Link, times: Pick<BottleneckSettings, "warmUpMs" | "durationMs">) {
  const { auto, watched } = watching();
  const figures = runBottleneck({ ...link, ...times, flows: [auto] });
  return { figures, watched: watched[0] as Watched };
}

const show = (value: unknown): string => JSON.stringify(value);

test("where the link itself loses packets it is BBR after some seconds, many times as fast as CUBIC, with programs that are late and without", () => {
  for (const [rateMbps, rttMs, lossProbability, bufferBdp, pauseMs] of [
    [10, 50, 0.01, 1, undefined],
    [10, 50, 0.03, 0.3, undefined],
    [10, 200, 0.01, 1, undefined],
    [100, 5, 0.03, 1, 2],
    [100, 50, 0.001, 1, undefined],
    [100, 50, 0.03, 1, 2],
  ] as const) {
    const link = { rateMbps, rttMs, lossProbability, bufferBdp, ...(pauseMs === undefined ? {} : { pauseMs }) };
    const times = { warmUpMs: 10_000 + 20 * rttMs, durationMs: 4_000 };
    const { figures, watched } = alone(link, times);
    assert.equal(watched.name, "bbr", show(link));
    const ofBbr = runBottleneck({ ...link, ...times, flows: [bbr] }).utilisation;
    const ofCubic = runBottleneck({ ...link, ...times, flows: [cubic] }).utilisation;
    const what = `${show(link)}: ${figures.utilisation.toFixed(2)}, ${ofBbr.toFixed(2)} and ${ofCubic.toFixed(2)}`;
    assert.ok(figures.utilisation >= 0.93 * ofBbr && figures.utilisation >= 2.5 * ofCubic, what);
  }
});

test("where queues alone lose packets it is CUBIC, to the packet", () => {
  for (const [rateMbps, rttMs, bufferBdp] of [
    [10, 20, 0.3],
    [10, 50, 4],
    [100, 5, 1],
    [100, 50, 0.3],
  ] as const) {
    const link = { rateMbps, rttMs, bufferBdp, lossProbability: 0 };
    const times = { warmUpMs: 4_000, durationMs: 8_000 };
    const { figures, watched } = alone(link, times);
    assert.equal(watched.names, "", show(link));
    assert.deepEqual(figures, runBottleneck({ ...link, ...times, flows: [cubic] }), show(link));
  }
});

test("beside others' CUBIC it is CUBIC but for a trial, though programs are late", () => {
  for (const [rateMbps, rttMs, bufferBdp, pauseMs] of [
    [10, 20, 1, 2],
    [100, 5, 0.3, 2],
  ] as const) {
    const { auto, watched } = watching();
    const link = { rateMbps, rttMs, bufferBdp, lossProbability: 0, pauseMs, staggerMs: 1_000 };
    const { fairness } = runBottleneck({
      ...link,
      flows: [auto, plainCubic, auto],
      warmUpMs: 4_000,
      durationMs: 10_000,
    });
    assert.ok(fairness >= 0.95, `${show(link)}: Jain's index ${fairness.toFixed(3)}`);
    for (const { bbrMs } of watched) assert.ok(bbrMs <= 3_000, `${show(link)}: ${bbrMs.toFixed(0)} ms with BBR`);
  }
});

test("beside one of others' CUBIC it is CUBIC nearly always, with late programs before a short buffer, and where a buffer holds a hundredth of the way", () => {
  for (const [rttMs, bufferBdp, pauseMs, seed] of [
    [5, 0.3, 2, 1],
    [5, 0.3, 2, 4],
    [50, 0.04, 1, 1],
    [100, 0.04, 1, 1],
  ] as const) {
    const { auto, watched } = watching();
    const link = { rateMbps: 100, rttMs, bufferBdp, lossProbability: 0, staggerMs: 1_000, pauseMs, seed };
    const { mbps } = runBottleneck({ ...link, flows: [auto, plainCubic], warmUpMs: 4_000, durationMs: 10_000 });
    const { bbrMs } = watched[0] as Watched;
    const [ours = 0, theirs = 0] = mbps;
    const what = `${show(link)}: ${ours.toFixed(1)} and ${theirs.toFixed(1)} Mbit/s, ${bbrMs.toFixed(0)} ms with BBR`;
    assert.ok(bbrMs <= 4_000 && theirs >= 0.4 * ours, what);
  }
});

test("a queue of a few packets in which three flows meet passes for none, but the trial ends soon and is seldom tried again", () => {
  const { auto, watched } = watching();
  const link = { rateMbps: 10, rttMs: 20, bufferBdp: 0.3, lossProbability: 0, staggerMs: 1_000 };
  const { mbps } = runBottleneck({
    ...link,
    flows: [auto, plainCubic, plainCubic],
    warmUpMs: 4_000,
    durationMs: 120_000,
  });
  const { changes, bbrMs } = watched[0] as Watched;
  const tries = changes.filter(({ name }) => name === "bbr").length;
  assert.ok(tries >= 1, "the case itself: there was a trial");
  assert.ok(tries <= 5 && bbrMs <= 0.05 * 120_000, `${tries} trials, ${(bbrMs / 1000).toFixed(1)} s in all`);
  assert.ok(Math.min(...mbps) >= 0.8 * Math.max(...mbps), mbps.map((n) => n.toFixed(2)).join(", "));
});

test("when the link has become well CUBIC is back within two reviews, and BBR again within seconds when it has become ill", () => {
  const ill = { rateMbps: 10, rttMs: 50, bufferBdp: 1, lossProbability: 0.02 };
  const becomesWell = { afterMs: 10_000, link: { lossProbability: 0 } };
  const { watched } = alone({ ...ill, change: becomesWell }, { warmUpMs: 75_000, durationMs: 1_000 });
  assert.equal(watched.names, "bbr cubic");
  const [, back] = watched.changes;
  assert.ok(back !== undefined && back.atMs > 30_000 && back.atMs < 71_000, show(watched.changes));
  const becomesIll = { afterMs: 10_000, link: { lossProbability: 0.02 } };
  const other = alone({ ...ill, lossProbability: 0, change: becomesIll }, { warmUpMs: 19_000, durationMs: 1_000 });
  assert.equal(other.watched.names, "bbr");
  const [first] = other.watched.changes;
  assert.ok(first !== undefined && first.atMs > 10_000, show(other.watched.changes));
});

test("packets that overtake one another, and a link that is cut for a while, are no reason", () => {
  const link = { rateMbps: 10, rttMs: 50, bufferBdp: 1, lossProbability: 0 };
  const times = { warmUpMs: 20_000, durationMs: 1_000 };
  const jumbled = alone({ ...link, link: { reorderProbability: 0.02, reorderMs: 10 } }, times);
  assert.equal(jumbled.watched.names, "");
  const cut = alone({ ...link, change: { afterMs: 8_000, link: { isCut: true } } }, times);
  assert.equal(cut.watched.names, "");
});
