// An agent that stands still for a minute in mid-transfer, as on a laptop that sleeps or a machine that is short of memory.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultTransfer, faultTest } from "./faults-transfer.ts";

/** @param side whose agent stands still. */
export function asleepTest(side: "client" | "service"): void {
  faultTest(
    `the ${side}'s agent stands still for a minute in mid-transfer, and the transfer goes on`,
    { A: "port-restricted", B: "port-restricted" },
    async (fault) => {
      const transfer = await FaultTransfer.begin(fault.tunnel, { seconds: 10, limitSeconds: 150 });
      const { process } = side === "client" ? transfer.connected : transfer.exposed;
      process.kill("SIGSTOP");
      await sleep(60_000);
      process.kill("SIGCONT");
      const awakeMs = performance.now();
      const { pauseMs } = await transfer.assertWhole(awakeMs);
      assert.ok(pauseMs <= 5000, `nothing arrived for ${(pauseMs / 1000).toFixed(1)} s after it went on`);
    },
  );
}
