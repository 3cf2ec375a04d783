// Keys that are replaced all the time while packets are under way on several paths: none is used twice with one number, and none
// that is authentic is refused.

import assert from "node:assert/strict";
import { forSeeds } from "../sim/for-seeds.ts";
import { MultiPathWorld } from "./multi-path-world.ts";

forSeeds(
  12,
  "keys are replaced every few packets over paths of very different delay, and no packet is refused",
  (scenario) => {
    const { random } = scenario;
    const packets = random.pick([2, 10, 50]);
    const made = new MultiPathWorld(scenario.world(), {
      networks: [
        { delayMs: 1, rateMbps: 10, queueBytes: 100_000, reorderProbability: 0.05, reorderMs: 4 },
        { delayMs: random.between(50, 200), rateMbps: 10, queueBytes: 100_000 },
      ],
      settings: { keyUpdate: { firstPackets: packets, packets } },
    });
    made.connect(1);
    made.b.onStream = (record, nowMs) => made.b.send(nowMs, record, 400_000);
    const records = Array.from({ length: 3 }, () => made.upload(400_000));
    // Data move to and fro between the paths, so that packets of several keys are under way at once.
    for (let i = 0; i < 12; i++) {
      made.cut(i % 2 === 0 ? 0 : 1);
      made.world.runFor(random.between(100, 1_500));
      made.mend(i % 2 === 0 ? 0 : 1);
      made.probeAll();
      made.world.runFor(random.between(100, 700));
    }
    made.world.runUntil(() => records.every((record) => record.closed), 60_000);
    for (const machine of [made.a, made.b]) {
      // Each update makes one key to send with and one to receive with; the recorder has checked every number of each.
      assert.ok(machine.cipher.keys.length >= 4, `${machine.cipher.keys.length} keys`);
      assert.equal(machine.endpoint.dropped.notAuthentic, 0, "packets refused");
    }
  },
);
