// The measure of all things: the client's TCP connection goes through the same routers to the service by a port forward
// in the service's router. Nothing is encrypted and no process stands in between.

import { setTimeout as sleep } from "node:timers/promises";
import type { LabProcess } from "../../test/lab/lab-process.ts";
import { type BenchLab, type Contender, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";

/** Lets a port of the router of the service's site lead to its host. */
export async function forwardPort(lab: BenchLab, port: number, protocol: "tcp" | "udp" = "tcp"): Promise<void> {
  const { router, host } = lab.sites.A;
  const rule = `add rule ip router prerouting iifname "wan" ${protocol} dport ${port} dnat to ${host.address}`;
  await lab.output(router, ["nft", "-f", "-"], rule);
}

/** Waits until a program takes connections on a local port of the client's host. @throws where it ends or takes too long. */
export async function listens(lab: BenchLab, program: LabProcess, port: number): Promise<void> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  while ((await lab.exec(lab.sites.B.host, ["nc", "-z", "127.0.0.1", String(port)])).code !== 0) {
    if (performance.now() > deadlineMs || !program.isRunning) throw new Error(`no forward:\n${program.tail()}`);
    await sleep(100);
  }
}

export async function startPlainTcp(lab: BenchLab): Promise<Contender> {
  await forwardPort(lab, SERVICE_PORT);
  return {
    name: "plain TCP",
    lab,
    client: lab.sites.B.host,
    host: lab.sites.A.router.address,
    port: SERVICE_PORT,
    processes: [],
    description: "the kernel's TCP through a port forward in the same routers; nothing encrypted, no process between",
  };
}
