// An idle connection outlives NATs with a short memory.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
import { FaultTransfer, faultTest } from "./faults-transfer.ts";

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
    assert.ok(firstByteMs <= (await tunnel.pace.allowedMs(500)), `first byte after ${Math.round(firstByteMs)} ms`);
    const later = [transfer.connected, transfer.exposed].flatMap(({ process }, i) =>
      process.events.slice(eventsBefore[i]),
    );
    assert.deepEqual(later, [], "the path changed while nothing was said");
  },
);
