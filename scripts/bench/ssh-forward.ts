// `ssh -L` from the client's host to an sshd on the service's host, whose port its router forwards. The keys are made for
// the run.

import { spawnSync } from "node:child_process";
import { SshSetup } from "../../test/apps/ssh-setup.ts";
import { type BenchLab, type Contender, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";
import { forwardPort, listens } from "./plain-tcp.ts";

const SSH_PORT = 2222;
const LOCAL_PORT = 4100;

export async function startSshForward(lab: BenchLab): Promise<Contender> {
  const sshd = spawnSync("sh", ["-c", "command -v sshd"], { encoding: "utf8" }).stdout.trim();
  if (sshd === "") throw new Error("there is no sshd; on Debian: apt-get install openssh-server");
  const setup = new SshSetup(lab.scratch, SSH_PORT);
  await forwardPort(lab, SSH_PORT);
  const server = lab.spawn(lab.sites.A.host, setup.server, { title: "sshd" });
  await server.waitForLine(/listening on 0\.0\.0\.0/, READY_TIMEOUT_MS);
  const forward = `127.0.0.1:${LOCAL_PORT}:127.0.0.1:${SERVICE_PORT}`;
  const goal = `${setup.user}@${lab.sites.A.router.address}`;
  const once = ["-o", "ExitOnForwardFailure=yes", "-p", String(SSH_PORT), "-L", forward];
  const argv = ["ssh", "-N", ...setup.options, ...once, goal];
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
