// Several programs under one identity, and programs that end and come back.

import assert from "node:assert/strict";
import { Download } from "./download.ts";
import type { LabProcess } from "./lab-process.ts";
import { type Connected, type LabTunnel, labTest } from "./lab-tunnel.ts";

const MB = 1_000_000;
const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;

/** A service that says which one it is to whoever connects. */
async function serveName(tunnel: LabTunnel, port: number, name: string): Promise<void> {
  const code = `
    const server = require("net").createServer((socket) => socket.on("error", () => {}).end(${JSON.stringify(name)}));
    server.listen(${port}, "127.0.0.1", () => console.log(JSON.stringify({ event: "ready" })));`;
  const server = tunnel.lab.spawn(tunnel.serviceHost, [process.execPath, "-e", code]);
  await server.waitForJson("ready", 10_000);
}

const nameBehind = async (tunnel: LabTunnel, { local }: Connected): Promise<string> => {
  const [host, port] = local.split(":") as [string, string];
  return tunnel.lab.output(tunnel.clientHost, ["timeout", "20", "nc", "-n", host, port]);
};

labTest(
  "two expose and three connect run under one identity each, every ticket reaches its own service, and restarting one disturbs none",
  homeRouters,
  async (tunnel) => {
    const { lab, clientHost } = tunnel;
    await tunnel.startRendezvous();
    await serveName(tunnel, 3001, "first");
    await serveName(tunnel, 3002, "second");
    await tunnel.serveFiles(3003);
    const first = await tunnel.expose(3001);
    const second = await tunnel.expose(3002);
    assert.equal(first.peerId, second.peerId);
    const [a, b, c] = [
      await tunnel.connect(first.ticket, 4001),
      await tunnel.connect(second.ticket, 4002),
      await tunnel.connect(first.ticket, 4003),
    ];
    const names = async () => Promise.all([a, b, c].map((connected) => nameBehind(tunnel, connected)));
    assert.deepEqual(await names(), ["first", "second", "first"]);

    // A transfer under the same identities runs on while one after the other is restarted.
    const files = await tunnel.expose(3003);
    const steady = await tunnel.connect(files.ticket, 4004);
    const order = { local: steady.local, lengthBytes: 100 * MB, bytesPerSecond: 20 * MB, limitSeconds: 60 };
    const download = Download.start(lab, clientHost, order);
    await download.waitForBytes(5 * MB, 10_000);
    const startMs = performance.now();

    await first.process.stop();
    assert.equal(await nameBehind(tunnel, b), "second");
    const again = await tunnel.expose(3001);
    assert.equal(again.ticket, first.ticket);
    assert.deepEqual(await names(), ["first", "second", "first"]);

    await c.process.stop();
    assert.equal(await nameBehind(tunnel, a), "first");
    const anew = await tunnel.connect(first.ticket, 4003);
    assert.equal(await nameBehind(tunnel, anew), "first");
    assert.ok([second, b, a, files, steady].every(({ process }) => process.isRunning));

    const result = await download.assertWhole();
    const pauseMs = download.longestPauseMs(startMs, result.endMs);
    assert.ok(pauseMs < (await tunnel.pace.allowedMs(500)), `the other transfer paused for ${pauseMs} ms`);
  },
);

labTest(
  "SIGTERM ends a program with exit code 0, and the other side goes on listening and recovers when the peer returns",
  homeRouters,
  async (tunnel) => {
    const { lab, clientHost } = tunnel;
    const rendezvous = await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const before = await tunnel.expose(3000);
    const connected = await tunnel.connect(before.ticket, 3000);
    const order = { local: connected.local, lengthBytes: 1 * MB, limitSeconds: 30 };
    await Download.start(lab, clientHost, order).assertWhole();

    // In the middle of a transfer, which ends with it, and not as if it had been whole.
    const running = Download.start(lab, clientHost, { ...order, lengthBytes: 100 * MB, bytesPerSecond: 5 * MB });
    await running.waitForBytes(2 * MB, 10_000);
    assert.equal((await before.process.stop("SIGTERM", 5000)).code, 0);
    assert.notEqual((await running.ended).code, 0);
    assert.ok(connected.process.isRunning);

    // The connection is made while nobody is there, and waits.
    const waiting = Download.start(lab, clientHost, order);
    const after = await tunnel.expose(3000);
    assert.equal(after.ticket, before.ticket);
    await waiting.assertWhole();
    await Download.start(lab, clientHost, order).assertWhole();

    const endsWell = async (process: LabProcess, signal: NodeJS.Signals): Promise<void> => {
      assert.equal((await process.stop(signal, 5000)).code, 0, `${process.title} on ${signal}`);
    };
    await endsWell(connected.process, "SIGINT");
    await endsWell(after.process, "SIGINT");
    await endsWell(rendezvous, "SIGTERM");
  },
);
