// What happens to the machines themselves in mid-transfer: another address, another network, a wall clock that jumps.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { FaultTransfer, faultTest } from "./faults-transfer.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./topology.ts";

const homeRouters = { A: "port-restricted", B: "port-restricted" } as const;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const run = async (lab: Lab, node: LabNode, script: string): Promise<void> => {
  await lab.output(node, ["sh", "-e"], script);
};

faultTest("the client's address changes in mid-transfer, and the transfer goes on", homeRouters, async (fault) => {
  const { lab, tunnel } = fault;
  const transfer = await FaultTransfer.begin(tunnel, { seconds: 15, limitSeconds: 90 });
  const atMs = performance.now();
  await run(
    lab,
    lab.sites.B.host,
    `ip address del 192.168.2.10/24 dev eth0
     ip address add 192.168.2.77/24 dev eth0
     ip route add default via 192.168.2.1`,
  );
  const { pauseMs } = await transfer.assertWhole(atMs);
  assert.ok(pauseMs <= 5000, `nothing arrived for ${seconds(pauseMs)}`);
  assert.equal(transfer.waysOf().at(-1), "direct");
});

faultTest(
  "the client moves to another network in mid-transfer, and the transfer goes on",
  { ...homeRouters, C: "port-restricted" },
  async ({ lab, tunnel, spare }) => {
    assert.ok(spare !== undefined);
    const transfer = await FaultTransfer.begin(tunnel, { seconds: 20, limitSeconds: 90 });
    const { host } = lab.sites.B;
    const atMs = performance.now();
    await run(lab, host, "ip link set eth0 down");
    // A person walks from one Wi-Fi to the other.
    await sleep(1000);
    await run(
      lab,
      spare.host,
      `ip link set eth0 down; ip link set eth0 name eth1; ip link set eth1 netns /run/netns/${host.namespace}`,
    );
    await run(
      lab,
      host,
      `ip address flush dev eth0
       ip address add ${spare.host.address}/24 dev eth1
       ip link set eth1 up
       ip route add default via 192.168.3.1`,
    );
    const { pauseMs } = await transfer.assertWhole(atMs);
    assert.ok(pauseMs <= 8000, `nothing arrived for ${seconds(pauseMs)}`);
    assert.equal(transfer.waysOf().at(-1), "direct");
  },
);

faultTest("the wall clock of both machines jumps in mid-transfer, and nothing changes", homeRouters, async (fault) => {
  // A time namespace shifts the monotonic clocks alone, and setting the real clock would change it for the whole machine. What a
  // program of Node knows of the wall clock it knows by Date; its timers run on the monotonic clock.
  const clock = fileURLToPath(new URL("./faults-wall-clock.js", import.meta.url));
  const env = { NODE_OPTIONS: `--import=${clock}` };
  const transfer = await FaultTransfer.begin(fault.tunnel, {
    seconds: 20,
    limitSeconds: 60,
    service: { env },
    client: { env },
  });
  const sides = [transfer.connected.process, transfer.exposed.process];
  const eventsBefore = sides.map(({ events }) => events.length);
  const atMs = performance.now();
  // A year back, then forward to where it was: a machine that boots without a clock, and NTP.
  for (const process of sides) process.kill("SIGUSR2");
  for (const process of sides) await process.waitForLine(/the wall clock is set back/, 2000);
  await sleep(8000);
  for (const process of sides) process.kill("SIGUSR2");
  const { pauseMs } = await transfer.assertWhole(atMs);
  assert.ok(pauseMs <= 1000, `nothing arrived for ${seconds(pauseMs)}`);
  assert.deepEqual(
    sides.flatMap(({ events }, i) => events.slice(eventsBefore[i])),
    [],
  );
});
