// A link with weather between two places on the public segment: between two sites, or a site and the rendezvous. What the two say to each
// other goes through it instead of over the bridge, and so past the cuts and losses of lab-faults.ts; everybody else's way stays as it is.
//
//   router A ── wan ──── public segment ──── wan ── router B
//       └────── wan1 ═══ scripts/link.ts ═══ wan1 ──────┘      a route to the other's addresses leads here
//
// It has to be there before the two have spoken: a router that finds that its way out has changed forgets the flow.

import { accessSync, constants } from "node:fs";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { DirectionReport } from "../../scripts/link/link-direction.ts";
import { type LinkSettings, type LinkWay, writeSettings } from "../../scripts/link/link-settings.ts";
import { loadTunLibc } from "../../src/io/tun-libc.ts";
import type { Lab } from "./lab.ts";
import type { LabEvent, LabProcess } from "./lab-process.ts";
import type { LabNode } from "./topology.ts";

const program = fileURLToPath(new URL("../../scripts/link.js", import.meta.url));
const START_TIMEOUT_MS = 10_000;
const ANSWER_TIMEOUT_MS = 2_000;
const MTU_BYTES = 1500;
/** What the kernel keeps for a link that is late, and of a burst: 240 ms of 500 Mbit/s. What it drops the link never sees. */
const QUEUE_PACKETS = 10_000;

export interface LinkReport {
  /** Since the counting began. */
  readonly spanMs: number;
  readonly there: DirectionReport;
  readonly back: DirectionReport;
}

/** Leaves a test out where this machine has no TUN devices for it. @returns whether it did. */
export function skipsWithoutLink(context: TestContext): boolean {
  let reason = loadTunLibc() === undefined ? "koffi is not here, or the machine is not known" : undefined;
  try {
    accessSync("/dev/net/tun", constants.R_OK | constants.W_OK);
  } catch (error) {
    reason = `no TUN device: ${(error as Error).message}`;
  }
  if (reason !== undefined) context.skip(reason);
  return reason !== undefined;
}

/** Links that lead out of each node. */
const linksOf = new WeakMap<LabNode, number>();

export class UserspaceLink {
  private readonly process: LabProcess;

  private constructor(process: LabProcess) {
    this.process = process;
  }

  /** Sites are named by their outer routers. The promise resolves when everything goes through the link. */
  static async between(
    lab: Lab,
    first: LabNode,
    second: LabNode,
    settings: Partial<LinkSettings> = {},
  ): Promise<UserspaceLink> {
    const ends = [first, second].map((node) => {
      const number = (linksOf.get(node) ?? 0) + 1;
      linksOf.set(node, number);
      return { node, device: `wan${number}` };
    });
    const args = ends.map(({ node, device }) => {
      const namespace = `/run/netns/${node.namespace}`;
      return JSON.stringify({ namespace, device, address: node.address, prefixBits: 32, mtuBytes: MTU_BYTES });
    });
    const process_ = lab.spawn(first, [process.execPath, program, ...args], {
      title: `the link from ${first.name} to ${second.name}`,
    });
    await process_.waitForJson("ready", START_TIMEOUT_MS);
    const link = new UserspaceLink(process_);
    await link.change(settings);
    for (const [index, { node, device }] of ends.entries()) {
      await lab.output(node, ["ip", "link", "set", device, "txqueuelen", String(QUEUE_PACKETS)]);
      const other = index === 0 ? second : first;
      for (const address of new Set([other.address, ...other.publicAddresses])) {
        await lab.output(node, ["ip", "route", "add", address, "dev", device, "src", node.address]);
      }
    }
    return link;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** A refusal shows in the message of the error, with the program's last words. */
  private ask(order: Record<string, unknown>, answer: string): Promise<LabEvent> {
    const from = this.process.events.length;
    this.process.write(`${JSON.stringify(order)}\n`);
    return this.process.waitForJson(answer, ANSWER_TIMEOUT_MS, () => true, from);
  }

  /** Changes the weather from now on. @param way "there" is from the first place to the second. */
  async change(settings: Partial<LinkSettings>, way: LinkWay = "both"): Promise<void> {
    await this.ask({ order: "change", way, settings: writeSettings(settings) }, "changed");
  }

  async report(): Promise<LinkReport> {
    return (await this.ask({ order: "report" }, "report")).fields as unknown as LinkReport;
  }

  /** As report, and what is counted begins anew. */
  async forget(): Promise<LinkReport> {
    return (await this.ask({ order: "forget" }, "report")).fields as unknown as LinkReport;
  }

  /** Takes the link away: its devices go with it, and the way leads over the public segment again. */
  async remove(): Promise<void> {
    this.process.endInput();
    await this.process.ended;
  }
}
