// Writes to a connected socket by send(2) itself. A write of Node's makes three objects, goes through the machinery of streams and
// leaves two callbacks for the tick queue, for which Node then makes a Map: a byte that was typed costs the processor more for
// that than for its way through the kernel. What the kernel does not take at once, and every error, is left to Node, which
// finds the same and tells it in its own way.
//
// The descriptor is what Node itself shows as `fd` of the socket's handle. Where that or the C library is missing nothing is taken.

import type { Socket } from "node:net";
import { type Libc, loadLibc, MSG_DONTWAIT } from "./libc.ts";

const MSG_NOSIGNAL = 0x4000;

/** A socket as Node's net.js has it: the handle is replaced by null when the descriptor is closed. */
interface Internals {
  readonly _handle?: { readonly fd?: number } | null;
}

export class SocketWriter {
  private readonly socket: Socket;
  private readonly libc: Libc | null | undefined;
  private readonly handle: Internals["_handle"];
  private readonly fd: number;

  /** @param socket is connected. @param libc null for none. */
  constructor(socket: Socket, libc: Libc | null | undefined = loadLibc()) {
    this.socket = socket;
    this.libc = libc;
    this.handle = (socket as unknown as Internals)._handle;
    this.fd = this.handle?.fd ?? -1;
  }

  /** @returns how many of the bytes the kernel has; the rest is to be written in the ordinary way. */
  write(bytes: Uint8Array): number {
    const { socket, libc, handle, fd } = this;
    if (!libc || fd < 0 || (socket as unknown as Internals)._handle !== handle) return 0;
    // What Node holds back must not be overtaken, and after an end nothing is sent.
    if (socket.writableLength > 0 || socket.writableCorked > 0 || socket.writableEnded) return 0;
    return Math.max(0, libc.send(fd, bytes, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
}
