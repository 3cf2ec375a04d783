// Who is at work, on a path that is driven by hand: packets of a window go together, and what becomes of each is said.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AUTO_EVIDENCE_MS } from "../../src/base/limits.ts";
import { CongestionAuto } from "../../src/transport/congestion-auto.ts";
import { congestionControllers } from "../../src/transport/congestion-choice.ts";
import { RttEstimator } from "../../src/transport/rtt-estimator.ts";

const MSS = 1200;
const RTT_MS = 50;
/** Packets that go together. */
const FLIGHT = 20;

class HandPath {
  readonly auto = new CongestionAuto(MSS, congestionControllers.cubic);
  readonly rtt = new RttEstimator();
  nowMs = 0;
  private next = 0;

  /** One flight there and back. @param lost those of it that are lost, none unless told. @param waitedMs what the others have waited. */
  flight(lost: readonly number[] = [], { waitedMs = 0, persistent = false, appLimited = false } = {}): void {
    const { auto, rtt } = this;
    const first = this.next;
    for (let i = 0; i < FLIGHT; i++) {
      const sent = { bytesInFlight: (i + 1) * MSS, lowestRemembered: first };
      auto.onPacketSent(this.nowMs, this.next++, MSS, sent, false);
    }
    const sentAtMs = this.nowMs;
    this.nowMs += RTT_MS + waitedMs;
    rtt.sample(RTT_MS + waitedMs, 0);
    for (let i = 0; i < FLIGHT; i++) if (!lost.includes(i)) auto.onPacketAcked(this.nowMs, first + i, MSS);
    for (const i of lost) auto.onPacketLost(this.nowMs, first + i, MSS);
    if (lost.length > 0) auto.onLoss(this.nowMs, lost.length * MSS, sentAtMs, persistent);
    auto.onAck(this.nowMs, (FLIGHT - lost.length) * MSS, sentAtMs, rtt, appLimited, 0);
    this.nowMs++;
  }

  /** A flight with a loss, and some without. */
  cut(options: Parameters<HandPath["flight"]>[1] = {}): void {
    this.flight([9], options);
    for (let i = 0; i < 5; i++) this.flight([], { appLimited: options.appLimited ?? false });
  }
}

/** A path of which CUBIC's slow start is over. */
function started(): HandPath {
  const path = new HandPath();
  for (let i = 0; i < 5; i++) path.flight();
  path.cut();
  assert.equal(path.auto.name, "cubic", "the end of slow start counts for nothing");
  return path;
}

test("three cuts that no queue was behind are enough", () => {
  const path = started();
  for (let i = 0; i < 2; i++) path.cut();
  assert.equal(path.auto.name, "cubic");
  path.cut();
  assert.equal(path.auto.name, "bbr");
});

test("cuts behind a queue are no evidence, and weigh against what there was", () => {
  const path = started();
  for (let i = 0; i < 2; i++) path.cut();
  for (let i = 0; i < 10; i++) path.cut({ waitedMs: 30 });
  for (let i = 0; i < 2; i++) path.cut();
  assert.equal(path.auto.name, "cubic");
});

test("losses that were none are taken back, and a path that is cut, or had its last loss long ago, is judged anew", () => {
  const overtaken = started();
  for (let i = 0; i < 10; i++) {
    overtaken.cut();
    overtaken.auto.onSpuriousLoss();
  }
  assert.equal(overtaken.auto.name, "cubic");
  const broken = started();
  for (let i = 0; i < 10; i++) broken.cut({ persistent: i % 2 === 1 });
  assert.equal(broken.auto.name, "cubic");
  const rare = started();
  for (let i = 0; i < 10; i++) {
    rare.cut();
    rare.nowMs += AUTO_EVIDENCE_MS;
  }
  assert.equal(rare.auto.name, "cubic");
});

test("a flow that asks for little has no use for another controller", () => {
  const path = started();
  for (let i = 0; i < 10; i++) path.cut({ appLimited: true });
  assert.equal(path.auto.name, "cubic");
});
