// Ports that a router maps on request: what no hole punching reaches is reached through them, whichever language the router speaks,
// and the router is left as it was found.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Download } from "./download.ts";
import { type LabTunnel, labTest, pathEvent } from "./lab-tunnel.ts";
import { giveMappableAddresses, type MappingLanguage, MappingRouter } from "./mapping-router.ts";

const MB = 1_000_000;
const hardRouters = { A: "symmetric", B: "symmetric" } as const;
const told = { args: ["--log-level", "info"] } as const;

/** Waits until the kernel of this router has that many mappings. */
async function mapped(router: MappingRouter, count: number, limitMs: number): Promise<string[]> {
  for (const endMs = performance.now() + limitMs; ; await sleep(50)) {
    const mappings = await router.mappings();
    if (mappings.length === count) return mappings;
    assert.ok(performance.now() < endMs, `${mappings.length} mappings, not ${count}\n${router.tail()}`);
  }
}

/** Starts everything. @returns the two sides. */
async function start(tunnel: LabTunnel) {
  await tunnel.startRendezvous();
  await tunnel.serveFiles(3000);
  const exposed = await tunnel.expose(3000, told);
  const connected = await tunnel.connect(exposed.ticket, 3000, told);
  return { exposed, connected };
}

/** The sentence of the log about what was found. */
const SAID = /the router maps/;

labTest(
  "two hard NATs meet directly through the ports that their routers map, and give them back",
  hardRouters,
  async (tunnel) => {
    const { lab } = tunnel;
    const { A, B } = lab.sites;
    await giveMappableAddresses(lab, A, B);
    const routers = [
      await MappingRouter.start(lab, A, ["PCP", "NAT-PMP", "UPnP"]),
      await MappingRouter.start(lab, B, ["PCP", "NAT-PMP", "UPnP"]),
    ] as const;
    const { exposed, connected } = await start(tunnel);
    await pathEvent(connected.process, "direct", 10_000);
    await pathEvent(exposed.process, "direct", 10_000);
    const order = { local: connected.local, lengthBytes: 20 * MB, limitSeconds: 30 };
    await Download.start(lab, tunnel.clientHost, order).assertWhole();
    for (const [router, host] of [
      [routers[0], A.host],
      [routers[1], B.host],
    ] as const) {
      const [target = ""] = await mapped(router, 1, 1000);
      assert.match(target, new RegExp(`^${host.address}:\\d+$`));
      assert.equal(router.leases().length, 1);
    }
    for (const [process, router] of [
      [exposed.process, routers[0]],
      [connected.process, routers[1]],
    ] as const) {
      const said = await process.waitForLine(SAID, 2000);
      assert.ok(said.includes("PCP") && said.includes(router.address), said);
      assert.equal(process.errorLines.filter((line) => SAID.test(line)).length, 1);
      assert.equal((await process.stop("SIGTERM")).code, 0);
      assert.deepEqual(await router.mappings(), []);
      assert.deepEqual(router.leases(), []);
    }
  },
);

for (const language of ["PCP", "NAT-PMP", "UPnP"] as const satisfies readonly MappingLanguage[]) {
  labTest(`a router that speaks ${language} alone is enough for two hard NATs`, hardRouters, async (tunnel) => {
    const { lab } = tunnel;
    const { A, B } = lab.sites;
    await giveMappableAddresses(lab, A, B);
    const router = await MappingRouter.start(lab, A, [language]);
    const { exposed, connected } = await start(tunnel);
    const direct = await pathEvent(connected.process, "direct", 10_000);
    const [target = ""] = await mapped(router, 1, 1000);
    assert.ok((await exposed.process.waitForLine(SAID, 2000)).includes(language));
    // It is the mapped port that the other side speaks to.
    assert.equal(direct.fields.remote, `${router.address}:${target.split(":")[1]}`);
    await exposed.process.stop("SIGTERM");
    assert.deepEqual(await router.mappings(), []);
  });
}

labTest(
  "a router that was switched off and on is asked for the port again within 10 s",
  hardRouters,
  async (tunnel) => {
    const { lab } = tunnel;
    const { A, B } = lab.sites;
    await giveMappableAddresses(lab, A, B);
    const router = await MappingRouter.start(lab, A, ["PCP"]);
    await tunnel.startRendezvous();
    await tunnel.expose(3000);
    const before = await mapped(router, 1, 5000);
    // Its epoch begins anew, and has to differ from what it would be by more than the rounding of seconds.
    await sleep(4000);
    await router.restart();
    assert.deepEqual(await mapped(router, 1, 10_000), before);
  },
);

labTest("with --no-port-mapping the router is not asked", hardRouters, async (tunnel) => {
  const { lab } = tunnel;
  const { A } = lab.sites;
  await giveMappableAddresses(lab, A);
  const router = await MappingRouter.start(lab, A, ["PCP", "NAT-PMP", "UPnP"]);
  await tunnel.startRendezvous();
  await tunnel.expose(3000, { args: ["--no-port-mapping"] });
  await sleep(1500);
  assert.deepEqual(await router.mappings(), []);
  assert.doesNotMatch(router.tail(), /request received|REQUEST|M-SEARCH/);
});

labTest(
  "an address that the user names is told to a peer that was introduced, and reached through a forwarded port",
  hardRouters,
  async (tunnel) => {
    const { lab } = tunnel;
    const { router, host } = lab.sites.A;
    const rule = `add rule ip router prerouting iifname "wan*" udp dport 4800 dnat to ${host.address}`;
    await lab.output(router, ["nft", "-f", "-"], rule);
    await tunnel.startRendezvous();
    await tunnel.serveFiles(3000);
    const args = ["--public", "--address", `${router.address}:4800`, "--no-port-mapping"];
    const exposed = await tunnel.expose(3000, { args });
    // By its bare id, without the ticket that names the address.
    const { process, local } = await tunnel.connect(exposed.peerId, 3000, { args: ["--service", "3000"] });
    const path = await pathEvent(process, "direct", 10_000);
    assert.equal(path.fields.remote, `${router.address}:4800`);
    await Download.start(lab, tunnel.clientHost, { local, lengthBytes: MB, limitSeconds: 30 }).assertWhole();
  },
);
