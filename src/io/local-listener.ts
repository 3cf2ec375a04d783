// The connecting side's listening socket: local programs connect to it. Connections come paused, so that no byte is read
// before somebody wants it.
//
// Where descriptors run out, Node's accept drops clients without a word. So connections are counted against the process's
// limit, and some descriptors are kept for all else; what is beyond is refused, said once, and taken again as connections end.

import { readFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { FORWARD_BUFFER_BYTES, FORWARD_CONNECTIONS_MAX, FORWARD_RESERVED_DESCRIPTORS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";

export interface LocalListenerOptions {
  readonly log: Log;
  readonly connectionsMax: number;
  /** A program has connected. The socket is paused and has allowHalfOpen. */
  onConnection(socket: Socket): void;
}

export class LocalListener {
  private readonly options: LocalListenerOptions;
  private readonly server: Server;
  private saidFull = false;

  constructor(options: LocalListenerOptions) {
    this.options = options;
    this.server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, highWaterMark: FORWARD_BUFFER_BYTES },
      (socket) => this.onConnection(socket),
    );
    this.server.maxConnections = options.connectionsMax;
    this.server.on("drop", () => this.onDrop());
  }

  /**
   * @param port 0 for one that is free.
   * @returns the port.
   * @throws the error of the system, with its `code`.
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen({ host, port }, () => {
        this.server.off("error", reject);
        this.server.on("error", (error) => {
          this.options.log.warn("a local connection could not be accepted", { error: error.message });
        });
        const address = this.server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  close(): void {
    this.server.close();
  }

  private onConnection(socket: Socket): void {
    this.saidFull = false;
    this.options.onConnection(socket);
  }

  private onDrop(): void {
    if (this.saidFull) return;
    this.saidFull = true;
    this.options.log.warn(
      `${this.options.connectionsMax} local connections are open, which is all that this process may have; new ones are refused until some end (raise the limit with ulimit -n)`,
    );
  }
}

/** @returns how many forwarded connections the process's limit on file descriptors leaves room for. */
export function connectionsMax(): number {
  const limit = descriptorLimit();
  if (limit === undefined) return FORWARD_CONNECTIONS_MAX;
  return Math.max(1, Math.min(FORWARD_CONNECTIONS_MAX, limit - FORWARD_RESERVED_DESCRIPTORS));
}

/** @returns the soft limit, where the system shows it (Linux does). Node has raised it to the hard one at its start. */
function descriptorLimit(): number | undefined {
  let text: string;
  try {
    text = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return undefined;
  }
  const match = /^Max open files\s+(\d+)/m.exec(text);
  return match === null ? undefined : Number(match[1]);
}
