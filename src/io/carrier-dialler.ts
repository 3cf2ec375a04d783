// Opens the stream carriers that an agent asks for. Towards a rendezvous all ways are tried side by side, since nobody can know which
// of them a network lets through: TCP, a WebSocket, and both through the HTTP proxy where there is one. The agent uses the first
// over which the rendezvous answers.

import { isIP, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type SocketAddress, socketAddress } from "../base/address.ts";
import { STREAM_CARRIER_MIN, STREAM_OPEN_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Carrier } from "../base/route.ts";
import type { CarrierGoal, OpenedCarrier, PeerGoal, RendezvousGoal } from "../tunnel/carrier-goal.ts";
import { connectByProxy, isException, proxyOf } from "./http-proxy.ts";
import { QueueBudget } from "./packet-queue.ts";
import type { StreamCarrier, StreamCarrierOptions } from "./stream-carrier.ts";
import { tcpCarrier } from "./tcp-carrier.ts";
import { connectFirst, connectSimultaneously } from "./tcp-connecting.ts";

export interface CarrierDiallerOptions {
  /** Where HTTPS_PROXY and NO_PROXY are. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** The carrier has to be taken in before anything comes of it. */
  onOpened(goal: CarrierGoal, opened: OpenedCarrier, socket: StreamCarrier): void;
  onClosed(carrier: Carrier): void;
}

/** One way to a rendezvous: opens a connection to one of its ports. */
interface Way {
  readonly byProxy: boolean;
  connect(port: number): Promise<Socket>;
}

/** A connection, and how a carrier is made of it. */
interface OpenedStream {
  readonly connection: Socket;
  make(options: StreamCarrierOptions): StreamCarrier;
}

export class CarrierDialler {
  private readonly options: CarrierDiallerOptions;
  private readonly proxy: URL | undefined;
  private readonly budget = new QueueBudget();
  private readonly carriers = new Map<Carrier, StreamCarrier>();
  /** Rendezvous that are being dialled. */
  private readonly dialling = new Set<string>();
  private readonly stopped = new AbortController();
  private next = STREAM_CARRIER_MIN;

  constructor(options: CarrierDiallerOptions) {
    this.options = options;
    const proxy = proxyOf(options.environment);
    if (proxy !== undefined && "problem" in proxy) options.log.warn(`${proxy.problem}; going on without a proxy`);
    else this.proxy = proxy;
  }

  /** Tries to reach the goal. What is under way already is not begun twice. @returns when every way has been tried. */
  open(goal: CarrierGoal): Promise<void> {
    return goal.to === "peer" ? this.openToPeer(goal) : this.openToRendezvous(goal);
  }

  /** @returns the proxy by which a host is reached, if any. */
  proxyTo(host: string): URL | undefined {
    return isException(this.options.environment, host) ? undefined : this.proxy;
  }

  /** Nothing is opened any more. */
  stop(): void {
    this.stopped.abort();
  }

  // ---- the rendezvous

  private async openToRendezvous(goal: RendezvousGoal): Promise<void> {
    const place = `${goal.host}:${goal.port}`;
    if (this.dialling.has(place)) return;
    this.dialling.add(place);
    await Promise.all(
      this.waysTo(goal).flatMap((way) => [
        this.attempt(goal, way, "tcp", () => openTcp(goal, way)),
        this.attempt(goal, way, "websocket", () => openByWebSocket(goal, way)),
      ]),
    );
    this.dialling.delete(place);
  }

  private waysTo({ host, addresses }: RendezvousGoal): Way[] {
    const ways: Way[] = [];
    const proxy = this.proxyTo(host);
    if (addresses.length > 0) {
      ways.push({ byProxy: false, connect: (port) => connectFirst(addresses.map((at) => ({ ...at, port }))) });
    }
    if (proxy !== undefined) {
      ways.push({ byProxy: true, connect: (port) => connectByProxy(proxy, host, port) });
    }
    return ways;
  }

  private async attempt(
    goal: RendezvousGoal,
    { byProxy }: Way,
    kind: OpenedCarrier["kind"],
    open: () => Promise<OpenedStream>,
  ): Promise<void> {
    let stream: OpenedStream;
    try {
      stream = await open();
    } catch (error) {
      // That a way leads nowhere is what most of them are expected to do.
      const reason = error instanceof AggregateError ? String(error.errors[0]) : String(error);
      this.options.log.debug("a way to the rendezvous is closed", { host: goal.host, kind, byProxy, reason });
      return;
    }
    this.take(goal, { kind, byProxy }, stream);
  }

  // ---- a peer

  private async openToPeer(goal: PeerGoal): Promise<void> {
    const beside = this.carriers.get(goal.beside);
    if (beside === undefined) return;
    const { localHost, localPort } = beside;
    let connection: Socket;
    try {
      connection = await connectSimultaneously(goal.remote, { localHost, localPort }, this.stopped.signal);
    } catch (error) {
      const remote = `${goal.remote.host}:${goal.remote.port}`;
      this.options.log.debug("no TCP connection to the peer came about", { remote, reason: String(error) });
      return;
    }
    const make = (options: StreamCarrierOptions): StreamCarrier => tcpCarrier(connection, options);
    this.take(goal, { kind: "tcp", byProxy: false }, { connection, make });
  }

  // ---- what was opened

  private take(
    goal: CarrierGoal,
    how: Pick<OpenedCarrier, "kind" | "byProxy">,
    { connection, make }: OpenedStream,
  ): void {
    const remote = remoteOf(goal, connection);
    if (this.stopped.signal.aborted || connection.destroyed || remote === undefined) {
      connection.destroy();
      return;
    }
    const carrier = this.next++;
    const socket = make({
      remote,
      budget: this.budget,
      onClosed: () => {
        if (this.carriers.delete(carrier)) this.options.onClosed(carrier);
      },
    });
    this.carriers.set(carrier, socket);
    this.options.onOpened(goal, { carrier, remote, ...how }, socket);
  }
}

async function openTcp({ port }: RendezvousGoal, way: Way): Promise<OpenedStream> {
  const connection = await way.connect(port);
  return { connection, make: (options) => tcpCarrier(connection, options) };
}

async function openByWebSocket({ host, websocketPort: port }: RendezvousGoal, way: Way): Promise<OpenedStream> {
  // Most networks let UDP through. What is needed where they do not is a seventh of a start, and is loaded when it comes to that.
  const { openWebSocket, WEBSOCKET_PATH, websocketCarrier } = await import("./websocket-carrier.ts");
  const secured = await secure(host, await way.connect(port)).catch(() => undefined);
  // Where TLS is not spoken, a rendezvous may be listening without a certificate.
  const connection = secured ?? (await way.connect(port));
  const name = host.includes(":") ? `[${host}]` : host;
  const url = `${secured === undefined ? "ws" : "wss"}://${name}:${port}${WEBSOCKET_PATH}`;
  const socket = await openWebSocket(url, connection);
  return { connection, make: (options) => websocketCarrier(socket, connection, options) };
}

/**
 * TLS for the network's sake: it lets HTTPS pass. The rendezvous proves its key inside, in its own handshake, so a certificate
 * that nobody has signed, or that a proxy which looks into everything puts in its place, does no harm.
 */
async function secure(host: string, socket: Socket): Promise<TLSSocket> {
  const { connect: connectTls } = await import("node:tls");
  return new Promise((resolve, reject) => {
    const secured = connectTls({
      socket,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: false,
    });
    const timer = setTimeout(() => secured.destroy(new Error("no answer")), STREAM_OPEN_MS);
    secured.on("error", (error) => {
      socket.destroy();
      reject(error);
    });
    secured.once("close", () => {
      clearTimeout(timer);
      reject(new Error("the connection was closed"));
    });
    secured.once("secureConnect", () => {
      clearTimeout(timer);
      resolve(secured);
    });
  });
}

/** Where the packets go: behind a proxy the rendezvous itself, as far as its address is known. */
function remoteOf(goal: CarrierGoal, { remoteAddress, remotePort }: Socket): SocketAddress | undefined {
  const connected = socketAddress(remoteAddress ?? "", remotePort ?? 0);
  if (goal.to === "peer") return goal.remote;
  const known = goal.addresses.some(({ host }) => host === connected?.host);
  return known ? connected : (goal.addresses[0] ?? connected);
}
