// A transfer outlives the end of IPv6 between two sides that have both families, and the change of an address, which temporary addresses
// bring every day (RFC 8981).

import assert from "node:assert/strict";
import { FaultTransfer, faultTest } from "./faults-transfer.ts";
import { remoteOf } from "./lab-tunnel.ts";

const dualStacks = { A: "dual-stack", B: "dual-stack" } as const;

faultTest("IPv6 dies in mid-transfer, and the transfer goes on over IPv4, directly", dualStacks, async (fault) => {
  const { lab, tunnel } = fault;
  const transfer = await FaultTransfer.begin(tunnel, { seconds: 15, limitSeconds: 60 });
  assert.match(remoteOf(transfer.connected.process), /^\[2001:/);
  const atMs = performance.now();
  await lab.faults.cutIpv6();
  const { pauseMs } = await transfer.assertWhole(atMs);
  assert.ok(pauseMs <= 5_000, `nothing arrived for ${Math.round(pauseMs)} ms`);
  await transfer.goesBy("direct", 10_000);
  assert.match(remoteOf(transfer.connected.process), /^203\.0\.113\.21:/);
});

faultTest("a temporary address is replaced in mid-transfer, and the transfer goes on", dualStacks, async (fault) => {
  const { lab, tunnel } = fault;
  const transfer = await FaultTransfer.begin(tunnel, { seconds: 15, limitSeconds: 60 });
  const atMs = performance.now();
  const change = "ip address add 2001:db8:2::7e37/64 dev eth0 nodad; ip address del 2001:db8:2::10/64 dev eth0";
  await lab.output(lab.sites.B.host, ["sh", "-ec", change]);
  const { pauseMs } = await transfer.assertWhole(atMs);
  assert.ok(pauseMs <= 5_000, `nothing arrived for ${Math.round(pauseMs)} ms`);
  await transfer.goesBy("direct", 10_000);
  assert.ok(transfer.waysOf(transfer.exposed).at(-1) === "direct");
});
