// Both congestion controllers on simulated slow links: how much of the link they use, how long packets wait for it.
// Nothing here is a timing: the clock is virtual, and a run repeats exactly. Figures are held to those of congestion-record.ts,
// with some room for changes that only shift who meets which loss.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CongestionName, congestionControllers } from "../../src/transport/congestion-choice.ts";
import { runBottleneck } from "./bottleneck.ts";
import { measureCell } from "./congestion-grid.ts";
import { congestionRecord } from "./congestion-record.ts";
import { plainCubic } from "./plain-cubic.ts";

const { cubic, bbr } = congestionControllers;

/** Full packets of 1452 bytes carry 1400 or so of a stream in 1480 on the link: more than this of a link's rate is not to be had. */
const UTILISATION_MAX = 0.96;
/** What waited behind a lost packet when the count began is read, and counted, after it: part of a round trip's bytes. */
const READ_LATER_MAX = 0.01;

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
