// What a link loses by itself, as BBR takes it from packets that have waited less than others.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkLoss } from "../../src/transport/link-loss.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const PACKET_BYTES = 1_400;
const MIN_RTT_MS = 50;

interface Link {
  /** What the packets have waited in this round, in the mean and at the most. */
  readonly queueMs: (round: number) => number;
  /** By how much programs are late, at the most. */
  readonly noiseMs: number;
  /** Of packets that waited so long. */
  readonly lossProbability: (queueMs: number) => number;
}

/** Rounds of a hundred packets, whose queue changes little within one. */
function watch(loss: LinkLoss, link: Link, rounds: number, seed = 1): void {
  const random = new SeededRandom(seed);
  for (let round = 0; round < rounds; round++) {
    const rttMs: number[] = [];
    const lost: number[] = [];
    for (let i = 0; i < 100; i++) {
      const queueMs = link.queueMs(round + i / 100);
      if (random.chance(link.lossProbability(queueMs))) lost.push(i);
      else rttMs[i] = MIN_RTT_MS + queueMs + random.fraction() * link.noiseMs;
    }
    for (const ms of rttMs) if (ms !== undefined) loss.onAcked(ms, PACKET_BYTES);
    for (const i of lost) {
      const before = rttMs.slice(0, i).findLast((ms) => ms !== undefined) ?? 0;
      const behind = rttMs.slice(i).find((ms) => ms !== undefined) ?? 0;
      loss.onLost(Math.max(before, behind), PACKET_BYTES);
    }
    loss.endRound(MIN_RTT_MS);
  }
}

/** A queue that others fill within twenty rounds, and then let go. */
const sawtooth = (round: number): number => (round % 20) / 2;

test("what is lost whatever it has waited is the link's own, with programs that are late and without", () => {
  for (const noiseMs of [0, 0.5, 5, 20]) {
    const loss = new LinkLoss();
    assert.equal(loss.share, 0);
    watch(loss, { queueMs: sawtooth, noiseMs, lossProbability: () => 0.03 }, 100);
    assert.ok(Math.abs(loss.share - 0.03) < 0.012, `${noiseMs} ms: ${loss.share}`);
  }
});

test("what a full queue drops is not, though a program is late by a part of the queue", () => {
  for (const noiseMs of [0, 0.5, 3]) {
    const loss = new LinkLoss();
    watch(loss, { queueMs: sawtooth, noiseMs, lossProbability: (ms) => (ms > 9 ? 0.3 : 0) }, 200);
    assert.ok(loss.share < 0.002, `${noiseMs} ms: ${loss.share}`);
  }
});

test("of a queue that is always full nothing is taken for the link's own", () => {
  const loss = new LinkLoss();
  watch(loss, { queueMs: () => 10, noiseMs: 0.5, lossProbability: () => 0.03 }, 100);
  assert.equal(loss.share, 0);
});

test("where nobody ever waits all losses are the link's own; of one without neighbours nothing is known", () => {
  const loss = new LinkLoss();
  watch(loss, { queueMs: () => 0, noiseMs: 0, lossProbability: () => 0.03 }, 100);
  assert.ok(Math.abs(loss.share - 0.03) < 0.01, `${loss.share}`);
  assert.equal(loss.queueLosses, 0);
  assert.ok(loss.tellableShare > 0.99);
  const before = loss.ownLosses;
  loss.onLost(Number.POSITIVE_INFINITY, PACKET_BYTES);
  assert.deepEqual([loss.ownLosses, loss.queueLosses], [before, 0]);
});

test("a round before the path's least round trip is known divides nothing", () => {
  const loss = new LinkLoss();
  loss.onAcked(80, PACKET_BYTES);
  loss.endRound(Number.POSITIVE_INFINITY);
  loss.onLost(500, PACKET_BYTES);
  assert.deepEqual([loss.ownLosses, loss.queueLosses], [0, 0]);
});

test("it is forgotten when the link stops losing, and one early loss is no share", () => {
  const link = { queueMs: sawtooth, noiseMs: 0.5 };
  const early = new LinkLoss();
  early.onAcked(51, PACKET_BYTES);
  early.onAcked(50, PACKET_BYTES);
  early.endRound(MIN_RTT_MS);
  early.onLost(50, PACKET_BYTES);
  assert.ok(early.share > 0 && early.share < 0.01, `${early.share} after one of three packets`);
  const loss = new LinkLoss();
  watch(loss, { ...link, lossProbability: () => 0.05 }, 100);
  assert.ok(loss.share > 0.03, `${loss.share}`);
  watch(loss, { ...link, lossProbability: () => 0 }, 150);
  assert.ok(loss.share < 0.004, `${loss.share}`);
});
