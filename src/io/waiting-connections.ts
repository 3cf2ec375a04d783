// Local connections that came before the tunnel was up. They stay paused: what their programs wrote waits in the kernel,
// where it costs nothing and is not lost. The list is bounded, and drops the oldest, whose program is the likeliest to be gone.

import type { Socket } from "node:net";
import { FORWARD_WAITING_MAX } from "../base/limits.ts";
import { resetSocket } from "./forwarded-connection.ts";

export class WaitingConnections {
  private readonly sockets = new Set<Socket>();
  private readonly max: number;

  constructor(max: number = FORWARD_WAITING_MAX) {
    this.max = max;
  }

  get size(): number {
    return this.sockets.size;
  }

  /** @param socket paused. @returns whether the oldest had to go for it. */
  add(socket: Socket): boolean {
    const full = this.sockets.size >= this.max;
    if (full) this.dropOldest();
    this.sockets.add(socket);
    // Whoever takes the socket has handlers of its own; until then these keep an early end from being an unhandled error.
    socket.on("error", () => {});
    socket.once("close", () => this.remove(socket));
    return full;
  }

  /** @returns the oldest, which stays in the list. */
  oldest(): Socket | undefined {
    for (const socket of this.sockets) return socket;
    return undefined;
  }

  /** The socket waits no longer. */
  remove(socket: Socket): void {
    this.sockets.delete(socket);
  }

  resetAll(): void {
    for (const socket of this.sockets) resetSocket(socket);
    this.sockets.clear();
  }

  private dropOldest(): void {
    const oldest = this.oldest();
    if (oldest === undefined) return;
    this.remove(oldest);
    resetSocket(oldest);
  }
}
