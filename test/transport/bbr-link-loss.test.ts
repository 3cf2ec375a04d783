// What a link loses by itself, as BBR takes it from rounds without a queue.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BbrLinkLoss } from "../../src/transport/bbr-link-loss.ts";

/** A round of a megabyte in which the longest round trip was this, on a path of 50 ms. */
function round(loss: BbrLinkLoss, rttMs: number, lostBytes: number): void {
  loss.onAck(50, 50);
  loss.onAck(rttMs, 50);
  loss.endRound(1_000_000 - lostBytes, lostBytes);
}

test("what is lost in rounds without a queue is the link's own", () => {
  const loss = new BbrLinkLoss();
  assert.equal(loss.share, 0);
  for (let i = 0; i < 4; i++) round(loss, 51, 30_000);
  assert.ok(Math.abs(loss.share - 0.03) < 1e-9, `${loss.share}`);
});

test("losses with a queue, and in the round behind one, are not", () => {
  const loss = new BbrLinkLoss();
  for (let i = 0; i < 6; i++) round(loss, i % 2 === 0 ? 60 : 50, 30_000);
  assert.equal(loss.share, 0);
});

test("it is forgotten when the link stops losing, and one early loss is no share", () => {
  const loss = new BbrLinkLoss();
  loss.onAck(50, 50);
  loss.endRound(0, 0);
  round(loss, 50, 0);
  loss.onAck(50, 50);
  loss.endRound(1_000, 1_000);
  assert.ok(loss.share < 0.01, `${loss.share} after one of two packets`);
  for (let i = 0; i < 4; i++) round(loss, 50, 50_000);
  assert.ok(loss.share > 0.04, `${loss.share}`);
  for (let i = 0; i < 8; i++) round(loss, 50, 0);
  assert.ok(loss.share < 0.002, `${loss.share}`);
});
