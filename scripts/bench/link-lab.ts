// The place where links are measured: two sites without NAT, and between their routers a userspace link through which all goes that they
// say to each other. There is no rendezvous: the tunnel knows the address of the other side, so that the link is the only way there is.
//
//   load client, connect ── B ── router ═══ link ═══ router ── A ── expose, load server          the data goes from A to B

import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Lab } from "../../test/lab/lab.ts";
import type { LabProcess } from "../../test/lab/lab-process.ts";
import { LabTunnel } from "../../test/lab/lab-tunnel.ts";
import { UserspaceLink } from "../../test/lab/userspace-link.ts";
import { type BenchLab, READY_TIMEOUT_MS, SERVICE_PORT } from "./contender.ts";
import { type LinkCell, queueBytesOf } from "./link-cell.ts";
import type { LoadOrder } from "./load-order.ts";

/** What the data goes over: this program as it is or told to use BBR, or the kernel's TCP with that congestion controller. */
export type FlowKind = "tunnel" | "tunnel-bbr" | "cubic" | "bbr";

/** A way to the service that is ready for a load. */
export interface Flow {
  readonly host: string;
  readonly port: number;
  /** The processes that carry the data; none where the kernel does. */
  readonly pids: readonly number[];
  readonly end: () => Promise<void>;
}

const TUNNEL_UDP_PORT = 4800;
const LOCAL_PORT = 4000;
/** Below the link's own. */
const REAL_TIME_PRIORITY = 1;
/** Buffers of the kernel's TCP, the default of which would be the limit instead of the link: five times the longest link of the grid. */
const TCP_BUFFER_BYTES_MAX = 64 * 1024 * 1024;
const loadClient = fileURLToPath(new URL("./load-client.js", import.meta.url));
const loadServer = fileURLToPath(new URL("./load-server.js", import.meta.url));

export class LinkLab {
  readonly lab: BenchLab;
  readonly link: UserspaceLink;
  private readonly tunnel: LabTunnel;
  private gateway = "";
  private server: LabProcess | undefined;
  /** Whether the processes of the flows come before all others of this machine. */
  isHurried = false;
  /** Which pairs of agents are running; each pair has its own ports and identities. */
  private readonly tunnels: boolean[] = [];

  private constructor(lab: BenchLab, link: UserspaceLink) {
    this.lab = lab;
    this.link = link;
    this.tunnel = new LabTunnel(lab);
  }

  static async create(): Promise<LinkLab> {
    const lab = await Lab.create<"A" | "B">({ A: "none", B: "none" });
    try {
      const { A, B } = lab.sites;
      const created = new LinkLab(lab, await UserspaceLink.between(lab, A.outerRouter, B.outerRouter));
      await created.prepare();
      return created;
    } catch (error) {
      await lab.destroy();
      throw error;
    }
  }

  private async prepare(): Promise<void> {
    const { A, B } = this.lab.sites;
    this.keepProcessorsAwake();
    const settings = [
      `net.ipv4.tcp_rmem=4096 131072 ${TCP_BUFFER_BYTES_MAX}`,
      `net.ipv4.tcp_wmem=4096 65536 ${TCP_BUFFER_BYTES_MAX}`,
      // A flow that inherited the slow start threshold of the one before would not be measured on its own.
      "net.ipv4.tcp_no_metrics_save=1",
    ];
    for (const { host } of [A, B]) await this.lab.output(host, ["sysctl", "-q", "-w", ...settings]);
    const route = await this.lab.output(A.host, ["ip", "route", "show", "default"]);
    this.gateway = /via (\S+)/.exec(route)?.[1] ?? "";
    this.server = this.lab.spawn(A.host, [process.execPath, loadServer, String(SERVICE_PORT)]);
    await this.server.waitForJson("ready", READY_TIMEOUT_MS);
    await this.hurry(this.server.pid);
  }

  /**
   * A processor that has nothing to do sleeps, and where it is a virtual one its host wakes it up a millisecond late: the link, and who paces
   * packets, are then late together. Programs that want whatever nobody else does keep all of them busy and give way at once.
   */
  private keepProcessorsAwake(): void {
    for (let i = 0; i < availableParallelism(); i++) {
      this.lab.spawn(this.lab.rendezvous, ["chrt", "--idle", "0", process.execPath, "-e", "for (;;);"]);
    }
  }

  /** Makes the link what the cell says. */
  async become(cell: LinkCell): Promise<void> {
    const { rateMbps, rttMs, lossPercent } = cell;
    await this.link.change({ rateMbps, delayMs: rttMs / 2, queueBytes: queueBytesOf(cell), lossProbability: 0 });
    await this.link.change({ lossProbability: lossPercent / 100 }, "there");
  }

  /** Waits until all that is still under way on the link of this cell has come out of it. */
  async drain({ rttMs, bufferBdp }: LinkCell): Promise<void> {
    await sleep(150 + rttMs * (1 + bufferBdp));
  }

  /** @returns packets that the kernel dropped on their way into the link, where the link does not see them. */
  async droppedBefore(): Promise<number> {
    const table = await this.lab.output(this.lab.sites.A.outerRouter, ["cat", "/proc/net/dev"]);
    const row = table.split("\n").find((line) => line.trim().startsWith("wan1:"));
    // Behind the name eight columns of what came in, then of what went out: bytes, packets, errors, drops.
    return Number(row?.split(":")[1]?.trim().split(/\s+/)[11]);
  }

  /** @returns packets for which a UDP socket of the two hosts had no room, because its process did not get to read. */
  async overflowed(): Promise<number> {
    const { A, B } = this.lab.sites;
    let packets = 0;
    for (const { host } of [A, B]) {
      const [names = [], values = []] = (await this.lab.output(host, ["cat", "/proc/net/snmp"]))
        .split("\n")
        .filter((line) => line.startsWith("Udp:"))
        .map((line) => line.split(" "));
      packets += Number(values[names.indexOf("RcvbufErrors")]);
    }
    return packets;
  }

  /** @param controller what the kernel's TCP of the service's host sends with from now on, towards the client. */
  private async kernelFlow(controller: "cubic" | "bbr"): Promise<Flow> {
    const { A, B } = this.lab.sites;
    // A route may name a controller that no unprivileged socket of a namespace may choose.
    const route = ["ip", "route", "replace", B.host.address, "via", this.gateway, "congctl", controller];
    await this.lab.output(A.host, route);
    return { host: A.host.address, port: SERVICE_PORT, pids: [], end: async () => {} };
  }

  /** Starts two agents of their own, which know nothing of the link yet. */
  private async tunnelFlow(words: readonly string[]): Promise<Flow> {
    const { A } = this.lab.sites;
    const number = this.tunnels.indexOf(false) < 0 ? this.tunnels.length : this.tunnels.indexOf(false);
    this.tunnels[number] = true;
    const args = ["--address", `${A.host.address}:${TUNNEL_UDP_PORT + number}`, ...words];
    const exposed = await this.tunnel.expose(SERVICE_PORT, { identity: `expose-${number}`, args });
    const port = LOCAL_PORT + number;
    const connected = await this.tunnel.connect(exposed.ticket, port, { identity: `connect-${number}` });
    const processes = [exposed.process, connected.process];
    for (const { pid } of processes) await this.hurry(pid);
    return {
      host: "127.0.0.1",
      port,
      pids: processes.map(({ pid }) => pid),
      end: async () => {
        await Promise.all(processes.map((each) => each.stop("SIGKILL")));
        this.tunnels[number] = false;
      },
    };
  }

  start(kind: FlowKind): Promise<Flow> {
    if (kind === "tunnel") return this.tunnelFlow([]);
    return kind === "tunnel-bbr" ? this.tunnelFlow(["--congestion", "bbr"]) : this.kernelFlow(kind);
  }

  /** What works besides the flows and their clients: the link and the load server. */
  get pids(): number[] {
    return [this.link.pid, this.server?.pid ?? -1];
  }

  /** What is measured is the link: where this user may do so, whatever else runs on the machine has to wait for who uses it. */
  private async hurry(pid: number): Promise<void> {
    const argv = ["chrt", "--all-tasks", "--rr", "--pid", String(REAL_TIME_PRIORITY), String(pid)];
    this.isHurried = (await this.lab.exec(this.lab.rendezvous, argv)).code === 0;
  }

  load({ host, port }: Flow, order: LoadOrder): LabProcess {
    const first = this.isHurried ? ["chrt", "--rr", String(REAL_TIME_PRIORITY)] : [];
    const argv = [...first, process.execPath, loadClient, host, String(port), JSON.stringify(order)];
    return this.lab.spawn(this.lab.sites.B.host, argv, { title: `load ${order.load}` });
  }

  destroy(): Promise<void> {
    return this.lab.destroy();
  }
}
