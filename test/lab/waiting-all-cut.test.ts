// Outages of everything, TCP included: connections outlive one that is shorter than --resume-timeout, and are reset by a longer one, which
// the agents themselves outlive.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
import { labTest, pathEvent } from "./lab-tunnel.ts";

const MB = 1_000_000;
const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;

labTest(
  "connections outlive an outage of 40 s with --resume-timeout 1m, and one beyond it resets them and no more",
  homeRouters,
  async (tunnel, context) => {
    const { lab } = tunnel;
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const args = ["--resume-timeout", "1m"];
    const exposed = await tunnel.expose(3000, { args });
    const { process, local } = await tunnel.connect(exposed.ticket, 3000, { args });
    await pathEvent(process, "direct", 10_000);
    await lab.faults.closeTcpPorts(4700);
    const order = { local, lengthBytes: 400 * MB, bytesPerSecond: MB, limitSeconds: 250 };
    const download = Download.start(lab, tunnel.clientHost, order);
    await download.waitForBytes(2 * MB, 10_000);

    const first = await lab.faults.cutAllUdp();
    await sleep(40_000);
    const before = download.bytes;
    const restoredMs = performance.now();
    await first.restore();
    await download.waitForBytes(before + MB, 20_000);
    context.diagnostic(`went on ${((performance.now() - restoredMs) / 1000).toFixed(1)} s after the end of the outage`);

    const cutMs = performance.now();
    const second = await lab.faults.cutAllUdp();
    const { code } = await download.ended;
    const seconds = (performance.now() - cutMs) / 1000;
    context.diagnostic(`reset ${seconds.toFixed(1)} s after the beginning of the outage (curl: ${code})`);
    // 56: failure in receiving network data.
    assert.equal(code, 56);
    assert.ok(seconds > 55 && seconds < 80, `reset after ${seconds} s`);
    await sleep(5_000);
    await second.restore();
    assert.ok(process.isRunning && exposed.process.isRunning);
    await Download.start(lab, tunnel.clientHost, { local, lengthBytes: 5 * MB, limitSeconds: 60 }).assertWhole();
  },
);
