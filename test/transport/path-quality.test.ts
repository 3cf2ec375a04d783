// How data fare on a path decides whether it is used.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PATH_DEMOTE_MS, PATH_QUALITY_PACKETS, PATH_QUALITY_WINDOW_MS } from "../../src/base/limits.ts";
import { PathQuality } from "../../src/transport/path-quality.ts";

/** One window with this share of losses. @returns whether the path is demoted at its end. */
function pass(quality: PathQuality, endMs: number, lossShare: number): boolean {
  const lost = Math.round(PATH_QUALITY_PACKETS * lossShare);
  for (let i = 0; i < lost; i++) quality.onLost();
  for (let i = lost; i < PATH_QUALITY_PACKETS; i++) quality.onAcked();
  return quality.review(endMs);
}

test("a path that loses a third of its packets is demoted after two windows, and tried again after half a minute", () => {
  const quality = new PathQuality(0);
  assert.equal(pass(quality, PATH_QUALITY_WINDOW_MS, 0.3), false);
  assert.equal(pass(quality, 2 * PATH_QUALITY_WINDOW_MS, 0.3), true);
  assert.equal(quality.review(2 * PATH_QUALITY_WINDOW_MS + PATH_DEMOTE_MS - 1), true);
  assert.equal(quality.review(2 * PATH_QUALITY_WINDOW_MS + PATH_DEMOTE_MS), false);
});

test("a path that disappoints again waits twice as long", () => {
  const quality = new PathQuality(0);
  let nowMs = 0;
  for (const waitMs of [PATH_DEMOTE_MS, 2 * PATH_DEMOTE_MS, 4 * PATH_DEMOTE_MS]) {
    for (let demoted = false; !demoted; ) {
      nowMs += PATH_QUALITY_WINDOW_MS;
      demoted = pass(quality, nowMs, 0.5);
    }
    assert.equal(quality.review(nowMs + waitMs - 1), true);
    nowMs += waitMs;
    assert.equal(quality.review(nowMs), false);
  }
});

test("one burst, the losses of ordinary congestion, and too few packets to tell change nothing", () => {
  const quality = new PathQuality(0);
  let nowMs = 0;
  for (const share of [0.5, 0, 0.5, 0.02, 0.1, 0.1, 0.1]) {
    nowMs += PATH_QUALITY_WINDOW_MS;
    assert.equal(pass(quality, nowMs, share), false);
  }
  for (let i = 0; i < PATH_QUALITY_PACKETS - 1; i++) quality.onLost();
  assert.equal(quality.review(nowMs + 10_000), false);
});
