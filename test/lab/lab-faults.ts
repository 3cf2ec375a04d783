// What goes wrong between the hosts of the lab: UDP cut between two places, TCP ports closed, packets lost at random, NATs that forget,
// narrow and slow links. Cuts and losses happen on the public segment, where no router and no host knows of them.

import type { Lab } from "./lab.ts";
import type { LabNode, Topology } from "./topology.ts";

/** A cut that can be mended. */
export interface Cut {
  restore(): Promise<void>;
}

/** Seconds after which a router forgets a UDP flow. */
export interface ConntrackTimeouts {
  /** No answer has come yet: 30 s on Linux. */
  readonly unansweredSeconds: number;
  /** Answered: 120 s on Linux. */
  readonly answeredSeconds: number;
}

export class LabFaults {
  private readonly lab: Lab;
  private readonly publicSegment: LabNode;
  private readonly onSegment: readonly LabNode[];
  private readonly outerRouters: readonly LabNode[];

  constructor(lab: Lab, topology: Topology) {
    this.lab = lab;
    this.publicSegment = topology.publicSegment;
    this.outerRouters = topology.sites.map((site) => site.outerRouter);
    this.onSegment = [topology.rendezvous, ...topology.sites.map((site) => site.outerRouter)];
  }

  private nft(rules: string): Promise<string> {
    return this.lab.output(this.publicSegment, ["nft", "-f", "-"], rules);
  }

  /** Drops every UDP packet of IPv4 between two nodes, in both directions; TCP passes. */
  async cutUdp(a: LabNode, b: LabNode): Promise<Cut> {
    const pairs = a.publicAddresses.flatMap((x) => b.publicAddresses.flatMap((y) => [`${x} . ${y}`, `${y} . ${x}`]));
    return this.drop("cut", pairs);
  }

  /** Drops every packet of IPv6 on the public segment, of whatever protocol. */
  cutIpv6(): Promise<Cut> {
    return this.drop("dead", ["ip6"]);
  }

  private async drop(set: "cut" | "closed" | "dead", members: readonly (string | number)[]): Promise<Cut> {
    const elements = `element bridge faults ${set} { ${members.join(", ")} }`;
    await this.nft(`add ${elements}`);
    return {
      restore: async () => {
        await this.nft(`delete ${elements}`);
      },
    };
  }

  /** Drops every UDP packet of IPv4 on the public segment; TCP passes. */
  async cutAllUdp(): Promise<Cut> {
    const pairs = this.onSegment.flatMap((a, i) => this.onSegment.slice(i + 1).map((b) => [a, b] as const));
    const cuts = await Promise.all(pairs.map(([a, b]) => this.cutUdp(a, b)));
    return {
      restore: async () => {
        await Promise.all(cuts.map((cut) => cut.restore()));
      },
    };
  }

  /** Drops every TCP packet to one of these ports on the public segment, without a word. */
  async closeTcpPorts(...ports: readonly number[]): Promise<Cut> {
    return this.drop("closed", ports);
  }

  /** Drops that share of all packets on the public segment, at random; 0 ends it. */
  async dropRandom(percent: number): Promise<void> {
    // The kernel carries what a program sent in one call as one packet for as long as it can: such a bundle would be
    // lost whole. This makes it take them apart before the public segment.
    const segments = percent > 0 ? 1 : 65_535;
    for (const node of this.onSegment) {
      await this.lab.output(node, ["ip", "link", "set", node.uplink, "gso_max_segs", String(segments)]);
    }
    const threshold = Math.round(percent * 1000);
    const drop = `add rule bridge faults losing meta protocol { ip, ip6 } numgen random mod 100000 < ${threshold} drop`;
    await this.nft(`flush chain bridge faults losing\n${threshold > 0 ? drop : ""}`);
  }

  /**
   * Makes the way to each site as long as if it led through so many routers, for packets of IPv4 that have few hops left: they die before
   * the site's own router knows of them. In the lab by itself that is the first router that they meet.
   */
  async setRoutersBetween(count: number): Promise<void> {
    const rule = `chain arriving { type filter hook prerouting priority -400; iifname "wan*" ip ttl <= ${count} drop; }`;
    const rules = `add table ip hops\ndelete table ip hops\ntable ip hops {\n${count > 0 ? rule : ""}\n}`;
    for (const router of this.outerRouters) await this.lab.output(router, ["nft", "-f", "-"], rules);
  }

  /** Makes a router forget every flow, as one that was restarted. */
  async flushConntrack(router: LabNode): Promise<void> {
    await this.lab.output(router, ["conntrack", "-F"]);
  }

  /** @returns the UDP flows that a router remembers, one line for each as `conntrack -L` writes them. */
  async flowsAlive(router: LabNode): Promise<string[]> {
    const text = await this.lab.output(router, ["conntrack", "-L", "-p", "udp"]);
    return text.split("\n").filter((line) => line.startsWith("udp"));
  }

  /** Holds for flows from now on and, as their packets come, for those that are there. */
  async setConntrackTimeouts(router: LabNode, timeouts: ConntrackTimeouts): Promise<void> {
    const setting = "net.netfilter.nf_conntrack_udp_timeout";
    const values = [`${setting}=${timeouts.unansweredSeconds}`, `${setting}_stream=${timeouts.answeredSeconds}`];
    await this.lab.output(router, ["sysctl", "-w", ...values]);
  }

  /**
   * Narrows the link between a node and the public segment. Outbound, the node knows of it and tells senders with ICMP;
   * inbound, and with `silent` both ways, packets that are too long vanish without a word.
   * @param mtuBytes of an IP packet; 1500 is what every link begins with
   */
  async setMtu(node: LabNode, mtuBytes: number, silent = false): Promise<void> {
    // Bundles of packets would pass a narrow link untouched.
    const settings = ["mtu", String(mtuBytes), "gso_max_segs", mtuBytes < 1500 ? "1" : "65535"];
    await this.lab.output(this.publicSegment, ["ip", "link", "set", node.name, ...settings]);
    const own = silent ? settings.slice(2) : settings;
    await this.lab.output(node, ["ip", "link", "set", node.uplink, ...own]);
  }

  /** Limits what a node sends outwards. @param megabitsPerSecond undefined ends it */
  async setRate(node: LabNode, megabitsPerSecond: number | undefined): Promise<void> {
    const device = ["dev", node.uplink, "root"];
    if (megabitsPerSecond === undefined) {
      await this.lab.output(node, ["tc", "qdisc", "delete", ...device]);
      return;
    }
    const limits = ["rate", `${megabitsPerSecond}mbit`, "burst", "64kb", "latency", "50ms"];
    await this.lab.output(node, ["tc", "qdisc", "replace", ...device, "tbf", ...limits]);
  }
}
