// Two hosts on one link and nothing else, as on a switch that leads nowhere: no router, no rendezvous. Each is a network namespace;
// a veth pair is the cable.

import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LabProcess } from "./lab-process.ts";
import { LabReaper } from "./lab-reaper.ts";

const program = fileURLToPath(new URL("../../cmd/tunnel.js", import.meta.url));

let made = 0;

export class OneLink {
  readonly scratch = mkdtempSync(join(tmpdir(), "tunnel-lab-"));
  private readonly prefix = `link${process.pid}-${++made}`;
  private readonly reaper = new LabReaper();

  /** @param addresses of hosts "a" and "b", with their prefix lengths */
  constructor(addresses: { readonly a: readonly string[]; readonly b: readonly string[] }) {
    this.reaper.folder(this.scratch);
    for (const name of ["a", "b"]) this.reaper.namespace(`${this.prefix}-${name}`);
    const up = (name: "a" | "b"): string[] => [
      ...addresses[name].map((address) => `ip -n ${this.prefix}-${name} address add ${address} dev eth0 nodad`),
      `ip -n ${this.prefix}-${name} link set lo up`,
      `ip -n ${this.prefix}-${name} link set eth0 up`,
    ];
    const lines = [
      `ip netns add ${this.prefix}-a`,
      `ip netns add ${this.prefix}-b`,
      `ip -n ${this.prefix}-a link add eth0 type veth peer name eth0 netns ${this.prefix}-b`,
      ...up("a"),
      ...up("b"),
    ];
    const result = spawnSync("sh", ["-e"], { input: `${lines.join("\n")}\n`, encoding: "utf8" });
    if (result.status !== 0) throw new Error(`the link could not be built: ${result.stderr}`);
  }

  /** Runs `ip` in a host, with these words. */
  configure(host: "a" | "b", words: string): void {
    const argv = ["-n", `${this.prefix}-${host}`, ...words.split(" ")];
    const result = spawnSync("ip", argv, { encoding: "utf8" });
    if (result.status !== 0) throw new Error(`ip ${argv.join(" ")}: ${result.stderr}`);
  }

  spawn(host: "a" | "b", argv: readonly string[], env: Readonly<Record<string, string>> = {}): LabProcess {
    const enter = ["nsenter", `--net=/run/netns/${this.prefix}-${host}`];
    return new LabProcess(`${argv.join(" ")} in ${host}`, [...enter, ...argv], { env });
  }

  /** Starts tunnel with `--json`. @param state the name of its state directory, and so of its identity */
  tunnel(host: "a" | "b", state: string, ...args: string[]): LabProcess {
    const env = { HOME: this.scratch, TUNNEL_STATE_DIR: join(this.scratch, state), TUNNEL_RENDEZVOUS: "" };
    return this.spawn(host, [process.execPath, program, ...args, "--json"], env);
  }

  destroy(): Promise<void> {
    return this.reaper.finish();
  }
}
