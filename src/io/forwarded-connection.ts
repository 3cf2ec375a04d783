// One TCP connection (or one on a unix socket) joined with one stream of the tunnel. What either end does, the other end sees:
// bytes with backpressure, a half-close in each direction by itself, and a reset as a reset, never as a clean end.
//
//     application ── socket ── [ForwardedConnection] ── stream ── tunnel
//
// Memory is bounded on both ways. Towards the tunnel, the socket is paused as soon as the stream says so. Towards the socket, the
// stream is read only while the socket takes more, and what is not read is credit that the peer does not get.

import type { Socket } from "node:net";
import { streamCode } from "../wire/stream-code.ts";
import type { ForwardedStream } from "./forwarded-stream.ts";
import { readSocket } from "./socket-reader.ts";
import { SocketWriter } from "./socket-writer.ts";

const NOTHING = new Uint8Array(0);

export interface ForwardedConnectionOptions {
  readonly stream: ForwardedStream;
  /** Connected, paused, made with allowHalfOpen. */
  readonly socket: Socket;
  nowMs(): number;
  /** What may wait in the socket before the stream is not read for a while, in bytes; at least what makes Node tell of "drain". */
  backlogBytes(): number;
  /** The stream was given something to do. */
  wake(): void;
  /** As `wake`, in a callback of the socket that has nothing left to do. */
  settle(): void;
  /** The socket is gone, and the stream has been told. */
  onClosed(): void;
}

export class ForwardedConnection {
  private readonly options: ForwardedConnectionOptions;
  private readonly socket: Socket;
  private readonly stream: ForwardedStream;
  /** Our half of the stream has been finished or reset. */
  private sendingEnded = false;
  /** The peer wants no more of what the application sends. */
  private discarding = false;
  /** The peer's half is over: read to its end, reset, or refused by us. */
  private receivingEnded = false;
  private socketFull = false;
  private readonly isTcp: boolean;
  private readonly writer: SocketWriter;

  constructor(options: ForwardedConnectionOptions) {
    this.options = options;
    this.socket = options.socket;
    this.stream = options.stream;
    const { socket, stream } = this;
    this.isTcp = socket.localFamily !== undefined;
    this.writer = new SocketWriter(socket);
    readSocket(
      socket,
      (chunk) => this.onData(chunk),
      () => stream.chunkBytes,
    );
    socket.on("end", () => this.onEnd());
    socket.on("drain", () => this.onDrain());
    // What went wrong is told by "close", which always follows.
    socket.on("error", () => {});
    socket.on("close", () => this.onClose());
    socket.resume();
    this.onReadable();
  }

  private onData(chunk: Uint8Array): void {
    if (this.discarding) {
      // An application that goes on sending after both directions are over is told as TCP tells it.
      if (this.socket.writableFinished) this.resetSocket();
      return;
    }
    if (!this.stream.write(this.options.nowMs(), chunk)) this.socket.pause();
    this.options.settle();
  }

  private onEnd(): void {
    const { socket } = this;
    if (socket.writableEnded || !this.isTcp) {
      this.finish();
    } else if (socket.writableLength > 0) {
      // If this is a reset in truth, the write that waits fails in this very turn.
      setImmediate(() => this.finish());
    } else {
      // libuv reports a reset that came together with the last bytes as an end. An empty write sends nothing and tells the two apart:
      // the kernel answers it with ECONNRESET where there was no end, with EPIPE where the reset came behind one.
      socket.write(NOTHING, (error) => {
        if ((error as NodeJS.ErrnoException | null | undefined)?.code !== "ECONNRESET") this.finish();
      });
    }
  }

  private finish(): void {
    if (this.sendingEnded) return;
    this.sendingEnded = true;
    this.stream.finish(this.options.nowMs());
    this.options.wake();
  }

  private onDrain(): void {
    this.socketFull = false;
    this.releaseWritten();
    this.onReadable();
    this.options.wake();
  }

  private onClose(): void {
    const nowMs = this.options.nowMs();
    // A socket that went before its half was over was reset, by the application or by us.
    if (!this.sendingEnded) this.stream.reset(nowMs, streamCode.connectionReset);
    if (!this.receivingEnded) this.stream.stopSending(nowMs, streamCode.connectionReset);
    this.sendingEnded = true;
    this.receivingEnded = true;
    this.options.onClosed();
    this.options.wake();
  }

  /** The stream has bytes to read, or its end. */
  onReadable(): void {
    const { socket, stream } = this;
    if (this.receivingEnded || this.socketFull || socket.destroyed) return;
    while (this.writeBatch() && !this.socketFull);
    if (stream.readEnded) {
      this.receivingEnded = true;
      this.endSocket();
    }
  }

  /** Ended only once all is with the kernel: until then the connection can still be reset, and must not end as if all had come. */
  private endSocket(): void {
    const { socket } = this;
    if (socket.writableLength === 0) {
      socket.end();
      return;
    }
    socket.write(NOTHING, (error) => {
      if (!error) socket.end();
    });
  }

  /** @returns false when the stream has no more to read now. */
  private writeBatch(): boolean {
    const { socket, stream } = this;
    const first = stream.read();
    if (first === undefined) return false;
    let next = stream.read();
    let isFull = false;
    if (next === undefined) {
      const taken = this.writer.write(first);
      if (taken < first.length) isFull = this.queue(first.subarray(taken));
    } else {
      // Corked: what came in many packets leaves in one system call.
      socket.cork();
      isFull = this.queue(first);
      while (next !== undefined) {
        isFull = this.queue(next);
        next = isFull ? undefined : stream.read();
      }
      socket.uncork();
    }
    this.releaseWritten();
    // "drain" tells of what the kernel took at once as well, but only after all that Node has to do in this turn.
    this.socketFull = isFull && socket.writableLength > 0;
    return isFull;
  }

  /** @returns whether as much waits in the socket as may; Node tells of "drain" then, since its own bound is a lower one. */
  private queue(bytes: Uint8Array): boolean {
    const { socket } = this;
    const takesMore = socket.write(bytes);
    return !takesMore && socket.writableLength >= this.options.backlogBytes();
  }

  /** The kernel copies what it takes, most often all of it and at once; what it did not take is still to be read from where it lies. */
  private releaseWritten(): void {
    if (this.socket.writableLength === 0) this.stream.release();
  }

  /** The stream takes more. */
  onWritable(): void {
    this.socket.resume();
  }

  /** The peer gave up what it was sending: the application must not take that for an end. */
  onStreamReset(): void {
    this.receivingEnded = true;
    this.resetSocket();
  }

  /**
   * The peer wants no more from us. TCP has no word for one direction alone: the application's bytes are dropped while
   * the other direction goes on, and when that is over the connection is reset.
   */
  onStopSending(): void {
    if (!this.sendingEnded) {
      this.sendingEnded = true;
      this.stream.reset(this.options.nowMs(), streamCode.noLongerWanted);
    }
    if (this.socket.writableFinished) {
      this.resetSocket();
    } else {
      this.discarding = true;
      this.socket.resume();
    }
  }

  /** Ends the socket by a reset, unless both directions have ended. The stream is told when the socket has closed. */
  resetSocket(): void {
    resetSocket(this.socket);
  }
}

/** Sends RST where the socket can; a unix socket knows only the end. */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  // While connecting there is nothing to reset yet.
  if (socket.connecting || socket.localFamily === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
