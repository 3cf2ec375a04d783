// The program itself in the lab: rendezvous, expose and connect as processes in their hosts, driven and watched
// through nothing but the command line and its JSON lines, as a script would.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { RENDEZVOUS_NAME } from "./ipv6-topology.ts";
import { Lab } from "./lab.ts";
import type { LabEvent, LabProcess } from "./lab-process.ts";
import { MachinePace } from "./machine-pace.ts";
import { assertNats } from "./nat-observation.ts";
import type { SiteKind } from "./router-rules.ts";
import { type LabNode, rendezvousAddresses } from "./topology.ts";

const program = fileURLToPath(new URL("../../cmd/tunnel.js", import.meta.url));
const fileServer = fileURLToPath(new URL("./file-server.js", import.meta.url));

const RENDEZVOUS_PORT = 4700;
/** Generous: on a busy machine a program may wait for seconds until it has had its turn. */
const START_TIMEOUT_MS = 30_000;

/** How a program is started, where it differs from the usual. */
export interface StartOptions {
  /** Programs with equal words share a state directory, and so an identity; the host's name where absent. */
  readonly identity?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Takes the place of /etc/hosts for it; may be rewritten while it runs. */
  readonly hostsFile?: string;
}

/** Gives a program an /etc/hosts of its own; its arguments are the file and the program. */
const WITH_HOSTS_FILE = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"'];

export interface Exposed {
  readonly process: LabProcess;
  readonly peerId: string;
  readonly ticket: string;
}

export interface Connected {
  readonly process: LabProcess;
  /** "127.0.0.1:3000". */
  readonly local: string;
}

const text = (event: LabEvent, field: string): string => {
  const value = event.fields[field];
  if (typeof value !== "string") throw new Error(`"${event.event}" has no ${field}: ${JSON.stringify(event.fields)}`);
  return value;
};

export class LabTunnel {
  readonly lab: Lab<"A" | "B">;
  /** The service's side, and the client's. */
  readonly serviceHost: LabNode;
  readonly clientHost: LabNode;
  /** For claims in milliseconds. */
  readonly pace = new MachinePace();
  private readonly started: LabProcess[] = [];
  private rendezvousAddress = "";

  constructor(lab: Lab<"A" | "B">) {
    this.lab = lab;
    this.serviceHost = lab.sites.A.host;
    this.clientHost = lab.sites.B.host;
  }

  /** Starts the program with `--json`. */
  start(node: LabNode, args: readonly string[], options: StartOptions = {}): LabProcess {
    if (!existsSync(program)) throw new Error(`${program} is not built`);
    const { identity = node.name, env = {}, hostsFile } = options;
    const wrapper = hostsFile === undefined ? [] : [...WITH_HOSTS_FILE, hostsFile];
    const process_ = this.lab.spawn(node, [...wrapper, process.execPath, program, ...args, "--json"], {
      title: `tunnel ${args[0]} in ${node.name}`,
      env: {
        HOME: this.lab.scratch,
        TUNNEL_STATE_DIR: join(this.lab.scratch, `state-${identity}`),
        TUNNEL_RENDEZVOUS: this.rendezvousAddress,
        ...env,
      },
    });
    this.started.push(process_);
    return process_;
  }

  /**
   * Starts the rendezvous, again under the same identity and address where it ran before.
   * @param alternate whether it has another port and address, by which agents find out what their NATs do; in a lab with IPv6 another
   *   port alone, since it listens on all its addresses there
   * @param args more words of its command line
   */
  async startRendezvous({ alternate = false, args = [] as readonly string[] } = {}): Promise<LabProcess> {
    const { rendezvous } = this.lab;
    const [first, second] = rendezvousAddresses;
    const places = this.lab.hasIpv6
      ? ["--listen", `[::]:${RENDEZVOUS_PORT}`, ...(alternate ? ["--alternate", `${RENDEZVOUS_PORT + 1}`] : [])]
      : alternate
        ? ["--listen", `${first}:${RENDEZVOUS_PORT}`, "--alternate", `${second}:${RENDEZVOUS_PORT + 1}`]
        : ["--listen", `0.0.0.0:${RENDEZVOUS_PORT}`];
    const process = this.start(rendezvous, ["rendezvous", ...places, ...args]);
    const ready = await process.waitForJson("ready", START_TIMEOUT_MS);
    const { websocketPort } = ready.fields;
    const ports = websocketPort === undefined ? RENDEZVOUS_PORT : `${RENDEZVOUS_PORT}/${websocketPort}`;
    this.rendezvousAddress = `${text(ready, "id")}@${this.lab.hasIpv6 ? RENDEZVOUS_NAME : rendezvous.address}:${ports}`;
    return process;
  }

  async expose(port: number, options: StartOptions = {}): Promise<Exposed> {
    const process = this.start(this.serviceHost, ["expose", String(port), ...(options.args ?? [])], options);
    const ready = await process.waitForJson("ready", START_TIMEOUT_MS);
    return { process, peerId: text(ready, "peerId"), ticket: text(ready, "ticket") };
  }

  /** @param goal a ticket or a peer id */
  async connect(goal: string, port: number, options: StartOptions = {}): Promise<Connected> {
    const args = ["connect", goal, "--listen", `127.0.0.1:${port}`, ...(options.args ?? [])];
    const process = this.start(this.clientHost, args, options);
    return { process, local: text(await process.waitForJson("listening", START_TIMEOUT_MS), "local") };
  }

  /** Starts a `connect` that waits for `tellTicket`. */
  startConnect(port: number, options: StartOptions = {}): LabProcess {
    const args = ["connect", "-", "--listen", `127.0.0.1:${port}`, ...(options.args ?? [])];
    return this.start(this.clientHost, args, options);
  }

  /** @returns where it listens from then on. */
  async tellTicket(connect: LabProcess, ticket: string): Promise<string> {
    connect.write(`${ticket}\n`);
    connect.endInput();
    return text(await connect.waitForJson("listening", START_TIMEOUT_MS), "local");
  }

  /** Starts an HTTP server to expose; it serves contents by length and seed. */
  async serveFiles(port: number): Promise<LabProcess> {
    const server = this.lab.spawn(this.serviceHost, [process.execPath, fileServer, String(port)]);
    await server.waitForJson("ready", START_TIMEOUT_MS);
    return server;
  }

  /** The last words of every program that was started. */
  describe(): string {
    return this.started.map((process) => `==== ${process.title}\n${process.tail()}`).join("\n");
  }
}

/** Where a side's data went last. */
export const remoteOf = ({ events }: LabProcess): string =>
  String(events.findLast(({ event }) => event === "path")?.fields.remote);

/** Waits for a program to say that its traffic goes this way. @param from how many of its events to pass over */
export function pathEvent(
  process: LabProcess,
  via: "relay" | "direct",
  timeoutMs: number,
  from = 0,
): Promise<LabEvent> {
  return process.waitForJson("path", timeoutMs, (event) => event.fields.via === via, from);
}

/** @returns the bytes that a node has received on its uplink so far. */
export async function receivedBytes(lab: Lab, node: LabNode): Promise<number> {
  const table = await lab.output(node, ["cat", "/proc/net/dev"]);
  const row = table.split("\n").find((line) => line.trim().startsWith(`${node.uplink}:`));
  return Number(row?.split(":")[1]?.trim().split(/\s+/)[0]);
}

/**
 * A test in a lab of its own: a rendezvous, the service's site A and the client's site B, whose NATs have been proven to be
 * what they are called. When it fails, the last words of all programs are shown.
 */
export function labTest(
  name: string,
  kinds: { readonly A: SiteKind; readonly B: SiteKind },
  body: (tunnel: LabTunnel, context: TestContext) => Promise<void>,
): void {
  test(name, async (context) => {
    const lab = await Lab.create<"A" | "B">(kinds);
    const tunnel = new LabTunnel(lab);
    try {
      await assertNats(lab, lab.sites.A, lab.sites.B);
      await tunnel.pace.look();
      await body(tunnel, context);
    } catch (error) {
      context.diagnostic(tunnel.describe());
      throw error;
    } finally {
      await lab.destroy();
    }
  });
}
