// The lab: real network namespaces behind real kernel NATs, made for one test file and removed behind it. A program runs
// in a host by `spawn` and `exec`; faults.ts breaks the network between them.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RENDEZVOUS_NAME } from "./ipv6-topology.ts";
import { LabFaults } from "./lab-faults.ts";
import { LabProcess, type ProcessEnd, type SpawnOptions } from "./lab-process.ts";
import { LabReaper } from "./lab-reaper.ts";
import { hasIpv6, type SiteKind } from "./router-rules.ts";
import { buildScript, type LabNode, type LabSite, nodesOf, planTopology, type Topology } from "./topology.ts";

/** Counts the labs of this process, whose names carry its id and this number. */
let labsMade = 0;

function run(script: string): void {
  const result = spawnSync("sh", ["-e"], { input: script, encoding: "utf8" });
  if (result.status !== 0) throw new Error(`the lab could not be built: ${result.stderr}`);
}

/** What /etc/hosts (hosts(5)) is in the lab: this machine's, without which programs would wait for a name server, and the lab's names. */
function hostsOf({ rendezvous }: Topology): string {
  const addresses = [rendezvous.ipv6, rendezvous.address].filter((address) => address !== undefined);
  return [readFileSync("/etc/hosts", "utf8"), ...addresses.map((address) => `${address} ${RENDEZVOUS_NAME}`), ""].join(
    "\n",
  );
}

export class Lab<Name extends string = string> {
  readonly sites: Readonly<Record<Name, LabSite>>;
  readonly rendezvous: LabNode;
  readonly faults: LabFaults;
  /** A folder that is removed with the lab. */
  readonly scratch: string;
  /** Whether any site has IPv6: then the rendezvous is to be used on both families, by its name. */
  readonly hasIpv6: boolean;
  private readonly reaper: LabReaper;
  private readonly hostsFile: string;

  private constructor(topology: Topology, reaper: LabReaper, scratch: string) {
    this.sites = Object.fromEntries(topology.sites.map((site) => [site.name, site])) as Record<Name, LabSite>;
    this.rendezvous = topology.rendezvous;
    this.scratch = scratch;
    this.reaper = reaper;
    this.hasIpv6 = topology.sites.some((site) => hasIpv6(site.kind));
    this.hostsFile = join(scratch, "hosts");
    if (this.hasIpv6) writeFileSync(this.hostsFile, hostsOf(topology));
    this.faults = new LabFaults(this, topology);
  }

  /** @param kinds the sites by name, each with what it is behind: `{ A: "port-restricted", B: "symmetric" }` */
  static async create<Name extends string>(kinds: Readonly<Record<Name, SiteKind>>): Promise<Lab<Name>> {
    const topology = planTopology(`lab${process.pid}-${++labsMade}`, kinds);
    const reaper = new LabReaper();
    try {
      const scratch = mkdtempSync(join(tmpdir(), "tunnel-lab-"));
      reaper.folder(scratch);
      for (const node of nodesOf(topology)) {
        // A name that is taken belongs to somebody else: this fails before the reaper hears of it.
        run(`[ ! -e /run/netns/${node.namespace} ]`);
        reaper.namespace(node.namespace);
        run(`ip netns add ${node.namespace}`);
      }
      run(buildScript(topology));
      return new Lab<Name>(topology, reaper, scratch);
    } catch (error) {
      await reaper.finish();
      throw error;
    }
  }

  /** Ends every process in the lab and removes it. */
  destroy(): Promise<void> {
    return this.reaper.finish();
  }

  /** Starts a program in a node. Its process id is the program's own. */
  spawn(node: LabNode, argv: readonly string[], options: SpawnOptions = {}): LabProcess {
    return new LabProcess(
      options.title ?? `${argv.join(" ")} in ${node.name}`,
      ["nsenter", `--net=/run/netns/${node.namespace}`, ...this.naming(), ...argv],
      options,
    );
  }

  /** Words before a command that make it know the lab's names. */
  private naming(): string[] {
    if (!this.hasIpv6) return [];
    return ["unshare", "--mount", "sh", "-c", `mount --bind ${this.hostsFile} /etc/hosts && exec "$@"`, "sh"];
  }

  /** Runs a program in a node to its end, with `input` as its input. */
  exec(node: LabNode, argv: readonly string[], input = ""): Promise<ProcessEnd> {
    const program = this.spawn(node, argv);
    program.write(input);
    program.endInput();
    return program.ended;
  }

  /** As exec. @returns stdout. @throws where the exit code is not 0. */
  async output(node: LabNode, argv: readonly string[], input = ""): Promise<string> {
    const end = await this.exec(node, argv, input);
    if (end.code !== 0) throw new Error(`${argv.join(" ")} in ${node.name}: exit code ${end.code}: ${end.stderr}`);
    return end.stdout;
  }
}
