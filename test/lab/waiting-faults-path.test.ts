// Direct paths that go bad in mid-transfer, with a relay beside them that is as good as ever: cut, one-way, lossy, or narrower than they were.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultTransfer, faultTest } from "./faults-transfer.ts";
import { skipsWithoutLink, UserspaceLink } from "./userspace-link.ts";

const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

faultTest(
  "all UDP of the client's network is cut for 10 s in mid-transfer, and the transfer goes on when it is back",
  homeRouters,
  async ({ lab, tunnel }) => {
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 10, limitSeconds: 90 });
    const { A, B } = lab.sites;
    const cuts = [await lab.faults.cutUdp(B.router, A.router), await lab.faults.cutUdp(B.router, lab.rendezvous)];
    await sleep(10_000);
    for (const cut of cuts) await cut.restore();
    const restoredMs = performance.now();
    const { pauseMs } = await transfer.assertWhole(restoredMs);
    assert.ok(pauseMs <= 5000, `nothing arrived for ${seconds(pauseMs)} after UDP was back`);
  },
);

for (const [way, what] of [
  ["there", "the service's packets no longer reach the client"],
  ["back", "the client's packets no longer reach the service"],
] as const) {
  faultTest(`${what} on the direct path, and whoever sent them takes the relay`, homeRouters, async (fault) => {
    const { lab, tunnel, context } = fault;
    if (skipsWithoutLink(context)) return;
    const { A, B } = lab.sites;
    const link = await UserspaceLink.between(lab, A.outerRouter, B.outerRouter, { delayMs: 5 });
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 12, limitSeconds: 90 });
    const atMs = performance.now();
    await link.change({ lossProbability: 1 }, way);
    // The other one's own packets arrive as before, so nothing forces it.
    await transfer.goesBy("relay", 10_000, way === "there" ? transfer.exposed : transfer.connected);
    const { pauseMs } = await transfer.assertWhole(atMs);
    assert.ok(pauseMs <= 4000, `nothing arrived for ${seconds(pauseMs)}`);
  });
}

faultTest(
  "30 % of the packets are lost on the direct path, and the transfer keeps its pace",
  homeRouters,
  async (fault) => {
    const { lab, tunnel, context } = fault;
    if (skipsWithoutLink(context)) return;
    const { A, B } = lab.sites;
    const link = await UserspaceLink.between(lab, A.outerRouter, B.outerRouter, { delayMs: 10 });
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 20, limitSeconds: 120 });
    const atMs = performance.now();
    await link.change({ lossProbability: 0.3 });
    const { result, pauseMs } = await transfer.assertWhole(atMs);
    const lateMs = result.endMs - transfer.download.startMs - 20_000;
    assert.ok(
      lateMs <= 10_000,
      `20 s of data arrived ${seconds(lateMs)} late (ways ${transfer.waysOf().join()}, pause ${seconds(pauseMs)})`,
    );
  },
);

faultTest(
  "the direct path carries no more than 1280 bytes from mid-transfer on and tells nobody, and the transfer goes on",
  homeRouters,
  async ({ lab, tunnel, context }) => {
    if (skipsWithoutLink(context)) return;
    const { A, B } = lab.sites;
    const link = await UserspaceLink.between(lab, A.outerRouter, B.outerRouter, { delayMs: 5 });
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 15, limitSeconds: 90 });
    // Time to find out that longer packets fit.
    await sleep(2000);
    const atMs = performance.now();
    await link.change({ mtuBytes: 1280 });
    const { pauseMs } = await transfer.assertWhole(atMs);
    const { there } = await link.report();
    assert.ok(there.tooLong > 0, "no packet was ever too long for the link");
    assert.ok(pauseMs <= 4000, `nothing arrived for ${seconds(pauseMs)}`);
    assert.equal(transfer.waysOf().at(-1), "direct");
  },
);
