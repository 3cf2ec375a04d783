// More than one rendezvous, or one that moves: a relayed transfer outlives the end of the rendezvous that relays it.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
import type { LabProcess } from "./lab-process.ts";
import { type LabTunnel, labTest, pathEvent, type StartOptions } from "./lab-tunnel.ts";
import { rendezvousAddresses } from "./topology.ts";

const MB = 1_000_000;
const hardRouters = { A: "symmetric", B: "symmetric" } as const;
const [firstAddress, secondAddress] = rendezvousAddresses;

/** Starts a rendezvous at one of the two addresses. @returns it, and `<rendezvous-id>@host:port` with that host. */
async function startAt(tunnel: LabTunnel, host: string, identity: string): Promise<[LabProcess, string]> {
  const listen = ["--listen", `${host}:4700`];
  const process = tunnel.start(tunnel.lab.rendezvous, ["rendezvous", ...listen], { identity });
  const { fields } = await process.waitForJson("ready", 10_000);
  return [process, `${fields.id}@${host}:4700`];
}

/** Exposes, connects and begins a download over the relay. */
async function beginDownload(tunnel: LabTunnel, options: StartOptions) {
  await tunnel.serveFiles(3000);
  const exposed = await tunnel.expose(3000, options);
  const { process, local } = await tunnel.connect(exposed.ticket, 3000, { ...options, args: [] });
  const path = await pathEvent(process, "relay", 10_000);
  const order = { local, lengthBytes: 160 * MB, bytesPerSecond: 4 * MB, limitSeconds: 120 };
  const download = Download.start(tunnel.lab, tunnel.clientHost, order);
  await download.waitForBytes(8 * MB, 10_000);
  return { process, download, relayedBy: path.fields.remote };
}

labTest(
  "a relayed transfer goes on by the other rendezvous when its own is killed, and by that one, returned, when the other is",
  hardRouters,
  async (tunnel, context) => {
    const [first, firstPlace] = await startAt(tunnel, firstAddress, "first");
    const [second, secondPlace] = await startAt(tunnel, secondAddress, "second");
    const args = ["--rendezvous", firstPlace, "--rendezvous", secondPlace];
    const { process, download, relayedBy } = await beginDownload(tunnel, { args });
    const places = [
      { running: first, host: firstAddress, identity: "first" },
      { running: second, host: secondAddress, identity: "second" },
    ] as const;
    // The first is preferred; on a busy machine it may be the second that is there when the two sides meet.
    const [own, other] = relayedBy === `${firstAddress}:4700` ? places : places.toReversed();
    assert.ok(own !== undefined && other !== undefined && relayedBy === `${own.host}:4700`);
    for (const [{ running: killed }, { host }] of [
      [own, other],
      [other, own],
    ] as const) {
      const events = process.events.length;
      const killedMs = performance.now();
      await killed.stop("SIGKILL");
      await process.waitForJson("path", 15_000, ({ fields }) => fields.remote === `${host}:4700`, events);
      await sleep(2_000);
      const pauseMs = download.longestPauseMs(killedMs, performance.now());
      context.diagnostic(`paused for ${(pauseMs / 1000).toFixed(1)} s`);
      assert.ok(pauseMs <= 8_000, `nothing arrived for ${pauseMs} ms`);
      if (killed === other.running) break;
      await startAt(tunnel, own.host, own.identity);
      // Time for the agents to come back to it.
      await sleep(8_000);
    }
    assert.ok(download.bytes < 160 * MB, "the transfer was still under way");
    await download.assertWhole();
  },
);

labTest(
  "a rendezvous whose name gets another address in mid-transfer is found there, and the transfer goes on",
  hardRouters,
  async (tunnel, context) => {
    const name = "meet.example";
    const hostsFile = join(tunnel.lab.scratch, "hosts");
    writeFileSync(hostsFile, `${firstAddress} ${name}\n`);
    const [first, place] = await startAt(tunnel, firstAddress, "moving");
    const args = ["--rendezvous", place.replace(firstAddress, name)];
    const { process, download, relayedBy } = await beginDownload(tunnel, { args, hostsFile });
    assert.equal(relayedBy, `${firstAddress}:4700`);
    const events = process.events.length;
    const killedMs = performance.now();
    await first.stop("SIGKILL");
    await startAt(tunnel, secondAddress, "moving");
    // The name follows when everybody has noticed, and has looked it up in vain.
    await sleep(8_000);
    const renamedMs = performance.now();
    writeFileSync(hostsFile, `${secondAddress} ${name}\n`);
    const isSecond = (remote: unknown): boolean => remote === `${secondAddress}:4700`;
    await process.waitForJson("path", 40_000, ({ fields }) => isSecond(fields.remote), events);
    const { endMs } = await download.assertWhole();
    const pauseMs = download.longestPauseMs(killedMs, endMs);
    context.diagnostic(
      `went on ${((pauseMs - (renamedMs - killedMs)) / 1000).toFixed(1)} s after the name had changed`,
    );
    assert.ok(pauseMs <= 40_000, `nothing arrived for ${pauseMs} ms`);
  },
);
