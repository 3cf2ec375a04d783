// `ssh -L` from the client's host to an sshd on the service's host, whose port its router forwards. The keys are made for
// the run. sshd wants a folder in /run, which it gets in a mount namespace of its own, so that nothing is left behind.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { type BenchLab, type Contender, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";
import { forwardPort, listens } from "./plain-tcp.ts";

const SSH_PORT = 2222;
const LOCAL_PORT = 4100;

function makeKey(path: string): void {
  const made = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`ssh-keygen: ${made.error?.message ?? made.stderr}`);
}

export async function startSshForward(lab: BenchLab): Promise<Contender> {
  const file = (name: string): string => join(lab.scratch, name);
  const sshd = spawnSync("sh", ["-c", "command -v sshd"], { encoding: "utf8" }).stdout.trim();
  if (sshd === "") throw new Error("there is no sshd; on Debian: apt-get install openssh-server");
  makeKey(file("ssh-host-key"));
  makeKey(file("ssh-user-key"));
  writeFileSync(file("authorized-keys"), readFileSync(file("ssh-user-key.pub")));
  const settings = [
    `Port ${SSH_PORT}`,
    `HostKey ${file("ssh-host-key")}`,
    `AuthorizedKeysFile ${file("authorized-keys")}`,
    "StrictModes no",
    "PermitRootLogin yes",
    "PasswordAuthentication no",
    "UsePAM no",
    "PidFile none",
  ];
  writeFileSync(file("sshd-config"), `${settings.join("\n")}\n`);
  await forwardPort(lab, SSH_PORT);
  const start = `mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec ${sshd} -D -e -f ${file("sshd-config")}`;
  const server = lab.spawn(lab.sites.A.host, ["unshare", "-m", "sh", "-c", start], { title: "sshd" });
  await server.waitForLine(/listening on 0\.0\.0\.0/, READY_TIMEOUT_MS);
  const options = [
    "StrictHostKeyChecking=no",
    "ExitOnForwardFailure=yes",
    `UserKnownHostsFile=${file("known-hosts")}`,
    `IdentityFile=${file("ssh-user-key")}`,
    "IdentitiesOnly=yes",
  ].flatMap((option) => ["-o", option]);
  const forward = `127.0.0.1:${LOCAL_PORT}:127.0.0.1:${SERVICE_PORT}`;
  const goal = `${userInfo().username}@${lab.sites.A.router.address}`;
  const argv = ["ssh", "-N", "-F", "/dev/null", ...options, "-p", String(SSH_PORT), "-L", forward, goal];
  const client = lab.spawn(lab.sites.B.host, argv, { title: "ssh" });
  await listens(lab, client, LOCAL_PORT);
  const version = spawnSync("ssh", ["-V"], { encoding: "utf8" }).stderr.trim().split(",")[0];
  return {
    name: "ssh -L",
    lab,
    client: lab.sites.B.host,
    host: "127.0.0.1",
    port: LOCAL_PORT,
    processes: [
      { role: "ssh", pid: client.pid },
      { role: "sshd", pid: server.pid },
    ],
    description: `${version} with its default cipher, over a port forward in the same routers`,
  };
}
