// One side of wireguard-go: starts the program, configures it over its control socket (the cross-platform userspace
// interface of WireGuard), gives its device an address, and stays until it is killed. It runs in a mount namespace of its own,
// because the control socket always lies in /var/run/wireguard.
//
// node wireguard-host.js <order as JSON>

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** All keys in hexadecimal. */
export interface WireguardOrder {
  readonly program: string;
  readonly secretKey: string;
  readonly port: number;
  readonly peerKey: string;
  readonly endpoint: string;
  /** Of the device, in a network of 24 bits. */
  readonly address: string;
}

const DEVICE = "wg0";
const SOCKET = `/var/run/wireguard/${DEVICE}.sock`;

function run(program: string, ...args: string[]): void {
  const result = spawnSync(program, args, { encoding: "utf8" });
  if (result.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.error?.message ?? result.stderr}`);
}

/** Waits for the first answer to a request. */
function ask(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(SOCKET, () => socket.write(request));
    socket.once("error", reject);
    socket.once("data", (chunk: Buffer) => {
      socket.destroy();
      resolve(chunk.toString("latin1"));
    });
  });
}

const order = JSON.parse(process.argv[2] ?? "{}") as WireguardOrder;
run("mount", "-t", "tmpfs", "tmpfs", "/run");
mkdirSync("/run/wireguard");
const child = spawn(order.program, ["-f", DEVICE], { stdio: "inherit", env: { ...process.env, LOG_LEVEL: "error" } });
child.on("exit", () => process.exit(1));
for (let turn = 0; turn < 50 && !existsSync(SOCKET); turn++) await sleep(100);
const settings = [
  "set=1",
  `private_key=${order.secretKey}`,
  `listen_port=${order.port}`,
  `public_key=${order.peerKey}`,
  `endpoint=${order.endpoint}`,
  "persistent_keepalive_interval=5",
  "allowed_ip=10.77.0.0/24",
];
const answer = await ask(`${settings.join("\n")}\n\n`);
if (!answer.startsWith("errno=0")) throw new Error(`wireguard-go refused its configuration: ${answer}`);
run("ip", "address", "add", `${order.address}/24`, "dev", DEVICE);
run("ip", "link", "set", DEVICE, "up");
console.log(JSON.stringify({ event: "ready", pid: child.pid }));
