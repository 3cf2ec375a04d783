// Networks that let no UDP through: the tunnel works over TCP, over WebSocket and through an HTTP proxy, and finds a direct path over TCP
// where routers let it.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { RENDEZVOUS_UDP_PATIENCE_MS } from "../../src/base/limits.ts";
import { Download } from "./download.ts";
import type { LabProcess } from "./lab-process.ts";
import { type LabTunnel, labTest, pathEvent, type StartOptions } from "./lab-tunnel.ts";
import { rendezvousAddresses } from "./topology.ts";

const MB = 1_000_000;
const blocked = { A: "udp-blocked", B: "udp-blocked" } as const;

/** Exposes, connects and downloads with UDP dead from the start. @returns what `connect` runs in. */
async function downloadWithoutUdp(tunnel: LabTunnel, options: StartOptions = {}): Promise<LabProcess> {
  await tunnel.serveFiles(3000);
  const exposed = await tunnel.expose(3000, options);
  const { process, local } = await tunnel.connect(exposed.ticket, 3000, options);
  // From here on UDP is known to be dead.
  await pathEvent(process, "relay", RENDEZVOUS_UDP_PATIENCE_MS + 5_000);
  const order = { local, lengthBytes: 20 * MB, limitSeconds: 30 };
  const { firstByteMs } = await Download.start(tunnel.lab, tunnel.clientHost, order).assertWhole();
  assert.ok(firstByteMs <= (await tunnel.pace.allowedMs(300)), `first byte after ${firstByteMs} ms`);
  return process;
}

const oversOf = (process: LabProcess): unknown[] => [
  ...new Set(process.events.filter((event) => event.event === "path").map((event) => event.fields.over)),
];

labTest("without UDP the tunnel works over TCP, on the rendezvous's own port", blocked, async (tunnel) => {
  await tunnel.startRendezvous();
  assert.deepEqual(oversOf(await downloadWithoutUdp(tunnel)), ["tcp"]);
});

labTest("where TCP gets to the port of HTTPS alone the tunnel works over WebSocket", blocked, async (tunnel) => {
  await tunnel.startRendezvous({ args: ["--websocket", "443"] });
  await tunnel.lab.faults.closeTcpPorts(4700);
  assert.ok(oversOf(await downloadWithoutUdp(tunnel)).includes("websocket"));
});

labTest("where nothing gets out but an HTTP proxy the tunnel works through it", blocked, async (tunnel) => {
  const { lab } = tunnel;
  await tunnel.startRendezvous({ args: ["--websocket", "443"] });
  await lab.faults.closeTcpPorts(4700, 443);
  const script = fileURLToPath(new URL("./http-proxy.js", import.meta.url));
  const proxy = lab.spawn(lab.rendezvous, [process.execPath, script, "3128", "user:pass word"]);
  await proxy.waitForJson("ready", 5_000);
  await downloadWithoutUdp(tunnel, { env: { HTTPS_PROXY: `http://user:pass%20word@${rendezvousAddresses[1]}:3128` } });
});

labTest(
  "two routers that keep ports let a direct TCP connection through where they let no UDP",
  blocked,
  async (tunnel) => {
    const { lab } = tunnel;
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    const relayed = await pathEvent(process, "relay", 10_000);
    const direct = await pathEvent(process, "direct", 10_000);
    await pathEvent(exposed.process, "direct", 5_000);
    assert.equal(direct.fields.over, "tcp");
    assert.match(String(direct.fields.remote), new RegExp(`^${lab.sites.A.router.address}:`));
    const tookMs = direct.atMs - relayed.atMs;
    assert.ok(tookMs <= (await tunnel.pace.allowedMs(2_000)), `direct after ${tookMs} ms`);
    await Download.start(lab, tunnel.clientHost, { local, lengthBytes: 50 * MB, limitSeconds: 30 }).assertWhole();
  },
);
