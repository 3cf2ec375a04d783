// The direct path: how soon it is there, and that the streams notice neither its coming nor its going.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
import { labTest, pathEvent, receivedBytes } from "./lab-tunnel.ts";

const MB = 1_000_000;
const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;

labTest(
  "100 MB arrive whole through two home routers, from the first moment on, and the direct path is there within 1 s",
  homeRouters,
  async (tunnel) => {
    const { lab } = tunnel;
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    const download = Download.start(lab, tunnel.clientHost, { local, lengthBytes: 100 * MB, limitSeconds: 60 });
    const contact = await process.waitForJson("path", 5000);
    const direct = await pathEvent(process, "direct", 5000);
    await pathEvent(exposed.process, "direct", 5000);
    const result = await download.assertWhole();

    assert.ok(result.firstByteMs <= (await tunnel.pace.allowedMs(300)), `first byte after ${result.firstByteMs} ms`);
    const tookMs = direct.atMs - contact.atMs;
    assert.ok(tookMs <= (await tunnel.pace.allowedMs(1000)), `direct ${tookMs} ms after first contact`);
    assert.match(String(direct.fields.remote), new RegExp(`^${lab.sites.A.router.address}:`));
  },
);

labTest(
  "a transfer that begins over the relay goes over to the direct path on its way, and the relay is left alone",
  homeRouters,
  async (tunnel) => {
    const { lab } = tunnel;
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    // The direct path takes so little time that only holding it back lets the first bytes come before it.
    const cut = await lab.faults.cutUdp(lab.sites.A.router, lab.sites.B.router);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    const order = { local, lengthBytes: 200 * MB, bytesPerSecond: 20 * MB, limitSeconds: 60 };
    const download = Download.start(lab, tunnel.clientHost, order);
    await download.waitForBytes(1 * MB, 5000);
    await cut.restore();

    const direct = await pathEvent(process, "direct", 10_000);
    await pathEvent(exposed.process, "direct", 1000);
    const bytesAtSwitch = download.bytesAt(direct.atMs);
    assert.ok(bytesAtSwitch >= 1 * MB && bytesAtSwitch < 200 * MB, `${bytesAtSwitch} bytes had arrived at the switch`);
    await download.waitForBytes(bytesAtSwitch + 10 * MB, 10_000);
    const relayedBefore = await receivedBytes(lab, lab.rendezvous);
    await download.assertWhole();
    const relayedBytes = (await receivedBytes(lab, lab.rendezvous)) - relayedBefore;
    assert.ok(relayedBytes < 1 * MB, `${relayedBytes} bytes still went over the relay`);
  },
);

labTest(
  "on the direct path the rendezvous may be killed in mid-transfer, and nothing changes",
  homeRouters,
  async (tunnel) => {
    const rendezvous = await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    await pathEvent(process, "direct", 5000);
    await pathEvent(exposed.process, "direct", 5000);
    const eventsBefore = [process, exposed.process].map((side) => side.events.length);

    const order = { local, lengthBytes: 200 * MB, bytesPerSecond: 25 * MB, limitSeconds: 60 };
    const download = Download.start(tunnel.lab, tunnel.clientHost, order);
    await download.waitForBytes(20 * MB, 10_000);
    const killedMs = performance.now();
    await rendezvous.stop("SIGKILL");
    const result = await download.assertWhole();

    const pauseMs = download.longestPauseMs(killedMs, result.endMs);
    assert.ok(pauseMs < (await tunnel.pace.allowedMs(500)), `nothing arrived for ${pauseMs} ms`);
    const later = [process, exposed.process].flatMap((side, i) => side.events.slice(eventsBefore[i]));
    assert.deepEqual(
      later.filter((event) => event.event === "path"),
      [],
    );
  },
);

labTest(
  "a direct path that dies in mid-transfer gives way to the relay within 3 s, and is taken again when it is back",
  homeRouters,
  async (tunnel) => {
    const { lab } = tunnel;
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    await pathEvent(process, "direct", 5000);

    const order = { local, lengthBytes: 200 * MB, bytesPerSecond: 20 * MB, limitSeconds: 90 };
    const download = Download.start(lab, tunnel.clientHost, order);
    await download.waitForBytes(20 * MB, 10_000);
    const eventsBefore = process.events.length;
    const cutMs = performance.now();
    const cut = await lab.faults.cutUdp(lab.sites.A.router, lab.sites.B.router);
    await pathEvent(process, "relay", 3500, eventsBefore);
    await sleep(3000);
    const restoredMs = performance.now();
    await cut.restore();
    const pauseMs = download.longestPauseMs(cutMs, restoredMs);
    assert.ok(pauseMs <= 3000, `nothing arrived for ${pauseMs} ms`);

    const relayedAt = process.events.length;
    await pathEvent(process, "direct", 90_000, relayedAt);
    await download.assertWhole();
  },
);
