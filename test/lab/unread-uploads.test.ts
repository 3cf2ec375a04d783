// A service that has stopped reading, and clients that go on sending: what the agents hold of it is bounded, and what else goes through
// the tunnel does not wait for it.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { labTest, pathEvent } from "./lab-tunnel.ts";
import { peakResidentBytes } from "./resident-memory.ts";

const MB = 1_000_000;
/** For the sockets and both agents to fill up. */
const STILL_MS = 8_000;
const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;
const unreadServer = fileURLToPath(new URL("./unread-server.js", import.meta.url));
const manyUploads = fileURLToPath(new URL("./many-uploads.js", import.meta.url));

for (const { connections, isAnswered, peakMb } of [
  { connections: 500, isAnswered: true, peakMb: 200 },
  { connections: 2000, isAnswered: false, peakMb: 250 },
]) {
  const claim = isAnswered ? ", and another connection is answered" : "";
  labTest(
    `${connections} uploads that a service does not read cost neither agent more than ${peakMb} MB${claim}`,
    homeRouters,
    async (tunnel) => {
      const { lab, serviceHost, clientHost } = tunnel;
      await tunnel.startRendezvous();
      const server = lab.spawn(serviceHost, [process.execPath, unreadServer, "3000", String(connections)]);
      await server.waitForJson("ready", 10_000);
      const exposed = await tunnel.expose(3000);
      const connected = await tunnel.connect(exposed.ticket, 3000);
      await pathEvent(connected.process, "direct", 5000);
      const argv = [process.execPath, manyUploads, connected.local, String(connections), String(STILL_MS)];
      const uploads = lab.spawn(clientHost, argv);
      const opened = await uploads.waitForJson("open", 60_000);
      assert.equal(opened.fields.connections, connections);
      if (isAnswered) await uploads.waitForJson("answer", 20_000);
      else await sleep(STILL_MS);
      for (const { process } of [exposed, connected]) {
        const peakBytes = peakResidentBytes(process.pid);
        assert.ok(peakBytes <= peakMb * MB, `${process.title}: ${Math.round(peakBytes / MB)} MB`);
      }
    },
  );
}
