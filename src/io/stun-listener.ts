// STUN over TCP (RFC 8489 §6.2.2): binding requests alone, for clients whose network lets no UDP through, and for those that
// want to know how their NAT maps TCP. A message delimits itself by its length. Everything is bounded: how many connect, how
// long one may be silent, how much is read of it before it is answered.

import { createServer, type Server, type Socket } from "node:net";
import { socketAddress } from "../base/address.ts";
import {
  STUN_CONNECTION_IDLE_MS,
  STUN_CONNECTION_REQUESTS_MAX,
  STUN_CONNECTIONS_MAX,
  STUN_CONNECTIONS_PER_HOST_MAX,
  STUN_MESSAGE_BYTES_MAX,
} from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Carrier } from "../base/route.ts";
import type { StunResponder } from "../rendezvous/stun-responder.ts";
import { packetLength } from "../wire/datagram.ts";
import { startListening } from "./server-listening.ts";

export interface StunListenerOptions {
  readonly responder: StunResponder;
  readonly log: Log;
}

export class StunListener {
  private readonly options: StunListenerOptions;
  private readonly servers: Server[] = [];
  private readonly connections = new Map<Socket, string>();

  constructor(options: StunListenerOptions) {
    this.options = options;
  }

  /**
   * Listens on one more address.
   * @param carrier the UDP socket on the same port, by which the responder knows the address.
   * @throws the error of the system, with its `code`.
   */
  async listen(carrier: Carrier, host: string, port: number): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.accept(carrier, socket));
    server.maxConnections = STUN_CONNECTIONS_MAX;
    await startListening(server, { host, port, exclusive: true }, (error) =>
      this.options.log.debug("a TCP connection was not accepted", { error: error.message }),
    );
    this.servers.push(server);
  }

  /** Ends every connection and stops listening. */
  close(): void {
    for (const server of this.servers) server.close();
    for (const socket of this.connections.keys()) socket.destroy();
  }

  /** Takes a connection. @param first what has been read of it already. */
  accept(carrier: Carrier, socket: Socket, first?: Buffer): void {
    const from = socketAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0);
    if (from === undefined || !this.hasRoom(from.host)) {
      socket.destroy();
      return;
    }
    this.connections.set(socket, from.host);
    // Counted from the last answer, so that a request that trickles in does not hold a place for hours.
    const idle = setTimeout(() => socket.destroy(), STUN_CONNECTION_IDLE_MS);
    socket.on("close", () => {
      clearTimeout(idle);
      this.connections.delete(socket);
    });
    socket.on("error", () => socket.destroy());
    let waiting: Buffer = Buffer.alloc(0);
    let requests = 0;
    const onData = (chunk: Buffer): void => {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
      for (let length = firstLength(waiting); length > 0; length = firstLength(waiting)) {
        const answer = this.options.responder.respond(from, waiting.subarray(0, length), carrier, "tcp");
        waiting = waiting.subarray(length);
        // Whoever sends what has no answer, or does not read its answers, is no client of ours.
        if (answer === undefined || ++requests > STUN_CONNECTION_REQUESTS_MAX || socket.writableNeedDrain) {
          socket.destroy();
          return;
        }
        socket.write(answer.bytes);
        idle.refresh();
      }
      if (waiting.length > STUN_MESSAGE_BYTES_MAX) socket.destroy();
    };
    socket.on("data", onData);
    if (first !== undefined) onData(first);
  }

  private hasRoom(host: string): boolean {
    let ofHost = 0;
    for (const other of this.connections.values()) if (other === host) ofHost++;
    return this.connections.size < STUN_CONNECTIONS_MAX && ofHost < STUN_CONNECTIONS_PER_HOST_MAX;
  }
}

/** @returns how long the first message is, in bytes; 0 where it is not all there. */
const firstLength = (bytes: Uint8Array): number => packetLength(bytes, 0, bytes.length);
