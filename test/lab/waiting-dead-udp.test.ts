// UDP dies in mid-transfer and is back later: the transfer goes over to TCP, and back to UDP.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
import type { LabEvent } from "./lab-process.ts";
import { labTest, pathEvent } from "./lab-tunnel.ts";

const MB = 1_000_000;
const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;

labTest(
  "a transfer goes on over TCP when UDP dies in its middle, and over UDP again when that is back",
  homeRouters,
  async (tunnel, context) => {
    const { lab } = tunnel;
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    await pathEvent(process, "direct", 10_000);
    // It lasts for a minute: UDP is asked again after up to half of one.
    const order = { local, lengthBytes: 300 * MB, bytesPerSecond: 5 * MB, limitSeconds: 120 };
    const download = Download.start(lab, tunnel.clientHost, order);
    await download.waitForBytes(10 * MB, 10_000);

    const eventsBefore = process.events.length;
    const cutMs = performance.now();
    const cut = await lab.faults.cutAllUdp();
    await process.waitForJson("path", 15_000, ({ fields }) => fields.over === "tcp", eventsBefore);
    // The source makes up for the pause at once; then it goes on at its pace.
    await sleep(5_000);
    await download.waitForBytes(download.bytes + 10 * MB, 15_000);
    const pauseMs = download.longestPauseMs(cutMs, performance.now());
    assert.ok(pauseMs <= 8_000, `nothing arrived for ${pauseMs} ms`);

    const eventsOver = process.events.length;
    const restoredMs = performance.now();
    await cut.restore();
    const isBack = ({ fields }: LabEvent): boolean => fields.via === "direct" && fields.over === undefined;
    const back = await process.waitForJson("path", 40_000, isBack, eventsOver);
    assert.ok(download.bytes < order.lengthBytes, "the transfer was still under way");
    const { endMs } = await download.assertWhole();
    const secondPauseMs = download.longestPauseMs(restoredMs, endMs);
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
    context.diagnostic(
      `paused for ${seconds(pauseMs)}, over UDP ${seconds(back.atMs - restoredMs)} after it was back, paused for ${seconds(secondPauseMs)}`,
    );
    for (const side of [exposed.process, process]) {
      const ways = side.events
        .filter(({ event }) => event === "path")
        .map(({ fields, atMs }) => `${seconds(atMs - cutMs)} ${fields.via} ${fields.over ?? "udp"}`);
      context.diagnostic(`${side.title}: ${ways.join(", ")}; UDP came back at ${seconds(restoredMs - cutMs)}`);
    }
    assert.ok(secondPauseMs <= 3_000, `nothing arrived for ${secondPauseMs} ms after UDP was back`);
  },
);
