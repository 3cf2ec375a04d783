// The UDP socket on Node's dgram: one socket for both families where the machine has IPv6, else IPv4 alone. One socket, because
// a NAT's mapping belongs to the port that hole punching, the rendezvous and the data all have to share. Where the machine can
// (offload-socket.ts), batches leave and arrive in one call each, and dgram sends only what had to wait; it reads where libuv
// cannot tell us by itself that something came.
//
// dgram keeps a reference to what the kernel did not take at once, so that a batch which was queued must not be written again
// before it is gone: such a batch is put aside, and `transmit` shows a fresh one.

import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIP } from "node:net";
import { isMulticast, type SocketAddress, socketAddress } from "../base/address.ts";
import { LAN_PORT, SOCKET_BUFFER_BYTES, SOCKET_SENDERS_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { Transmit } from "../base/transmit.ts";
import type { DatagramCounters, DatagramHandlers, DatagramSocket } from "./datagram-socket.ts";
import { dgramHandle } from "./dgram-handle.ts";
import { multicastInterfaces } from "./multicast-interfaces.ts";
import type { OffloadReceiver } from "./offload-receiver.ts";
import type { OffloadSender } from "./offload-sender.ts";
import { type OffloadSocket, openOffloadSocket } from "./offload-socket.ts";

/** Where to bind. Without a host: every address of both families. */
export interface UdpSocketOptions {
  /** An IP address. "::" takes both families. */
  readonly host?: string;
  /** 0 or nothing: a port that is free. */
  readonly port?: number;
  readonly log: Log;
  /** False: dgram alone, even where the machine can do better. So does TUNNEL_TEST_NO_OFFLOAD=1, for tests of whole programs. */
  readonly offload?: boolean;
  /** False: dgram reads the first message of each turn, even where libuv can tell us by itself that something came. */
  readonly watch?: boolean;
}

const offloadByDefault = process.env.TUNNEL_TEST_NO_OFFLOAD !== "1";

type BoundSocket = OffloadSocket | { readonly socket: Socket };

/** @throws the error of the system, with its `code`, where the address cannot be bound. */
export async function openUdpSocket(options: UdpSocketOptions): Promise<DatagramSocket> {
  const { host } = options;
  if (host !== undefined) return new UdpSocket(await bind(host, options), host, options);
  try {
    return new UdpSocket(await bind("::", options), "::", options);
  } catch (error) {
    // A kernel without IPv6 says one of these; anything else (the port is in use) is the caller's to know.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL" && code !== "EINVAL") throw error;
    return new UdpSocket(await bind("0.0.0.0", options), "0.0.0.0", options);
  }
}

async function bind(
  host: string,
  { port = 0, log, offload = offloadByDefault }: UdpSocketOptions,
): Promise<BoundSocket> {
  const family = isIP(host) === 6 ? 6 : 4;
  const create = (): Socket =>
    createSocket({
      type: family === 6 ? "udp6" : "udp4",
      ipv6Only: false,
      // Hosts are IP addresses already; Node's own lookup would put every send off to the next tick.
      lookup: (address, _options, done) => done(null, address, family),
    });
  const offloaded = offload ? openOffloadSocket({ host, port, log }, create) : undefined;
  return offloaded ?? { socket: await bindPlain(create(), host, port) };
}

function bindPlain(socket: Socket, host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once("error", (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
  });
}

/** Bytes of payload that the smaller of the socket's two buffers is good for: Linux reports twice what is usable (socket(7)). */
function grantedBufferBytes(socket: Socket): number {
  const reported = Math.min(socket.getRecvBufferSize(), socket.getSendBufferSize());
  return reported / (process.platform === "linux" ? 2 : 1);
}

/** What the system caps is the same for every socket of this process, and is said once. */
let capTold = false;

/** Asks for large buffers: the kernel's default holds a few milliseconds of a fast link. It grants up to its own maximum. */
function raiseBuffers(socket: Socket, log: Log): void {
  // A socket that was given more than the maximum, as root may, must not ask again: it would fall back to the maximum.
  if (grantedBufferBytes(socket) >= SOCKET_BUFFER_BYTES) return;
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
    socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  } catch (error) {
    log.debug("the socket's buffers keep the size that the system gave them", { error: String(error) });
  }
  const grantedBytes = grantedBufferBytes(socket);
  if (grantedBytes >= SOCKET_BUFFER_BYTES || capTold) return;
  capTold = true;
  log.info("the kernel caps the buffers of UDP sockets; fast transfers may lose packets", {
    grantedBytes,
    wantedBytes: SOCKET_BUFFER_BYTES,
    remedy: `sysctl -w net.core.rmem_max=${SOCKET_BUFFER_BYTES} net.core.wmem_max=${SOCKET_BUFFER_BYTES}`,
  });
}

class UdpSocket implements DatagramSocket {
  readonly localPort: number;
  readonly localHost: string;
  readonly families: readonly (4 | 6)[];
  readonly neverFragments: boolean;
  readonly counters: DatagramCounters = { sentDatagrams: 0, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 };
  transmit = new Transmit();

  private readonly socket: Socket;
  private readonly sender: OffloadSender | undefined;
  private readonly receiver: OffloadReceiver | undefined;
  private readonly log: Log;
  private readonly watch: boolean;
  private readonly mapIpv4: boolean;
  /** Batches that the kernel has not taken yet. */
  private readonly queued: Transmit[] = [];
  private readonly spare: Transmit[] = [];
  private readonly senders = new SenderCache();
  private handlers: DatagramHandlers | undefined;
  private closed = false;

  constructor(bound: BoundSocket, host: string, { log, watch = true }: UdpSocketOptions) {
    const { socket } = bound;
    this.socket = socket;
    this.neverFragments = "createSender" in bound && bound.neverFragments;
    if ("createSender" in bound) {
      this.sender = bound.createSender(this.counters);
      this.receiver = bound.createReceiver(this.counters, (info) => this.senders.get(info));
    }
    this.log = log;
    this.watch = watch;
    this.localPort = socket.address().port;
    this.localHost = host;
    this.mapIpv4 = isIP(host) === 6;
    this.families = host === "::" ? [4, 6] : [isIP(host) === 6 ? 6 : 4];
    raiseBuffers(socket, log);
  }

  start(handlers: DatagramHandlers): void {
    this.handlers = handlers;
    this.socket.on("message", (bytes, info) => this.onMessage(bytes, info));
    this.socket.on("error", (error) => {
      this.counters.receiveErrors++;
      this.log.debug("the UDP socket reported an error", { error: error.message });
    });
    const dgram = this.watch ? dgramHandle(this.socket) : undefined;
    if (dgram !== undefined) this.receiver?.takeOver(handlers, dgram);
  }

  get ready(): boolean {
    return this.queued.length === 0;
  }

  send(): void {
    const { transmit } = this;
    const { route, lengthBytes, segmentBytes, buffer } = transmit;
    if (this.closed || route === undefined || lengthBytes === 0) return;
    const { family, host, port } = route.remote;
    if (port === LAN_PORT && isMulticast(route.remote)) {
      this.sendToGroup(route.remote);
      return;
    }
    // What waits in dgram's queue must not be overtaken.
    const done = this.ready && this.sender !== undefined ? this.sender.send(transmit) : 0;
    if (done >= lengthBytes) return;
    const to = this.mapIpv4 && family === 4 ? `::ffff:${host}` : host;
    for (let at = done; at < lengthBytes; at += segmentBytes) {
      this.sendOne(buffer, at, Math.min(segmentBytes, lengthBytes - at), port, to);
    }
    this.setAside();
  }

  /** On every interface, by each in turn. The system's default for multicast is a TTL of 1: it does not leave the link. */
  private sendToGroup({ family, host, port }: SocketAddress): void {
    const { buffer, lengthBytes } = this.transmit;
    const to = this.mapIpv4 && family === 4 ? `::ffff:${host}` : host;
    for (const link of multicastInterfaces(family)) {
      try {
        this.socket.setMulticastInterface(link);
      } catch (error) {
        // An interface that has just gone, or a system that takes no IPv4 option for a socket of both families.
        this.log.debug("a group cannot be asked on this interface", { link, error: String(error) });
        continue;
      }
      this.sendOne(buffer, 0, lengthBytes, port, to);
    }
    this.setAside();
  }

  /** What the kernel did not take is not to be written over. */
  private setAside(): void {
    if (this.socket.getSendQueueCount() === 0) return;
    this.queued.push(this.transmit);
    this.transmit = this.spare.pop() ?? new Transmit();
  }

  private sendOne(buffer: Uint8Array, at: number, lengthBytes: number, port: number, to: string): void {
    try {
      this.socket.send(buffer, at, lengthBytes, port, to, this.onSent);
      this.counters.sentDatagrams++;
    } catch (error) {
      // dgram throws where an address cannot be meant for this socket: an IPv6 address on an IPv4 socket, say.
      this.counters.sendErrors++;
      this.log.debug("a datagram could not be sent", { to, error: String(error) });
    }
  }

  private readonly onSent = (error: Error | null): void => {
    if (error !== null) this.countSendError(error);
    if (this.queued.length === 0 || this.closed || this.socket.getSendQueueCount() > 0) return;
    this.spare.push(...this.queued.splice(0));
    this.handlers?.onReady();
  };

  /** ENETUNREACH, EPERM (a firewall), EMSGSIZE (a probe of the path's MTU): all of them mean a lost packet, none ends anything. */
  private countSendError(error: NodeJS.ErrnoException): void {
    this.counters.sendErrors++;
    if (this.counters.sendErrors < 10) this.log.debug("the kernel refused a datagram", { error: error.message });
  }

  private onMessage(bytes: Uint8Array, info: RemoteInfo): void {
    this.counters.receivedDatagrams++;
    const from = this.senders.get(info);
    if (from === undefined) this.counters.receiveErrors++;
    else this.handlers?.onDatagram(from, bytes);
    if (this.handlers === undefined) return;
    this.receiver?.receive(this.handlers);
    this.handlers.onAllRead();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.receiver?.stop();
    this.socket.close();
  }
}

/** Senders as canonical addresses. Parsing text for every packet would cost as much as receiving it. */
class SenderCache {
  private lastHost = "";
  private lastPort = 0;
  private lastAddress: SocketAddress | undefined;
  private readonly known = new Map<string, SocketAddress>();

  /** @returns undefined for an address with a zone or port 0, which nothing can be sent to. */
  get(info: Pick<RemoteInfo, "address" | "port">): SocketAddress | undefined {
    if (info.port === this.lastPort && info.address === this.lastHost) return this.lastAddress;
    this.lastHost = info.address;
    this.lastPort = info.port;
    this.lastAddress = this.lookUp(info);
    return this.lastAddress;
  }

  private lookUp(info: Pick<RemoteInfo, "address" | "port">): SocketAddress | undefined {
    const key = `${info.address} ${info.port}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const address = socketAddress(info.address, info.port);
    if (address === undefined) return undefined;
    if (this.known.size >= SOCKET_SENDERS_MAX) this.known.clear();
    this.known.set(key, address);
    return address;
  }
}
