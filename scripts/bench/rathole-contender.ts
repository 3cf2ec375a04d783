// rathole, a reverse proxy without NAT traversal: the service's side holds connections to a server on the rendezvous's host, and
// clients connect to a port of that server. All data go through it, as ours do on the relay. Its Noise transport encrypts
// between the server and the service's side; the server reads everything, and clients reach it with plain TCP.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabProcess } from "../../test/lab/lab-process.ts";
import type { LabNode } from "../../test/lab/topology.ts";
import { type CargoProgram, cargoProgram } from "./cargo-program.ts";
import { type BenchLab, type Contender, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";

/** Not locked: the lock file of this, its last release, names a version of the crate `time` that compilers since Rust 1.80 refuse. */
const RATHOLE: CargoProgram = {
  name: "rathole",
  version: "0.5.0",
  options: ["--no-default-features", "--features", "server,client,noise"],
};
const SERVER_PORT = 2333;
const PUBLIC_PORT = 4600;

function makeKeys(program: string): { readonly secret: string; readonly open: string } {
  const { stdout, stderr } = spawnSync(program, ["--genkey"], { encoding: "utf8" });
  const [, secret] = /Private Key:\s*(\S+)/.exec(stdout) ?? [];
  const [, open] = /Public Key:\s*(\S+)/.exec(stdout) ?? [];
  if (secret === undefined || open === undefined) throw new Error(`rathole --genkey: ${stdout}${stderr}`);
  return { secret, open };
}

/** @param folder where to put the settings */
export async function startRathole(lab: BenchLab, folder: string, mayBuild: boolean): Promise<Contender> {
  const program = cargoProgram(RATHOLE, mayBuild);
  const keys = makeKeys(program);
  const start = (node: LabNode, role: "server" | "client", settings: readonly string[]): LabProcess => {
    const file = join(folder, `${role}.toml`);
    writeFileSync(file, `${settings.join("\n")}\n`);
    return lab.spawn(node, [program, `--${role}`, file], { title: `rathole ${role}` });
  };
  const token = 'default_token = "of the benchmark"';
  const noise = (role: string, key: string): string[] => [
    `[${role}.transport]`,
    'type = "noise"',
    `[${role}.transport.noise]`,
    key,
  ];
  const server = start(lab.rendezvous, "server", [
    "[server]",
    `bind_addr = "0.0.0.0:${SERVER_PORT}"`,
    token,
    ...noise("server", `local_private_key = "${keys.secret}"`),
    "[server.services.service]",
    `bind_addr = "0.0.0.0:${PUBLIC_PORT}"`,
  ]);
  await server.waitForLine(/Listening at/, READY_TIMEOUT_MS);
  const client = start(lab.sites.A.host, "client", [
    "[client]",
    `remote_addr = "${lab.rendezvous.address}:${SERVER_PORT}"`,
    token,
    ...noise("client", `remote_public_key = "${keys.open}"`),
    "[client.services.service]",
    `local_addr = "127.0.0.1:${SERVICE_PORT}"`,
  ]);
  await client.waitForLine(/Control channel established/, READY_TIMEOUT_MS);
  return {
    name: "rathole",
    lab,
    client: lab.sites.B.host,
    host: lab.rendezvous.address,
    port: PUBLIC_PORT,
    processes: [
      { role: "client", pid: client.pid },
      { role: "server", pid: server.pid },
    ],
    description: `rathole ${RATHOLE.version}, through its server on the rendezvous's host, the only way that it has; TCP encrypted by its Noise transport from the service's side to that server, and plain from there to the client`,
    comparedWith: ["tunnel, relayed", "tunnel"],
  };
}
