// Routers that forget: a transfer goes on through a restarted NAT.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultTransfer, faultTest } from "./faults-transfer.ts";

faultTest(
  "the routers of both sides are restarted in mid-transfer, and it goes on",
  { A: "port-restricted", B: "port-restricted" },
  async ({ lab, tunnel }) => {
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 12, limitSeconds: 60 });
    const atMs = performance.now();
    await lab.faults.flushConntrack(lab.sites.A.router);
    await sleep(2000);
    await lab.faults.flushConntrack(lab.sites.B.router);
    await lab.faults.flushConntrack(lab.sites.A.router);
    const { pauseMs } = await transfer.assertWhole(atMs);
    assert.ok(pauseMs <= 3000, `nothing arrived for ${Math.round(pauseMs)} ms`);
    assert.equal(transfer.waysOf().at(-1), "direct");
  },
);

faultTest(
  "a restarted NAT gives the client another port in mid-transfer, and the path follows it",
  { A: "none", B: "symmetric" },
  async ({ lab, tunnel }) => {
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 10, limitSeconds: 60 });
    const atMs = performance.now();
    await lab.faults.flushConntrack(lab.sites.B.router);
    const { pauseMs } = await transfer.assertWhole(atMs);
    assert.ok(pauseMs <= 3000, `nothing arrived for ${Math.round(pauseMs)} ms`);
    assert.equal(transfer.waysOf().at(-1), "direct");
  },
);

faultTest(
  "a relayed transfer goes on when both hard NATs are restarted",
  { A: "symmetric", B: "symmetric" },
  async ({ lab, tunnel }) => {
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 10, limitSeconds: 60, via: "relay" });
    const atMs = performance.now();
    await lab.faults.flushConntrack(lab.sites.A.router);
    await lab.faults.flushConntrack(lab.sites.B.router);
    const { pauseMs } = await transfer.assertWhole(atMs);
    assert.ok(pauseMs <= 3000, `nothing arrived for ${Math.round(pauseMs)} ms`);
  },
);
