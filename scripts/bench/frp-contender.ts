// frp's xtcp, the peer-to-peer mode of the fast reverse proxy: frps introduces on the rendezvous's host, frpc on both sides punches through
// the same two NATs and carries TCP over QUIC. Built with the Go tool chain from the Go registry into a folder of the run. It needs a STUN
// server with two addresses, which a rendezvous of ours is.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LabProcess } from "../../test/lab/lab-process.ts";
import { type LabNode, rendezvousAddresses } from "../../test/lab/topology.ts";
import { type BenchLab, type Contender, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";

const MODULE = "github.com/fatedier/frp";
const VERSION = "v0.61.0";
/** frp's own go.mod replaces this one, which `go install` of a foreign module refuses to follow. */
const REPLACED = "github.com/hashicorp/yamux=github.com/fatedier/yamux@v0.0.0-20230628132301-7aca4898904d";
const BUILD_LIMIT_MS = 240_000;
const SERVER_PORT = 7000;
const STUN_PORT = 4900;
const LOCAL_PORT = 4300;

const tunnelProgram = fileURLToPath(new URL("../../cmd/tunnel.js", import.meta.url));

function go(folder: string, ...args: string[]): void {
  const result = spawnSync("go", args, { cwd: folder, encoding: "utf8", timeout: BUILD_LIMIT_MS });
  if (result.status !== 0) throw new Error(`go ${args[0]}: ${result.error?.message ?? result.stderr.trim()}`);
}

function build(folder: string): void {
  const programs = ["frps", "frpc"].map((name) => `${MODULE}/cmd/${name}`);
  go(folder, "mod", "init", "frp-for-the-benchmark");
  go(folder, "mod", "edit", `-require=${MODULE}@${VERSION}`, `-replace=${REPLACED}`);
  go(folder, "get", ...programs.map((program) => `${program}@${VERSION}`));
  go(folder, "build", "-o", `${folder}/`, ...programs);
}

/** @param folder where to put the programs */
export async function startFrp(lab: BenchLab, folder: string): Promise<Contender> {
  build(folder);
  const [first, second] = rendezvousAddresses;
  const places = ["--listen", `${first}:${STUN_PORT}`, "--alternate", `${second}:${STUN_PORT + 1}`];
  const stun = lab.spawn(lab.rendezvous, [process.execPath, tunnelProgram, "rendezvous", ...places, "--json"], {
    title: "STUN server for frp",
    env: { HOME: lab.scratch, TUNNEL_STATE_DIR: join(lab.scratch, "state-stun-for-frp") },
  });
  await stun.waitForJson("ready", READY_TIMEOUT_MS);
  const start = (node: LabNode, program: "frps" | "frpc", role: string, settings: readonly string[]): LabProcess => {
    const file = join(folder, `${role}.toml`);
    writeFileSync(file, `${settings.join("\n")}\n`);
    return lab.spawn(node, [join(folder, program), "-c", file], { title: `frp ${role}`, env: { HOME: lab.scratch } });
  };
  const relay = start(lab.rendezvous, "frps", "server", [`bindPort = ${SERVER_PORT}`]);
  await relay.waitForLine(/frps started successfully/, READY_TIMEOUT_MS);
  const common = [
    `serverAddr = "${first}"`,
    `serverPort = ${SERVER_PORT}`,
    `natHoleStunServer = "${first}:${STUN_PORT}"`,
  ];
  const secret = 'secretKey = "of the benchmark"';
  const target = ['localIP = "127.0.0.1"', `localPort = ${SERVICE_PORT}`];
  const proxy = ["[[proxies]]", 'name = "service"', 'type = "xtcp"', secret, ...target];
  const server = start(lab.sites.A.host, "frpc", "proxy", [...common, ...proxy]);
  await server.waitForLine(/start proxy success/, READY_TIMEOUT_MS);
  const local = ['bindAddr = "127.0.0.1"', `bindPort = ${LOCAL_PORT}`, "keepTunnelOpen = true"];
  const visitor = ["[[visitors]]", 'name = "visitor"', 'type = "xtcp"', 'serverName = "service"', secret, ...local];
  const client = start(lab.sites.B.host, "frpc", "visitor", [...common, ...visitor]);
  await client.waitForLine(/establishing nat hole connection successful/, READY_TIMEOUT_MS);
  await sleep(200);
  return {
    name: "frp xtcp",
    lab,
    client: lab.sites.B.host,
    host: "127.0.0.1",
    port: LOCAL_PORT,
    processes: [
      { role: "visitor", pid: client.pid },
      { role: "proxy", pid: server.pid },
      { role: "server", pid: relay.pid },
    ],
    description: `frp ${VERSION}, xtcp punched through the same two NATs, over QUIC, its default`,
  };
}
