// `tunnel connect`: offers a peer's service on a local port, until the process is told to end. The port is there from the
// start: what connects before the tunnel is up waits, and loses nothing.

import type { Socket } from "node:net";
import { formatPeerId } from "../crypto/peer-id.ts";
import { formatHostPort, parsePort } from "../io/forward-target.ts";
import { lanGroups } from "../io/lan-listener.ts";
import { LocalListener } from "../io/local-listener.ts";
import { monotonicNowMs } from "../io/monotonic-clock.ts";
import { WaitingConnections } from "../io/waiting-connections.ts";
import type { AgentEvent } from "../tunnel/agent-event.ts";
import type { Dial } from "../tunnel/dial.ts";
import { describeStreamCode, streamCode } from "../wire/stream-code.ts";
import { AgentProcess, type AgentProcessOptions } from "./agent-process.ts";
import type { CommandContext } from "./command.ts";
import { parseCongestionOption } from "./congestion-option.ts";
import { type ConnectGoal, parseGoal } from "./connect-goal.ts";
import { type DirectOptions, type DirectWays, parseDirectOptions } from "./direct-option.ts";
import { type ListenPlace, listenError, parseListenOption } from "./listen-option.ts";
import { PeerAddresses } from "./peer-addresses.ts";
import { missingRendezvous, parseRendezvousOption } from "./rendezvous-option.ts";
import { parseResumeOption } from "./resume-option.ts";
import { readTicketText, type TicketSourceOptions } from "./ticket-source.ts";
import { systemCode } from "./usage-error.ts";

/** As the command line gives them. */
export interface ConnectOptions extends TicketSourceOptions, DirectOptions {
  readonly service?: string | undefined;
  readonly listen?: string | undefined;
  readonly rendezvous: readonly string[];
  readonly congestion?: string | undefined;
  readonly resumeTimeout?: string | undefined;
}

/** @returns when the process was asked to end. @throws UsageError, OperatingError */
export async function runConnect(options: ConnectOptions, context: CommandContext): Promise<void> {
  const listen = options.listen === undefined ? undefined : parseListenOption(options.listen, "127.0.0.1");
  const named = parseRendezvousOption(options.rendezvous, context.env);
  const direct = parseDirectOptions(options);
  const transport = {
    congestion: parseCongestionOption(options.congestion),
    resumeTimeoutMs: parseResumeOption(options.resumeTimeout),
  };
  const goal = parseGoal(await readTicketText(options, context.env), options, named, direct.addresses);
  if (goal.rendezvous.length === 0 && goal.addresses.length === 0 && !direct.lan) throw missingRendezvous();
  await new ConnectProcess(goal, direct, transport, context).run(listen);
}

type TransportOptions = Pick<AgentProcessOptions, "congestion" | "resumeTimeoutMs">;

class ConnectProcess {
  private readonly goal: ConnectGoal;
  private readonly direct: DirectWays;
  private readonly transport: TransportOptions;
  private readonly context: CommandContext;
  private readonly waiting = new WaitingConnections();
  private process: AgentProcess | undefined;
  private dial: Dial | undefined;
  private addresses: PeerAddresses | undefined;
  /** The reason that was told last for streams that the other side refuses; told once until one succeeds. */
  private toldCode: number | undefined;
  private toldWaiting = false;

  constructor(goal: ConnectGoal, direct: DirectWays, transport: TransportOptions, context: CommandContext) {
    this.goal = goal;
    this.direct = direct;
    this.transport = transport;
    this.context = context;
  }

  async run(listen: ListenPlace | undefined): Promise<void> {
    const { goal, context } = this;
    const process = await AgentProcess.open({
      context,
      rendezvous: goal.rendezvous,
      udpPort: this.direct.udpPort,
      spray: this.direct.spray,
      ...this.transport,
      portMapping: this.direct.portMapping,
      onNetworkChange: () => this.addresses?.refresh(),
      onEvent: (_nowMs, event) => this.onEvent(event),
      onShutdown: () => {
        listener.close();
        this.addresses?.stop();
        this.waiting.resetAll();
      },
    });
    this.process = process;
    const listener = new LocalListener({
      log: context.log,
      quota: process.quota,
      onConnection: (socket) => this.onConnection(socket),
    });
    const local = await listenLocally(listener, listen, goal.service, context);
    const dial = process.agent.dial(monotonicNowMs(), {
      peer: goal.peer,
      service: goal.service,
      ...(goal.secret === undefined ? {} : { secret: goal.secret }),
    });
    this.dial = dial;
    this.addresses = new PeerAddresses({
      addresses: goal.addresses,
      groups: this.direct.lan ? lanGroups(process.families) : [],
      families: process.families,
      onChange: (addresses) => {
        dial.setAddresses(monotonicNowMs(), addresses);
        process.wake();
      },
      onUnknownHost: (message) => context.output.trouble("unknown-host", message),
    });
    const peerId = formatPeerId(goal.peer);
    context.output.event(
      { event: "listening", service: goal.service, local, peerId },
      `Listening on ${context.output.bold(local)}, connecting to ${peerId.slice(0, 8)}… Ctrl-C ends it.`,
    );
    this.addresses.start();
    await process.run();
  }

  private onEvent(event: AgentEvent): void {
    const { output } = this.context;
    switch (event.type) {
      case "dial-ready":
        this.toldWaiting = false;
        this.connectWaiting();
        break;
      case "dial-waiting":
        output.trouble(event.reason, event.message);
        this.addresses?.refresh();
        break;
      case "stream-reset":
        this.tellReset(event.code);
        break;
      case "readable":
        this.toldCode = undefined;
        break;
    }
  }

  private onConnection(socket: Socket): void {
    // Those who came first go first.
    if (this.waiting.size === 0 && this.connectOne(socket)) return;
    if (this.waiting.add(socket)) {
      this.context.log.warn("too many connections wait for the tunnel; the oldest was reset", {
        waiting: this.waiting.size,
      });
    }
    if (!this.toldWaiting) {
      this.toldWaiting = true;
      this.context.log.info("a local connection waits until the tunnel is up");
    }
  }

  private connectWaiting(): void {
    for (let socket = this.waiting.oldest(); socket !== undefined; socket = this.waiting.oldest()) {
      if (!this.connectOne(socket)) return;
      this.waiting.remove(socket);
    }
  }

  /** @returns false while no stream can be opened. */
  private connectOne(socket: Socket): boolean {
    const { process, dial } = this;
    if (process === undefined || dial === undefined) return false;
    const stream = dial.openStream(monotonicNowMs());
    if (stream === undefined) return false;
    process.forwarder.attach(stream, socket);
    return true;
  }

  private tellReset(code: number): void {
    // A connection that was reset is everyday life, and one that ended with the tunnel has a code of the tunnel's; the others
    // are about the service, and want to be known.
    const isAboutService = code > streamCode.connectionReset && code <= streamCode.outOfResources;
    if (!isAboutService || code === this.toldCode) return;
    this.toldCode = code;
    this.context.output.trouble("stream-refused", `a connection was refused: ${describeStreamCode(code)}`);
  }
}

/** @returns "host:port" of where it listens. @throws OperatingError */
async function listenLocally(
  listener: LocalListener,
  place: ListenPlace | undefined,
  service: string,
  context: CommandContext,
): Promise<string> {
  if (place === undefined) {
    const host = "127.0.0.1";
    const port = parsePort(service);
    if (port !== undefined) {
      try {
        return formatHostPort(host, await listener.listen(host, port));
      } catch (error) {
        const code = systemCode(error);
        if (code !== "EADDRINUSE" && code !== "EACCES") throw listenError(error, { host, port }, "TCP");
        const why = code === "EACCES" ? "may not be used by this user" : "is in use here";
        context.output.note(`Port ${port} ${why}; taking one that is free. Choose another with --listen.`);
      }
    }
    return formatHostPort(host, await listener.listen(host, 0));
  }
  try {
    return formatHostPort(place.host, await listener.listen(place.host, place.port));
  } catch (error) {
    throw listenError(error, place, "TCP");
  }
}
