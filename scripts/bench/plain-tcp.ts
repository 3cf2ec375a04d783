// The measure of all things: the client's TCP connection goes through the same routers to the service by a port forward
// in the service's router. Nothing is encrypted and no process stands in between.

import { type BenchLab, type Contender, SERVICE_PORT } from "./contender.ts";

/** Lets a TCP port of the router of the service's site lead to its host. */
export async function forwardPort(lab: BenchLab, port: number): Promise<void> {
  const { router, host } = lab.sites.A;
  const rule = `add rule ip router prerouting iifname "wan" tcp dport ${port} dnat to ${host.address}`;
  await lab.output(router, ["nft", "-f", "-"], rule);
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
