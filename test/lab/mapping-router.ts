// A router of the lab that maps ports when it is asked: miniupnpd, as home routers run it, beside the NAT that the router is.
//
// It maps nothing on an address that nobody may have on the Internet, and all of the lab's are such (RFC 5737). The routers therefore
// get a second address outside each, in a network that is set aside for tests in amateur radio and exists nowhere else.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import type { LabNode, LabSite } from "./topology.ts";

export type MappingLanguage = "PCP" | "NAT-PMP" | "UPnP";

const NETWORK = "44.128.0";

/** The rules that miniupnpd writes into, and what keeps requests of a language that it is not to speak from it. */
function rules(languages: readonly MappingLanguage[]): string {
  // One port is for two languages. Where it speaks neither, nobody listens there, and the kernel says so.
  const deaf = (language: MappingLanguage, version: number): string =>
    listensToDatagrams(languages) && !languages.includes(language) ? `udp dport 5351 @th,64,8 ${version} drop` : "";
  return `
table inet mapping {
  chain ports { }
  chain redirects { }
  chain peers { }
  chain forward { type filter hook forward priority filter - 1; jump ports; }
  chain prerouting { type nat hook prerouting priority dstnat; jump redirects; }
  chain postrouting { type nat hook postrouting priority srcnat; jump peers; }
  chain input {
    type filter hook input priority filter - 1
    ${deaf("PCP", 2)}
    ${deaf("NAT-PMP", 0)}
  }
}
`;
}

const listensToDatagrams = (languages: readonly MappingLanguage[]): boolean =>
  languages.some((language) => language !== "UPnP");

const settings = (languages: readonly MappingLanguage[], leaseFile: string): string => `
ext_ifname=wan
listening_ip=lan
ipv6_disable=yes
secure_mode=yes
enable_upnp=${languages.includes("UPnP") ? "yes" : "no"}
enable_natpmp=${listensToDatagrams(languages) ? "yes" : "no"}
upnp_table_name=mapping
upnp_nat_table_name=mapping
upnp_forward_chain=ports
upnp_nat_chain=redirects
upnp_nat_postrouting_chain=peers
lease_file=${leaseFile}
`;

/** Gives the routers of these sites a second address outside each, the first one for those who ask. */
export async function giveMappableAddresses(lab: Lab, ...sites: LabSite[]): Promise<void> {
  for (const { outerRouter } of sites) {
    const script = [
      `ip address del ${outerRouter.address}/24 dev wan`,
      `ip address add ${mappableAddress(outerRouter)}/24 dev wan`,
      `ip address add ${outerRouter.address}/24 dev wan`,
    ];
    await lab.output(outerRouter, ["sh", "-e"], script.join("\n"));
  }
}

const mappableAddress = (router: LabNode): string => `${NETWORK}.${router.address.split(".").at(-1)}`;

export class MappingRouter {
  /** The address on which it maps ports. */
  readonly address: string;
  private readonly lab: Lab;
  private readonly router: LabNode;
  private readonly folder: string;
  private process: LabProcess | undefined;

  /** The router of this site begins to map ports; it has a mappable address already. */
  static async start(lab: Lab, site: LabSite, languages: readonly MappingLanguage[]): Promise<MappingRouter> {
    const router = new MappingRouter(lab, site.router);
    writeFileSync(router.settingsFile, settings(languages, router.leaseFile));
    await lab.output(site.router, ["nft", "-f", "-"], rules(languages));
    await router.run();
    return router;
  }

  private constructor(lab: Lab, router: LabNode) {
    this.lab = lab;
    this.router = router;
    this.folder = lab.scratch;
    this.address = mappableAddress(router);
  }

  private get settingsFile(): string {
    return join(this.folder, `${this.router.name}-mapping.conf`);
  }

  private get leaseFile(): string {
    return join(this.folder, `${this.router.name}-leases`);
  }

  private async run(): Promise<void> {
    const pidFile = join(this.folder, `${this.router.name}-mapping.pid`);
    const argv = ["miniupnpd", "-d", "-f", this.settingsFile, "-P", pidFile];
    this.process = this.lab.spawn(this.router, argv);
    await this.process.waitForLine(/listening on port|NAT-PMP\/PCP traffic on port/i, 5000);
  }

  /** It is switched off and on: what it had mapped is forgotten. */
  async restart(): Promise<void> {
    await this.process?.stop("SIGKILL");
    const chains = ["ports", "redirects", "peers"].map((chain) => `flush chain inet mapping ${chain}`);
    writeFileSync(this.leaseFile, "");
    await this.lab.output(this.router, ["nft", "-f", "-"], chains.join("\n"));
    await this.run();
  }

  /** @returns where each port that is mapped now leads, as the kernel has it: "192.168.1.10:41000". */
  async mappings(): Promise<string[]> {
    const chain = await this.lab.output(this.router, ["nft", "list", "chain", "inet", "mapping", "redirects"]);
    return [...chain.matchAll(/dnat ip to (\S+)/g)].map((match) => match[1] as string);
  }

  /** @returns the lines of the file in which it keeps what it has mapped. */
  leases(): string[] {
    return readFileSync(this.leaseFile, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  }

  /** What it last said, for messages. */
  tail(): string {
    return this.process?.tail() ?? "";
  }
}
