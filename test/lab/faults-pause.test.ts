// Programs that are not there for a while in mid-transfer: an agent that stands still for a minute, as on a laptop that sleeps or a machine
// that is short of memory, and a rendezvous that is started anew.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultTransfer, faultTest } from "./faults-transfer.ts";

const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

for (const side of ["client", "service"] as const) {
  faultTest(
    `the ${side}'s agent stands still for a minute in mid-transfer, and the transfer goes on`,
    homeRouters,
    async (fault) => {
      const transfer = await FaultTransfer.begin(fault.tunnel, { seconds: 10, limitSeconds: 150 });
      const { process } = side === "client" ? transfer.connected : transfer.exposed;
      process.kill("SIGSTOP");
      await sleep(60_000);
      process.kill("SIGCONT");
      const awakeMs = performance.now();
      const { pauseMs } = await transfer.assertWhole(awakeMs);
      assert.ok(pauseMs <= 5000, `nothing arrived for ${seconds(pauseMs)} after it went on`);
    },
  );
}

faultTest(
  "the rendezvous is started anew in mid-transfer, and is there when the direct path is cut a moment later",
  homeRouters,
  async ({ lab, tunnel }) => {
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 25, limitSeconds: 120 });
    const atMs = performance.now();
    await transfer.rendezvous.stop("SIGKILL");
    await sleep(2000);
    await tunnel.startRendezvous({ alternate: true });
    await sleep(8000);
    const pauseBeforeMs = transfer.download.longestPauseMs(atMs, performance.now());
    assert.ok(pauseBeforeMs <= 500, `the direct path stood still for ${seconds(pauseBeforeMs)}`);
    const cutMs = performance.now();
    await lab.faults.cutUdp(lab.sites.A.router, lab.sites.B.router);
    await transfer.goesBy("relay", 10_000);
    const { pauseMs } = await transfer.assertWhole(cutMs);
    assert.ok(pauseMs <= 4000, `nothing arrived for ${seconds(pauseMs)}`);
  },
);
