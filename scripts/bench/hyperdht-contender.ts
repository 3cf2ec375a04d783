// hyperdht with a plain TCP forwarder on both sides, hyperdht-forwarder.ts, over a network of its nodes on the rendezvous's
// host, punched between home routers, or relayed through that host between symmetric NATs, which it cannot punch either. The package
// is installed for the run into a folder of its own.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LabProcess } from "../../test/lab/lab-process.ts";
import type { LabNode } from "../../test/lab/topology.ts";
import { type BenchLab, type Contender, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";

const VERSION = "6.34.0";
const INSTALL_LIMIT_MS = 60_000;
const LOCAL_PORT = 4200;
const BOOTSTRAP_PORT = 49_737;

const forwarder = fileURLToPath(new URL("./hyperdht-forwarder.js", import.meta.url));

function install(folder: string): void {
  const args = ["install", "--prefix", folder, "--no-save", "--no-audit", "--no-fund", `hyperdht@${VERSION}`];
  const result = spawnSync("npm", args, { cwd: folder, encoding: "utf8", timeout: INSTALL_LIMIT_MS });
  if (result.status !== 0) throw new Error(`npm install hyperdht: ${result.error?.message ?? result.stderr.trim()}`);
}

/** @param folder where to install the package, or where it has been already */
export async function startHyperdht(lab: BenchLab, folder: string, via: "direct" | "relay"): Promise<Contender> {
  if (!existsSync(join(folder, "node_modules", "hyperdht"))) install(folder);
  const manifest = readFileSync(join(folder, "node_modules", "hyperdht", "package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  const start = async (node: LabNode, ...args: string[]): Promise<LabProcess> => {
    const bootstrap = [lab.rendezvous.address, String(BOOTSTRAP_PORT)];
    const program = lab.spawn(node, [process.execPath, forwarder, folder, ...bootstrap, ...args], {
      title: `hyperdht ${args[0]}`,
    });
    await program.waitForJson("ready", READY_TIMEOUT_MS);
    return program;
  };
  const bootstrap = await start(lab.rendezvous, "bootstrap");
  const keyOf = (program: LabProcess): string => String(program.events[0]?.fields.key);
  const relay = via === "relay" ? await start(lab.rendezvous, "relay") : undefined;
  const through = relay === undefined ? [] : [keyOf(relay)];
  const server = await start(lab.sites.A.host, "server", String(SERVICE_PORT), ...through);
  const client = await start(lab.sites.B.host, "client", keyOf(server), String(LOCAL_PORT), ...through);
  const way =
    relay === undefined
      ? "punched through the same two NATs"
      : "through a relay (blind-relay) on the rendezvous's host between the same two symmetric NATs";
  return {
    name: relay === undefined ? "hyperdht" : "hyperdht, relayed",
    lab,
    client: lab.sites.B.host,
    host: "127.0.0.1",
    port: LOCAL_PORT,
    processes: [
      { role: "client", pid: client.pid },
      { role: "server", pid: server.pid },
      { role: "bootstrap", pid: bootstrap.pid },
      ...(relay === undefined ? [] : [{ role: "relay", pid: relay.pid }]),
    ],
    comparedWith: [relay === undefined ? "tunnel" : "tunnel, relayed"],
    description: `hyperdht ${version}, ${way}; a TCP forwarder by pipe(), one hyperdht connection a TCP connection, as hypertele does`,
  };
}
