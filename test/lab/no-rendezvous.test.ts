// Without any rendezvous: one side's address is known, or both are on one link.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { contentSha256 } from "./content.ts";
import { Download } from "./download.ts";
import type { LabProcess } from "./lab-process.ts";
import { labTest, pathEvent } from "./lab-tunnel.ts";
import { OneLink } from "./one-link.ts";

const MB = 1_000_000;

labTest(
  "with the device's address in the ticket a laptop behind a home router needs no rendezvous, not even when the device is started anew",
  { A: "none", B: "port-restricted" },
  async (tunnel) => {
    const { lab } = tunnel;
    await tunnel.serveFiles(3000);
    const args = ["--address", `${lab.sites.A.host.address}:4800`];
    const exposed = await tunnel.expose(3000, { args });
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    const order = { local, lengthBytes: 50 * MB, limitSeconds: 30 };
    const result = await Download.start(lab, tunnel.clientHost, order).assertWhole();
    assert.ok(result.firstByteMs <= (await tunnel.pace.allowedMs(300)), `first byte after ${result.firstByteMs} ms`);
    const path = await pathEvent(process, "direct", 1000);
    assert.equal(path.fields.remote, `${lab.sites.A.host.address}:4800`);

    await exposed.process.stop("SIGKILL");
    const again = await tunnel.expose(3000, { args });
    assert.equal(again.ticket, exposed.ticket);
    // What is asked of the old process is reset once the new one has said that it knows nothing of it.
    await Download.start(lab, tunnel.clientHost, { ...order, lengthBytes: MB }).ended;
    await Download.start(lab, tunnel.clientHost, { ...order, lengthBytes: MB }).assertWhole();
  },
);

/** What tcpdump calls the hops that are left, by family. */
const networks = [
  { family: "IPv4", a: ["192.168.7.1/24"], b: ["192.168.7.2/24"], remote: /^192\.168\.7\.1:\d+$/, hops: /ttl 1,/ },
  { family: "IPv6", a: ["fd77::1/64"], b: ["fd77::2/64"], remote: /^\[fd77::1\]:\d+$/, hops: /hlim 1,/ },
] as const;

/** Starts the file server and `tunnel expose --lan` in host a. @returns the ticket */
async function expose(link: OneLink, state: string, port: number): Promise<string> {
  const server = fileURLToPath(new URL("./file-server.js", import.meta.url));
  await link.spawn("a", [process.execPath, server, String(port)]).waitForJson("ready", 10_000);
  const ready = await link.tunnel("a", state, "expose", String(port), "--lan").waitForJson("ready", 10_000);
  return String(ready.fields.ticket);
}

async function assertDownload(link: OneLink, connecting: LabProcess, lengthBytes: number): Promise<void> {
  const { fields } = await connecting.waitForJson("listening", 10_000);
  const url = `http://${String(fields.local)}/${lengthBytes}/lan`;
  const sum = await link.spawn("b", ["sh", "-c", `curl -sS --max-time 20 ${url} | sha256sum`]).ended;
  assert.equal(sum.stdout.split(" ")[0], contentSha256("lan", lengthBytes), sum.stderr);
}

for (const { family, a, b, remote, hops } of networks) {
  test(`two hosts on one link of ${family} find each other by multicast that does not leave it`, async (context) => {
    const link = new OneLink({ a, b });
    try {
      const capture = link.spawn("b", ["tcpdump", "-n", "-v", "-l", "-i", "eth0", "udp dst port 4748"]);
      await capture.waitForLine(/listening on/, 10_000);
      const tickets = [await expose(link, "one", 3000), await expose(link, "two", 3001)];
      for (const [i, ticket] of tickets.entries()) {
        const connecting = link.tunnel("b", `laptop ${i}`, "connect", ticket, "--lan", "--listen", "0");
        await assertDownload(link, connecting, 20 * MB);
        const path = await connecting.waitForJson("path", 1000);
        assert.match(String(path.fields.remote), remote);
      }
      await capture.waitForLine(hops, 2_000);
      const { stdout } = await capture.stop("SIGINT");
      const hopsOfAll = stdout.match(/(ttl|hlim) \d+/g) ?? [];
      assert.deepEqual([...new Set(hopsOfAll)], [family === "IPv4" ? "ttl 1" : "hlim 1"]);
      context.diagnostic(`${hopsOfAll.length} datagrams to the group`);
    } finally {
      await link.destroy();
    }
  });
}

test("a laptop that is plugged in after the tunnel was started finds the device, and again when the cable was out", async () => {
  const link = new OneLink({ a: ["192.168.7.1/24"], b: [] });
  try {
    const ticket = await expose(link, "device", 3000);
    const connecting = link.tunnel("b", "laptop", "connect", ticket, "--lan", "--listen", "3000");
    await connecting.waitForJson("listening", 10_000);
    link.configure("b", "address add 192.168.7.2/24 dev eth0");
    await assertDownload(link, connecting, MB);
    link.configure("b", "address delete 192.168.7.2/24 dev eth0");
    link.configure("b", "address add 192.168.7.3/24 dev eth0");
    await assertDownload(link, connecting, MB);
  } finally {
    await link.destroy();
  }
});
