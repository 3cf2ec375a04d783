// Routers that forget: a transfer goes on through a restarted NAT, and an idle connection outlives a NAT with a short memory.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
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

faultTest(
  "behind routers that forget a flow after 20 s an idle connection stays direct, and answers at once after a minute",
  { A: "port-restricted", B: "port-restricted" },
  async ({ lab, tunnel }) => {
    for (const { router } of [lab.sites.A, lab.sites.B]) {
      await lab.faults.setConntrackTimeouts(router, { unansweredSeconds: 20, answeredSeconds: 20 });
    }
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 3, limitSeconds: 30 });
    await transfer.assertWhole(performance.now());
    const eventsBefore = [transfer.connected, transfer.exposed].map(({ process }) => process.events.length);
    await sleep(60_000);
    const order = { local: transfer.connected.local, lengthBytes: 5_000_000, limitSeconds: 30 };
    const { firstByteMs } = await Download.start(lab, tunnel.clientHost, order).assertWhole();
    assert.ok(firstByteMs <= 500, `first byte after ${Math.round(firstByteMs)} ms`);
    const later = [transfer.connected, transfer.exposed].flatMap(({ process }, i) =>
      process.events.slice(eventsBefore[i]),
    );
    assert.deepEqual(later, [], "the path changed while nothing was said");
  },
);
