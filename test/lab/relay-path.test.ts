// Where no direct path exists: between two NATs that take another port for every destination, all goes over the relay.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Content } from "./content.ts";
import { Download } from "./download.ts";
import { labTest, pathEvent } from "./lab-tunnel.ts";
import { PacketCapture } from "./packet-capture.ts";

const MB = 1_000_000;
const hardRouters = { A: "symmetric", B: "symmetric" } as const;

labTest(
  "between two symmetric NATs 100 MB arrive whole over the relay, from the first moment on",
  hardRouters,
  async (tunnel) => {
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    const order = { local, lengthBytes: 100 * MB, limitSeconds: 60 };
    const result = await Download.start(tunnel.lab, tunnel.clientHost, order).assertWhole();
    assert.ok(result.firstByteMs <= (await tunnel.pace.allowedMs(300)), `first byte after ${result.firstByteMs} ms`);
    const ways = process.events.filter((event) => event.event === "path").map((event) => event.fields.via);
    assert.deepEqual(ways, ["relay"]);
  },
);

labTest(
  "a relayed transfer resumes when the rendezvous, killed in its middle, is started again",
  hardRouters,
  async (tunnel) => {
    const rendezvous = await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    await pathEvent(process, "relay", 5000);
    const order = { local, lengthBytes: 100 * MB, bytesPerSecond: 20 * MB, limitSeconds: 60 };
    const download = Download.start(tunnel.lab, tunnel.clientHost, order);
    await download.waitForBytes(20 * MB, 10_000);
    await rendezvous.stop("SIGKILL");
    // What was on its way has arrived by then; from there on there is no way.
    await sleep(500);
    const bytesWhenDead = download.bytes;
    await sleep(2500);
    assert.equal(download.bytes, bytesWhenDead, "bytes arrived without a relay");
    await tunnel.startRendezvous();
    await download.assertWhole();
  },
);

labTest("the rendezvous relays no byte of the plaintext", hardRouters, async (tunnel) => {
  const { lab } = tunnel;
  await tunnel.startRendezvous();
  await tunnel.serveFiles(3000);
  const exposed = await tunnel.expose(3000);
  const atRendezvous = await PacketCapture.start(lab, lab.rendezvous);
  const atService = await PacketCapture.start(lab, tunnel.serviceHost, { device: "lo" });
  const { local } = await tunnel.connect(exposed.ticket, 3000);
  const download = Download.start(lab, tunnel.clientHost, { local, lengthBytes: 1 * MB, limitSeconds: 30 });
  await download.assertWhole();
  await Promise.all([atRendezvous.stop(), atService.stop()]);

  const content = new Content(download.seed).next(1 * MB);
  const needles: Buffer[] = [
    Buffer.from("HTTP/1.1 200"),
    Buffer.from("application/octet-stream"),
    Buffer.from(exposed.ticket),
  ];
  // Any 16 bytes of the content are enough to tell, and every packet holds such a place.
  for (let at = 0; at + 16 <= content.length; at += 997) needles.push(content.subarray(at, at + 16));
  const seenIn = (capture: PacketCapture): number => {
    const bytes = capture.bytes();
    return needles.filter((needle) => bytes.includes(needle)).length;
  };
  assert.ok(atRendezvous.bytes().length > 2 * MB, "all of it went through the rendezvous, in and out");
  assert.equal(seenIn(atRendezvous), 0);
  // The same search where the plaintext is, because one that finds nothing anywhere would prove nothing.
  assert.ok(seenIn(atService) > needles.length / 2);
});
