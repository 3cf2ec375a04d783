// What an sshd and an ssh that know nothing of this machine's settings need: keys made for the occasion, and the words to start them.

import { spawnSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";

function makeKey(path: string): void {
  const made = spawnSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`ssh-keygen: ${made.error?.message ?? made.stderr}`);
}

export class SshSetup {
  private readonly folder: string;

  /**
   * @param folder where keys and settings are put
   * @param port of the server
   */
  constructor(folder: string, port: number) {
    this.folder = folder;
    makeKey(this.file("ssh-host-key"));
    makeKey(this.file("ssh-user-key"));
    copyFileSync(this.file("ssh-user-key.pub"), this.file("authorized-keys"));
    const settings = [
      `Port ${port}`,
      `HostKey ${this.file("ssh-host-key")}`,
      `AuthorizedKeysFile ${this.file("authorized-keys")}`,
      "Subsystem sftp internal-sftp",
      "StrictModes no",
      "PermitRootLogin yes",
      "PasswordAuthentication no",
      "UsePAM no",
      "PidFile none",
    ];
    writeFileSync(this.file("sshd-config"), `${settings.join("\n")}\n`);
  }

  private file(name: string): string {
    return join(this.folder, name);
  }

  /** The server, in the foreground. sshd as root wants a folder in /run, which it gets in a mount namespace of its own. */
  get server(): string[] {
    // sshd starts itself again for each connection and wants to know its own whole path for that.
    const start = `exec "$(command -v sshd)" -D -e -f ${this.file("sshd-config")}`;
    if (process.getuid?.() !== 0) return ["sh", "-c", start];
    return ["unshare", "-m", "sh", "-c", `mount -t tmpfs tmpfs /run && mkdir /run/sshd && ${start}`];
  }

  /** The user to log in as. */
  get user(): string {
    return userInfo().username;
  }

  /** Options that ssh, scp and sftp share. */
  get options(): string[] {
    const options = [
      "StrictHostKeyChecking=no",
      `UserKnownHostsFile=${this.file("known-hosts")}`,
      `IdentityFile=${this.file("ssh-user-key")}`,
      "IdentitiesOnly=yes",
      "BatchMode=yes",
    ];
    return ["-F", "/dev/null", ...options.flatMap((option) => ["-o", option])];
  }
}
