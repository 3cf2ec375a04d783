// A rendezvous that is started anew while a transfer goes directly, and needed a moment later.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultTransfer, faultTest } from "./faults-transfer.ts";

const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

faultTest(
  "the rendezvous is started anew in mid-transfer, and is there when the direct path is cut a moment later",
  homeRouters,
  async ({ lab, tunnel, context }) => {
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 25, limitSeconds: 120 });
    const atMs = performance.now();
    await transfer.rendezvous.stop("SIGKILL");
    await sleep(2000);
    await tunnel.startRendezvous({ alternate: true });
    await sleep(8000);
    const pauseBeforeMs = transfer.download.longestPauseMs(atMs, performance.now());
    assert.ok(
      pauseBeforeMs <= (await tunnel.pace.allowedMs(500)),
      `the direct path stood still for ${seconds(pauseBeforeMs)}`,
    );
    const cutMs = performance.now();
    await lab.faults.cutUdp(lab.sites.A.router, lab.sites.B.router);
    await transfer.goesBy("relay", 10_000);
    const { pauseMs } = await transfer.assertWhole(cutMs);
    context.diagnostic(`paused for ${seconds(pauseMs)}`);
    assert.ok(pauseMs <= 4000, `nothing arrived for ${seconds(pauseMs)}`);
  },
);
