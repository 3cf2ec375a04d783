// Agents whose network lets no UDP through come over TCP, to the same port. The first byte of a connection tells whether it brings
// packets or asks by STUN.

import { createServer, type Server, type Socket } from "node:net";
import { socketAddress } from "../base/address.ts";
import { STREAM_IDLE_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { packetKind } from "../wire/datagram.ts";
import type { AcceptedCarriers } from "./accepted-carriers.ts";
import { startListening } from "./server-listening.ts";
import { tcpCarrier } from "./tcp-carrier.ts";

export interface StreamListenerOptions {
  readonly log: Log;
  readonly accepted: AcceptedCarriers;
  /** Takes a connection that begins with STUN, and what has been read of it. */
  onStun(socket: Socket, first: Buffer): void;
}

export class StreamListener {
  private readonly options: StreamListenerOptions;
  private readonly server: Server;

  constructor(options: StreamListenerOptions) {
    this.options = options;
    this.server = createServer({ noDelay: true }, (socket) => this.onConnection(socket));
  }

  /** @throws the error of the system, with its `code`. */
  listen(host: string, port: number): Promise<void> {
    return startListening(this.server, { host, port, exclusive: true }, (error) =>
      this.options.log.debug("a TCP connection was not accepted", { error: error.message }),
    );
  }

  /** Stops listening; connections stay. */
  close(): void {
    this.server.close();
  }

  private onConnection(socket: Socket): void {
    const { accepted, onStun } = this.options;
    const from = socketAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0);
    if (from === undefined) socket.destroy();
    if (from === undefined || !accepted.admit(socket) || !accepted.admitFrom(socket, from)) return;
    const silent = setTimeout(() => socket.destroy(), STREAM_IDLE_MS);
    socket.once("close", () => clearTimeout(silent));
    socket.once("data", (first: Buffer) => {
      clearTimeout(silent);
      if ((first[0] as number) < packetKind.initiation) onStun(socket, first);
      else accepted.take(from, (options) => tcpCarrier(socket, options)).received(first);
    });
  }
}
