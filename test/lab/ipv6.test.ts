// IPv6 between real firewalls: two sides that both have it go over it, one that has nothing else meets everybody, and netcheck tells which.

import assert from "node:assert/strict";
import { until } from "../io/condition-wait.ts";
import { Download } from "./download.ts";
import { RENDEZVOUS_NAME } from "./ipv6-topology.ts";
import { labTest, pathEvent, remoteOf } from "./lab-tunnel.ts";

const MB = 1_000_000;

for (const [A, B, family] of [
  ["dual-stack", "dual-stack", 6],
  ["v6-firewall", "dual-stack", 6],
  ["dual-stack", "port-restricted", 4],
] as const) {
  labTest(`${A} and ${B} meet directly over IPv${family}, and a transfer is whole`, { A, B }, async (tunnel) => {
    const { lab } = tunnel;
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    await pathEvent(process, "direct", 10_000);
    await pathEvent(exposed.process, "direct", 5_000);
    await Download.start(lab, tunnel.clientHost, { local, lengthBytes: 20 * MB, limitSeconds: 30 }).assertWhole();
    const expected = family === 6 ? `[${lab.sites.A.host.ipv6}]:` : `${lab.sites.A.router.address}:`;
    // The first measurement of either family falls into the busiest moment; the second one comes a second later.
    await until(() => remoteOf(process).startsWith(expected), `a path to ${expected}, not ${remoteOf(process)},`);
  });
}

labTest(
  "IPv6 alone and IPv4 alone meet over the relay of a rendezvous on both",
  { A: "v6-firewall", B: "port-restricted" },
  async (tunnel) => {
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const exposed = await tunnel.expose(3000);
    const { process, local } = await tunnel.connect(exposed.ticket, 3000);
    await Download.start(tunnel.lab, tunnel.clientHost, {
      local,
      lengthBytes: 20 * MB,
      limitSeconds: 30,
    }).assertWhole();
    assert.match(remoteOf(process), /^203\.0\.113\.10:/);
    assert.match(remoteOf(exposed.process), /^\[2001:db8::10\]:/);
  },
);

interface NetcheckFamily {
  readonly udp: boolean | null;
  readonly translated: boolean | null;
  readonly publicAddress: string | null;
  readonly mapping: string | null;
  readonly filtering: string | null;
}

for (const [kind, expected] of [
  ["dual-stack", { ipv4: [true, true], ipv6: [true, false] }],
  ["v6-firewall", { ipv4: [null, null], ipv6: [true, false] }],
] as const) {
  labTest(`netcheck tells the truth about ${kind}`, { A: kind, B: "dual-stack" }, async (tunnel) => {
    await tunnel.startRendezvous({ alternate: true });
    const { host } = tunnel.lab.sites.A;
    const process = tunnel.start(host, ["netcheck", "--rendezvous", `${RENDEZVOUS_NAME}:4700`]);
    const { fields } = await process.waitForJson("netcheck", 30_000);
    const [ipv4, ipv6] = [fields.ipv4, fields.ipv6] as [NetcheckFamily, NetcheckFamily];
    assert.deepEqual({ ipv4: [ipv4.udp, ipv4.translated], ipv6: [ipv6.udp, ipv6.translated] }, expected);
    assert.ok(ipv6.publicAddress?.startsWith(`[${host.ipv6}]:`), String(ipv6.publicAddress));
    assert.deepEqual(
      [ipv6.mapping, ipv6.filtering],
      ["endpoint-independent", "address-and-port-dependent"],
      JSON.stringify(fields),
    );
  });
}
