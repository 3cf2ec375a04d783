// Which pairs of NATs meet directly: all where one side has a mapping that the other can aim at, or can be dialled.
// A small transfer proves each path; how long the direct one takes is held to the same second everywhere.

import assert from "node:assert/strict";
import { Download } from "./download.ts";
import { labTest, pathEvent } from "./lab-tunnel.ts";
import type { NatKind } from "./router-rules.ts";

const MB = 1_000_000;

const direct: readonly (readonly [NatKind, NatKind])[] = [
  ["none", "none"],
  ["none", "symmetric"],
  ["symmetric", "none"],
  ["carrier-grade-symmetric", "none"],
  ["full-cone", "symmetric"],
  ["symmetric", "address-restricted"],
  ["address-restricted", "port-restricted"],
  ["carrier-grade", "port-restricted"],
  ["carrier-grade", "carrier-grade"],
  ["bad-router", "port-restricted"],
];

for (const [A, B] of direct) {
  labTest(`${A} and ${B} meet directly within 1 s`, { A, B }, async (tunnel) => {
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    const contact = await process.waitForJson("path", 5000);
    const met = await pathEvent(process, "direct", 5000);
    await Download.start(tunnel.lab, tunnel.clientHost, { local, lengthBytes: 5 * MB, limitSeconds: 30 }).assertWhole();
    const tookMs = met.atMs - contact.atMs;
    assert.ok(tookMs <= (await tunnel.pace.allowedMs(1000)), `direct ${tookMs} ms after first contact`);
  });
}
