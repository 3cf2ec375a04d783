// The UDP socket on Node's dgram: one socket for both families where the machine has IPv6, else IPv4 alone. One socket, because
// a NAT's mapping belongs to the port that hole punching, the rendezvous and the data all have to share.
//
// dgram keeps a reference to what the kernel did not take at once, so that a batch which was queued must not be written again
// before it is gone: such a batch is put aside, and `transmit` shows a fresh one.

import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIP } from "node:net";
import { type SocketAddress, socketAddress } from "../base/address.ts";
import { SOCKET_BUFFER_BYTES, SOCKET_SENDERS_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { Transmit } from "../base/transmit.ts";
import type { DatagramCounters, DatagramHandlers, DatagramSocket } from "./datagram-socket.ts";

/** Where to bind. Without a host: every address of both families. */
export interface UdpSocketOptions {
  /** An IP address. "::" takes both families. */
  readonly host?: string;
  /** 0 or nothing: a port that is free. */
  readonly port?: number;
  readonly log: Log;
}

/** @throws the error of the system, with its `code`, where the address cannot be bound. */
export async function openUdpSocket(options: UdpSocketOptions): Promise<DatagramSocket> {
  const port = options.port ?? 0;
  if (options.host !== undefined) return new UdpSocket(await bind(options.host, port), options.host, options.log);
  try {
    return new UdpSocket(await bind("::", port), "::", options.log);
  } catch (error) {
    // A kernel without IPv6 says one of these; anything else (the port is in use) is the caller's to know.
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL" && code !== "EINVAL") throw error;
    return new UdpSocket(await bind("0.0.0.0", port), "0.0.0.0", options.log);
  }
}

function bind(host: string, port: number): Promise<Socket> {
  const socket = createSocket({
    type: isIP(host) === 6 ? "udp6" : "udp4",
    ipv6Only: false,
    // Hosts are IP addresses already; Node's own lookup would put every send off to the next tick.
    lookup: (address, _options, done) => done(null, address, isIP(address)),
  });
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

/** Asks for large buffers: the kernel's default holds a few milliseconds of a fast link. It grants up to its own maximum. */
function raiseBuffers(socket: Socket, log: Log): void {
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
    socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
  } catch (error) {
    log.debug("the socket's buffers keep the size that the system gave them", { error: String(error) });
  }
  // Linux reports twice what is usable (socket(7)).
  const granted = socket.getRecvBufferSize() / (process.platform === "linux" ? 2 : 1);
  if (granted < SOCKET_BUFFER_BYTES) {
    log.info("the kernel caps the UDP receive buffer; fast transfers may lose packets", {
      grantedBytes: granted,
      wantedBytes: SOCKET_BUFFER_BYTES,
      remedy: `sysctl -w net.core.rmem_max=${SOCKET_BUFFER_BYTES} net.core.wmem_max=${SOCKET_BUFFER_BYTES}`,
    });
  }
}

class UdpSocket implements DatagramSocket {
  readonly localPort: number;
  readonly localHost: string;
  readonly families: readonly (4 | 6)[];
  readonly counters: DatagramCounters = { sentDatagrams: 0, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 };
  transmit = new Transmit();

  private readonly socket: Socket;
  private readonly log: Log;
  private readonly mapIpv4: boolean;
  /** Batches that the kernel has not taken yet. */
  private readonly queued: Transmit[] = [];
  private readonly spare: Transmit[] = [];
  private readonly senders = new SenderCache();
  private handlers: DatagramHandlers | undefined;
  private closed = false;

  constructor(socket: Socket, host: string, log: Log) {
    this.socket = socket;
    this.log = log;
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
  }

  get ready(): boolean {
    return this.queued.length === 0;
  }

  send(): void {
    const { transmit } = this;
    const { route, lengthBytes, segmentBytes, buffer } = transmit;
    if (this.closed || route === undefined || lengthBytes === 0) return;
    const { family, host, port } = route.remote;
    const to = this.mapIpv4 && family === 4 ? `::ffff:${host}` : host;
    for (let at = 0; at < lengthBytes; at += segmentBytes) {
      this.sendOne(buffer, at, Math.min(segmentBytes, lengthBytes - at), port, to);
    }
    if (this.socket.getSendQueueCount() > 0) {
      this.queued.push(transmit);
      this.transmit = this.spare.pop() ?? new Transmit();
    }
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
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
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
  get(info: RemoteInfo): SocketAddress | undefined {
    if (info.port === this.lastPort && info.address === this.lastHost) return this.lastAddress;
    this.lastHost = info.address;
    this.lastPort = info.port;
    this.lastAddress = this.lookUp(info);
    return this.lastAddress;
  }

  private lookUp(info: RemoteInfo): SocketAddress | undefined {
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
