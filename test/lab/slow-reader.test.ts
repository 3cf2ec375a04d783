// Backpressure reaches from the reader through both agents to the sender: memory stays bounded, and nothing is lost.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { contentSha256 } from "./content.ts";
import { labTest, pathEvent } from "./lab-tunnel.ts";
import { peakResidentBytes } from "./resident-memory.ts";

const GB = 1_000_000_000;
const MB = 1_000_000;
const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;

labTest(
  "1 GB for a reader that stops for 10 s costs neither agent more than 150 MB, and all of it arrives",
  homeRouters,
  async (tunnel) => {
    const { lab, clientHost } = tunnel;
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const connected = await tunnel.connect(exposed.ticket, 3000);
    await pathEvent(connected.process, "direct", 5000);

    const script = fileURLToPath(new URL("./slow-reader.js", import.meta.url));
    const reader = lab.spawn(clientHost, [process.execPath, script, connected.local, String(GB), "10000"]);
    const paused = await reader.waitForJson("paused", 30_000);
    const done = await reader.waitForJson("done", 180_000);
    assert.ok(done.atMs - paused.atMs >= 10_000);
    assert.equal(done.fields.bytes, GB);
    assert.equal(done.fields.sha256, contentSha256("slow", GB));
    for (const { process } of [exposed, connected]) {
      const peakBytes = peakResidentBytes(process.pid);
      assert.ok(peakBytes <= 150 * MB, `${process.title}: ${Math.round(peakBytes / MB)} MB`);
    }
  },
);
