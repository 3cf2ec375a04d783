// What `expose` and `connect` have in common: one agent on one UDP socket under the machine's identity, kept informed of the network
// and of its rendezvous, telling of paths and troubles, and ending politely.

import { setTimeout as sleep } from "node:timers/promises";
import { formatSocketAddress, type SocketAddress, socketAddress } from "../base/address.ts";
import { SHUTDOWN_LINGER_MS } from "../base/limits.ts";
import { randomBytes } from "../base/random.ts";
import type { Identity } from "../crypto/identity.ts";
import { bestPacketCipher } from "../crypto/packet-cipher.ts";
import { formatPeerId } from "../crypto/peer-id.ts";
import { formatHostAndPort, type HostAndPort, type RendezvousAddress } from "../crypto/rendezvous-address.ts";
import { letBackgroundYield } from "../io/background-threads.ts";
import { CarrierDialler } from "../io/carrier-dialler.ts";
import { ConnectionQuota } from "../io/connection-quota.ts";
import type { DatagramSocket } from "../io/datagram-socket.ts";
import { Driver } from "../io/driver.ts";
import { FineTimer } from "../io/fine-timer.ts";
import { FurtherSockets } from "../io/further-sockets.ts";
import { interfaceAddresses } from "../io/interface-addresses.ts";
import { loadLibc } from "../io/libc.ts";
import { monotonicNowMs } from "../io/monotonic-clock.ts";
import { NetworkWatch } from "../io/network-watch.ts";
import { PortMapper } from "../io/port-mapper.ts";
import { askForShortSlices } from "../io/scheduling-slice.ts";
import { systemRandom } from "../io/system-random.ts";
import { TcpForwarder } from "../io/tcp-forwarder.ts";
import { Agent } from "../tunnel/agent.ts";
import type { AgentEvent } from "../tunnel/agent-event.ts";
import type { Over } from "../tunnel/own-streams.ts";
import { type AgentChoices, agentSettings } from "./agent-settings.ts";
import { type CommandContext, endByBug } from "./command.ts";
import { tuneEngine } from "./engine-tuning.ts";
import { loadIdentity } from "./identity-file.ts";
import { openMainSocket } from "./main-socket.ts";
import { ReachableAddresses } from "./reachable-addresses.ts";
import { RendezvousDirectory } from "./rendezvous-directory.ts";
import { RendezvousPins } from "./rendezvous-pins.ts";
import { shutdownSignal } from "./shutdown-signal.ts";
import { stateDirectoryPath } from "./state-directory.ts";
import { readTestSettings, type TestSettings } from "./test-setting.ts";
import { OperatingError } from "./usage-error.ts";

type PathEvent = Extract<AgentEvent, { type: "path" }>;
type RendezvousEvent = Extract<AgentEvent, { type: "rendezvous" }>;

const overNames: Record<Over, string> = { udp: "UDP", tcp: "TCP", websocket: "WebSocket" };

export interface AgentProcessOptions extends AgentChoices {
  readonly context: CommandContext;
  readonly rendezvous: readonly RendezvousAddress[];
  /** The local UDP port; any that is free unless told. */
  readonly udpPort?: number | undefined;
  /** Ask the router to map our port; true unless told. */
  readonly portMapping?: boolean | undefined;
  /** Where this machine can be reached from outside, as its user says. */
  readonly addresses?: readonly HostAndPort[];
  /** Takes the events that are not the same for all. */
  onEvent(nowMs: number, event: AgentEvent): void;
  /** A rendezvous has been reached, and its key is known; at once where none is used. */
  onReady?(): void;
  /** This machine has other addresses, or has slept. */
  onNetworkChange?(): void;
  /** Lets go of what the command itself holds, before the agent closes its connections. */
  onShutdown?(): void;
}

export class AgentProcess {
  readonly identity: Identity;
  readonly agent: Agent;
  readonly forwarder: TcpForwarder;
  readonly quota: ConnectionQuota;
  private readonly options: AgentProcessOptions;
  private readonly socket: DatagramSocket;
  private readonly driver: Driver<AgentEvent>;
  private readonly furtherSockets: FurtherSockets;
  private readonly dialler: CarrierDialler;
  private readonly directory: RendezvousDirectory;
  private readonly network: NetworkWatch;
  private readonly portMapper: PortMapper | undefined;
  private readonly reachable: ReachableAddresses;
  private readonly settings: TestSettings;
  private ready = false;
  /** The rendezvous of which was told that they do not answer. */
  private readonly silent = new Set<string>();
  /** What each rendezvous was last reached over. */
  private readonly over = new Map<string, Over>();
  private end: (error?: OperatingError) => void = () => {};
  private readonly ended = new Promise<OperatingError | undefined>((resolve) => {
    this.end = resolve;
  });

  /** @throws OperatingError where the identity or a pin cannot be used. */
  static async open(options: AgentProcessOptions): Promise<AgentProcess> {
    const { env, log } = options.context;
    const stateDirectory = stateDirectoryPath(env);
    const identity = loadIdentity(stateDirectory);
    const pins = new RendezvousPins(stateDirectory);
    return new AgentProcess(options, identity, pins, await openMainSocket(options.udpPort, log));
  }

  private constructor(options: AgentProcessOptions, identity: Identity, pins: RendezvousPins, socket: DatagramSocket) {
    const { log, env } = options.context;
    this.options = options;
    this.identity = identity;
    this.socket = socket;
    this.quota = new ConnectionQuota(log);
    this.settings = readTestSettings(env);
    const fineTimer = FineTimer.open(loadLibc());
    void shutdownSignal().then((signal) => {
      log.info("shutting down", { signal });
      this.end();
    });
    this.agent = new Agent({
      identity,
      instance: randomBytes(systemRandom, 8),
      random: systemRandom,
      cipher: bestPacketCipher(),
      log,
      settings: agentSettings(options, this.settings, socket, fineTimer),
    });
    this.driver = new Driver<AgentEvent>({
      machine: this.agent,
      socket,
      fineTimer,
      onEvent: (nowMs, event) => this.onEvent(nowMs, event),
      onFault: (error) => endByBug(error, options.context.output.json),
    });
    this.furtherSockets = new FurtherSockets({
      log,
      add: (carrier, opened) => this.driver.addSocket(carrier, opened),
      remove: (carrier) => this.driver.closeSocket(carrier),
    });
    this.dialler = this.makeDialler();
    const wake = (): void => this.driver.wake();
    this.forwarder = new TcpForwarder({
      log,
      nowMs: monotonicNowMs,
      wake,
      settle: () => this.driver.settle(),
      quota: this.quota,
    });
    this.directory = this.makeDirectory(pins);
    this.reachable = new ReachableAddresses({
      announced: options.addresses ?? [],
      families: socket.families,
      onChange: (addresses) => {
        this.agent.setMappedAddresses(monotonicNowMs(), addresses);
        this.driver.wake();
      },
      onUnknownHost: (message) => options.context.output.trouble("unknown-host", message),
    });
    this.portMapper = this.makePortMapper();
    this.network = new NetworkWatch({
      read: () => interfaceAddresses({ loopback: this.settings.loopback, families: socket.families }),
      onChange: (change, hosts) => this.onNetworkChange(change, hosts),
    });
  }

  private makePortMapper(): PortMapper | undefined {
    const { portMapping = true, context } = this.options;
    // No router stands between two agents on one machine.
    if (!portMapping || this.settings.loopback) return undefined;
    return new PortMapper({
      port: this.socket.localPort,
      families: this.socket.families,
      log: context.log,
      onAddresses: (addresses) => this.reachable.onMapped(addresses),
      onFault: (error) => endByBug(error, context.output.json),
    });
  }

  private makeDialler(): CarrierDialler {
    const { log, env } = this.options.context;
    return new CarrierDialler({
      environment: env,
      log,
      onOpened: (goal, opened, socket) => {
        this.driver.addSocket(opened.carrier, socket);
        this.agent.onCarrierOpened(monotonicNowMs(), goal, opened);
        this.driver.wake();
      },
      onClosed: (carrier) => {
        this.driver.closeSocket(carrier);
        this.agent.onCarrierClosed(monotonicNowMs(), carrier);
        this.driver.wake();
      },
    });
  }

  private makeDirectory(pins: RendezvousPins): RendezvousDirectory {
    const { output } = this.options.context;
    return new RendezvousDirectory({
      rendezvous: this.options.rendezvous,
      pins,
      families: this.socket.families,
      nowMs: monotonicNowMs,
      onChange: (list) => {
        this.agent.setRendezvous(monotonicNowMs(), list);
        this.driver.wake();
      },
      onUnknownHost: (message) => output.trouble("unknown-host", message),
      isProxied: (host) => this.dialler.proxyTo(host) !== undefined,
      onKeyChanged: (error) => this.onRefusal(error),
    });
  }

  get peerId(): string {
    return formatPeerId(this.identity.publicKey);
  }

  /** The rendezvous with what is known of their keys. */
  get rendezvous(): readonly RendezvousAddress[] {
    return this.directory.addresses();
  }

  /** The families that the socket reaches. */
  get families(): readonly (4 | 6)[] {
    return this.socket.families;
  }

  /** Takes in what another socket has received, as if the main one had: the answer leaves from there. */
  receive(from: SocketAddress, bytes: Uint8Array): void {
    this.agent.handleDatagram(monotonicNowMs(), from, bytes);
    this.driver.wake();
  }

  /** Something was asked of the agent outside an event. */
  wake(): void {
    this.driver.wake();
  }

  /** @returns when the process was asked to end and has said so to its peers. @throws OperatingError where it cannot go on. */
  async run(): Promise<void> {
    this.announceAddresses(interfaceAddresses({ loopback: this.settings.loopback, families: this.socket.families }));
    tuneEngine();
    askForShortSlices();
    letBackgroundYield();
    this.driver.start();
    this.network.start();
    this.directory.start();
    this.portMapper?.start();
    this.reachable.start();
    if (this.options.rendezvous.length === 0) this.becomeReady(() => {});
    const error = await this.ended;
    await this.shutdown();
    if (error !== undefined) throw error;
  }

  private async shutdown(): Promise<void> {
    this.network.stop();
    this.directory.stop();
    this.reachable.stop();
    this.dialler.stop();
    this.options.onShutdown?.();
    this.agent.shutdown(monotonicNowMs());
    this.forwarder.resetAll();
    this.driver.flush();
    await Promise.all([sleep(SHUTDOWN_LINGER_MS), this.portMapper?.stop()]);
    this.driver.stop();
    this.furtherSockets.closeAll();
    this.socket.close();
  }

  private onNetworkChange(change: string, hosts: readonly string[]): void {
    this.options.context.log.info("the network changed", { change, addresses: hosts.join(" ") });
    this.announceAddresses(hosts);
    this.directory.refresh();
    this.portMapper?.refresh();
    this.reachable.refresh();
    this.options.onNetworkChange?.();
  }

  private announceAddresses(hosts: readonly string[]): void {
    const addresses = hosts
      .map((host) => socketAddress(host, this.socket.localPort))
      .filter((address) => address !== undefined);
    this.agent.setLocalAddresses(monotonicNowMs(), addresses);
    this.driver.wake();
  }

  private onEvent(nowMs: number, event: AgentEvent): void {
    const { forwarder } = this;
    switch (event.type) {
      case "readable":
        forwarder.onReadable(event.stream);
        break;
      case "writable":
        forwarder.onWritable(event.stream);
        break;
      case "stream-reset":
        forwarder.onStreamReset(event.stream);
        break;
      case "stop-sending":
        forwarder.onStopSending(event.stream);
        break;
      case "open-udp-sockets":
        this.furtherSockets.open(event.carriers);
        break;
      case "close-udp-sockets":
        this.furtherSockets.close(event.carriers);
        break;
      case "carrier-wanted":
        void this.dialler.open(event.goal);
        break;
      case "carrier-unwanted":
        this.driver.closeSocket(event.carrier);
        break;
      case "path":
        this.tellPath(event);
        break;
      case "rendezvous":
        this.onRendezvous(event);
        break;
    }
    this.options.onEvent(nowMs, event);
  }

  private tellPath(event: PathEvent): void {
    const { output } = this.options.context;
    const peerId = formatPeerId(event.peer);
    const remote = formatSocketAddress(event.remote);
    const rttMs = Math.round(event.rttMs * 100) / 100;
    const where =
      event.via === "direct" ? `${output.green("direct")} to ${remote}` : `${output.yellow("relayed")} by ${remote}`;
    const by = event.over === "udp" ? "" : ` over ${overNames[event.over]}`;
    output.event(
      { event: "path", peerId, via: event.via, remote, rttMs, ...(event.over === "udp" ? {} : { over: event.over }) },
      `${peerId.slice(0, 8)}… ${where}${by} (round trip ${rttMs} ms)`,
    );
  }

  private onRendezvous(event: RendezvousEvent): void {
    const { output } = this.options.context;
    const where = formatHostAndPort(event);
    if (event.state === "connected") {
      this.directory.onAnswer(event);
      if (this.onRendezvousConnected(event)) this.tellReached(where, event.over ?? "udp");
      return;
    }
    this.silent.add(where);
    const lost = event.state === "lost";
    output.trouble(
      lost ? "rendezvous-lost" : "rendezvous-unreachable",
      lost
        ? `the rendezvous ${where} does not answer any more (${event.message}); direct connections go on, and it is tried again until it is back`
        : `cannot reach the rendezvous ${where} (${event.message}); trying again until it answers. Check the address, and that UDP or TCP gets there.`,
      { address: where },
    );
    void this.directory.onSilent(event);
  }

  /** Scripts are told each time; a person where it was missed, or is reached another way than before. */
  private tellReached(where: string, over: Over): void {
    const { log, output } = this.options.context;
    const lines = this.silent.delete(where) ? [`The rendezvous ${where} is there now.`] : [];
    if (over !== (this.over.get(where) ?? "udp")) {
      log.info("the way to the rendezvous has changed", { rendezvous: where, over });
      if (over === "udp") lines.push(`The rendezvous ${where} is reached over UDP again.`);
      else lines.push(`UDP does not get through to the rendezvous ${where}; going on over ${overNames[over]}.`);
    }
    this.over.set(where, over);
    output.event({ event: "rendezvous", address: where, state: "connected", over }, lines.join("\n"));
  }

  /** @returns false where its key is refused. */
  private onRendezvousConnected({ publicKey, ...place }: RendezvousEvent): boolean {
    return this.becomeReady(() => publicKey && this.directory.onConnected(place, publicKey));
  }

  private becomeReady(before: () => void): boolean {
    try {
      before();
      this.options.onReady?.();
      this.ready = true;
      return true;
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      this.onRefusal(error);
      return false;
    }
  }

  private onRefusal(error: OperatingError): void {
    // At the start a person is there to decide. A tunnel that has been running is not given up: another rendezvous may be a
    // forgery, and a disk that is full may be emptied.
    if (this.ready) this.options.context.output.trouble(error.code, error.message);
    else this.end(error);
  }
}
