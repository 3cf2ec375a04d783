// The UDP socket on which the router is asked for mappings: connected to it, so that the kernel lets nothing else in and tells where
// nobody listens there. A second one hears what the router announces to all hosts of its network.

import { createSocket, type Socket } from "node:dgram";
import type { SocketAddress } from "../base/address.ts";
import { PORT_MAPPING_ANNOUNCE_PORT } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { Transmit } from "../base/transmit.ts";
import type { DatagramCounters, DatagramHandlers, DatagramSocket } from "./datagram-socket.ts";
import type { RouterPlace } from "./default-gateway.ts";

export interface GatewaySocketOptions {
  readonly place: RouterPlace;
  /** Where the router listens. */
  readonly gateway: SocketAddress;
  readonly log: Log;
  /** The router, or this machine's own kernel, says that nobody is there. */
  onUnreachable(): void;
}

const isLinkLocal = (host: string): boolean => /^fe[89ab]/i.test(host);

/** @returns the address as the system wants it: a link-local one needs its device. */
const withZone = (host: string, device: string): string => (isLinkLocal(host) ? `${host}%${device}` : host);

const withoutZone = (host: string): string => host.replace(/%.*$/, "");

export class GatewaySocket implements DatagramSocket {
  readonly localPort: number;
  readonly localHost: string;
  readonly families: readonly (4 | 6)[];
  readonly neverFragments = false;
  readonly counters: DatagramCounters = { sentDatagrams: 0, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 };
  readonly transmit = new Transmit(new Uint8Array(2048));
  /** A datagram that the kernel does not take is lost, and sent again when its answer does not come. */
  readonly ready = true;
  private readonly options: GatewaySocketOptions;
  private readonly socket: Socket;
  private readonly announcements: Socket;
  private closed = false;

  /** @throws the error of the system where our address is gone, or nothing leads to the router. */
  static async open(options: GatewaySocketOptions): Promise<GatewaySocket> {
    const { place, gateway } = options;
    const socket = createSocket(place.family === 4 ? "udp4" : "udp6");
    try {
      await settled(socket, (done) => socket.bind({ address: place.local, port: 0, exclusive: true }, done));
      await settled(socket, (done) => socket.connect(gateway.port, withZone(gateway.host, place.device), done));
    } catch (error) {
      socket.close();
      throw error;
    }
    return new GatewaySocket(socket, options);
  }

  private constructor(socket: Socket, options: GatewaySocketOptions) {
    this.socket = socket;
    this.options = options;
    this.localPort = socket.address().port;
    this.localHost = options.place.local;
    this.families = [options.place.family];
    this.announcements = createSocket({ type: options.place.family === 4 ? "udp4" : "udp6", reuseAddr: true });
  }

  start(handlers: DatagramHandlers): void {
    this.socket.on("message", (bytes) => {
      this.counters.receivedDatagrams++;
      handlers.onDatagram(this.options.gateway, bytes);
      handlers.onAllRead();
    });
    this.socket.on("error", (error) => this.onError(error));
    this.listenForAnnouncements(handlers);
  }

  private listenForAnnouncements(handlers: DatagramHandlers): void {
    const { place, gateway, log } = this.options;
    const { announcements } = this;
    // Without announcements, a router that was restarted is found out at the next check.
    announcements.on("error", (error) =>
      log.debug("the router's announcements are not heard", { error: error.message }),
    );
    announcements.on("message", (bytes, from) => {
      if (withoutZone(from.address) !== gateway.host || from.port !== gateway.port) return;
      this.counters.receivedDatagrams++;
      handlers.onDatagram(gateway, bytes);
      handlers.onAllRead();
    });
    announcements.bind({ port: PORT_MAPPING_ANNOUNCE_PORT, exclusive: true }, () => {
      try {
        if (place.family === 4) announcements.addMembership("224.0.0.1", place.local);
        else announcements.addMembership("ff02::1", `::%${place.device}`);
      } catch (error) {
        log.debug("the router's announcements are not heard", { error: String(error) });
      }
    });
  }

  send(): void {
    const { buffer, lengthBytes } = this.transmit;
    if (this.closed) return;
    this.counters.sentDatagrams++;
    // The memory is written again before dgram is done with it.
    this.socket.send(buffer.slice(0, lengthBytes), (error) => {
      if (error !== null && error !== undefined) this.onError(error);
    });
  }

  private onError(error: NodeJS.ErrnoException): void {
    this.counters.sendErrors++;
    if (!this.closed && error.code === "ECONNREFUSED") this.options.onUnreachable();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.close();
    this.announcements.close();
  }
}

/** Does something with a socket that ends with a call, which may be told of an error, or with an error event. */
function settled(socket: Socket, act: (done: (error?: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    act((error) => {
      socket.off("error", reject);
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}
