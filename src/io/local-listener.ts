// The connecting side's listening socket: local programs connect to it. Connections come paused, so that no byte is read
// before somebody wants it.
//
// Where descriptors run out, Node's accept drops clients without a word, so they are refused, aloud, before it comes to that.

import { createServer, type Server, type Socket } from "node:net";
import { FORWARD_BUFFER_BYTES_MIN } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { ConnectionQuota } from "./connection-quota.ts";
import { startListening } from "./server-listening.ts";

export interface LocalListenerOptions {
  readonly log: Log;
  readonly quota: ConnectionQuota;
  /** A program has connected. The socket is paused and has allowHalfOpen. */
  onConnection(socket: Socket): void;
}

export class LocalListener {
  private readonly options: LocalListenerOptions;
  private readonly server: Server;
  private open = 0;

  constructor(options: LocalListenerOptions) {
    this.options = options;
    this.server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, highWaterMark: FORWARD_BUFFER_BYTES_MIN },
      (socket) => this.onConnection(socket),
    );
    this.server.maxConnections = options.quota.max;
    this.server.on("drop", () => options.quota.onRefused());
  }

  /**
   * @param port 0 for one that is free.
   * @returns the port.
   * @throws the error of the system, with its `code`.
   */
  async listen(host: string, port: number): Promise<number> {
    await startListening(this.server, { host, port }, (error) =>
      this.options.log.warn("a local connection could not be accepted", { error: error.message }),
    );
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  close(): void {
    this.server.close();
  }

  private onConnection(socket: Socket): void {
    this.options.quota.hasRoom(this.open++);
    socket.once("close", () => this.open--);
    this.options.onConnection(socket);
  }
}
