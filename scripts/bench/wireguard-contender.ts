// wireguard-go, the userspace WireGuard, as a reference from another trade: it carries the kernel's own TCP in IP packets
// over a TUN device. It is built for the run from its Go module, and left out where that is not possible in time.

import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LabProcess } from "../../test/lab/lab-process.ts";
import { type BenchLab, type Contender, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";
import type { WireguardOrder } from "./wireguard-host.ts";

const MODULE = "golang.zx2c4.com/wireguard";
const VERSION = "v0.0.0-20260522210424-ecfc5a8d5446";
const BUILD_LIMIT_MS = 90_000;
const UDP_PORT = 51_820;
/** A handshake that crosses another is repeated after 5 s. */
const REACH_LIMIT_SECONDS = 12;

const hostProgram = fileURLToPath(new URL("./wireguard-host.js", import.meta.url));

function build(folder: string): string {
  const result = spawnSync("go", ["install", `${MODULE}@${VERSION}`], {
    encoding: "utf8",
    timeout: BUILD_LIMIT_MS,
    env: { ...process.env, GOBIN: folder },
  });
  if (result.status !== 0) throw new Error(`go install: ${result.error?.message ?? result.stderr.trim()}`);
  return join(folder, "wireguard");
}

function makeKeys(): { readonly secret: string; readonly open: string } {
  const { d, x } = generateKeyPairSync("x25519").privateKey.export({ format: "jwk" });
  const hex = (text: string | undefined): string => Buffer.from(text ?? "", "base64url").toString("hex");
  return { secret: hex(d), open: hex(x) };
}

/** @param folder where to put the program */
export async function startWireguard(lab: BenchLab, folder: string): Promise<Contender> {
  const program = build(folder);
  const { A, B } = lab.sites;
  const [keysA, keysB] = [makeKeys(), makeKeys()];
  const start = async (order: WireguardOrder, site: typeof A): Promise<LabProcess> => {
    const argv = ["unshare", "-m", process.execPath, hostProgram, JSON.stringify(order)];
    const host = lab.spawn(site.host, argv, { title: `wireguard-go in ${site.host.name}` });
    await host.waitForJson("ready", READY_TIMEOUT_MS);
    return host;
  };
  // Both routers keep the port, so that each side knows the other's address beforehand.
  const common = { program, port: UDP_PORT };
  const toA = { peerKey: keysA.open, endpoint: `${A.outerRouter.address}:${UDP_PORT}` };
  const toB = { peerKey: keysB.open, endpoint: `${B.outerRouter.address}:${UDP_PORT}` };
  const server = await start({ ...common, ...toB, secretKey: keysA.secret, address: "10.77.0.1" }, A);
  const client = await start({ ...common, ...toA, secretKey: keysB.secret, address: "10.77.0.2" }, B);
  for (let second = 0; ; second++) {
    const { code } = await lab.exec(B.host, ["nc", "-z", "-w", "1", "10.77.0.1", String(SERVICE_PORT)]);
    if (code === 0) break;
    if (second >= REACH_LIMIT_SECONDS) throw new Error("the two sides do not reach each other");
    await sleep(200);
  }
  const pidOf = (host: LabProcess): number => Number(host.events[0]?.fields.pid);
  return {
    name: "wireguard-go",
    lab,
    client: B.host,
    host: "10.77.0.1",
    port: SERVICE_PORT,
    processes: [
      { role: "client", pid: pidOf(client) },
      { role: "server", pid: pidOf(server) },
    ],
    description: `${VERSION.split("-").at(-1)}: IP packets over a TUN device, TCP done by the kernel; endpoints configured by hand`,
  };
}
