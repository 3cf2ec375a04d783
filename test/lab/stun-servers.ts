// STUN servers on the public segment that know RFC 5780: our own rendezvous with an alternate address, and coturn, which is somebody
// else's idea of the same. Both have the two addresses of the rendezvous' host with two ports each.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import { type LabNode, rendezvousAddresses } from "./topology.ts";

const program = fileURLToPath(new URL("../../cmd/tunnel.js", import.meta.url));
const START_TIMEOUT_MS = 10_000;

export const RENDEZVOUS_PORTS = [4700, 4701] as const;
export const COTURN_PORTS = [3478, 3479] as const;

/** Starts the program with `--json` in a node. */
export function startProgram(
  lab: Lab,
  node: LabNode,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): LabProcess {
  if (!existsSync(program)) throw new Error(`${program} is not built`);
  return lab.spawn(node, [process.execPath, program, ...args, "--json"], {
    title: `tunnel ${args[0]} in ${node.name}`,
    env: { HOME: lab.scratch, TUNNEL_STATE_DIR: join(lab.scratch, `state-${node.name}`), ...env },
  });
}

/** Starts a rendezvous. @param alternates values of --alternate; a second address with a second port unless told. */
export async function startDiscoveryRendezvous(
  lab: Lab,
  alternates: readonly string[] = [`${rendezvousAddresses[1]}:${RENDEZVOUS_PORTS[1]}`],
): Promise<LabProcess> {
  const listen = ["--listen", `${rendezvousAddresses[0]}:${RENDEZVOUS_PORTS[0]}`];
  const args = ["rendezvous", ...listen, ...alternates.flatMap((place) => ["--alternate", place])];
  const rendezvous = startProgram(lab, lab.rendezvous, args);
  await rendezvous.waitForJson("ready", START_TIMEOUT_MS);
  return rendezvous;
}

export async function startCoturn(lab: Lab): Promise<LabProcess> {
  const coturn = lab.spawn(lab.rendezvous, [
    "turnserver",
    "-n",
    // Without it there is no word of when it listens.
    "-v",
    "--stun-only",
    "--no-tls",
    "--no-dtls",
    "--no-cli",
    "--log-file=stdout",
    "--simple-log",
    `--pidfile=${join(lab.scratch, "turnserver.pid")}`,
    `--userdb=${join(lab.scratch, "turnserver.db")}`,
    ...rendezvousAddresses.map((address) => `--listening-ip=${address}`),
    `--listening-port=${COTURN_PORTS[0]}`,
    `--alt-listening-port=${COTURN_PORTS[1]}`,
  ]);
  await coturn.waitForLine(
    new RegExp(`UDP listener opened on *: *${rendezvousAddresses[1]}:${COTURN_PORTS[1]}`),
    START_TIMEOUT_MS,
  );
  return coturn;
}
