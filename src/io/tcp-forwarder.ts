// All forwarded connections of a process: it joins streams of the tunnel with sockets, and hands each stream's events to
// its connection. On the exposing side a stream comes first and a connection to the target is made for it; on the connecting
// side a local program connects first and a stream is opened for it.

import type { Socket } from "node:net";
import {
  FORWARD_BACKLOG_BYTES,
  FORWARD_BUFFER_BYTES,
  FORWARD_BUFFER_BYTES_MIN,
  FORWARD_KEEPALIVE_MS,
  YOUNG_GENERATION_CONNECTIONS,
} from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { streamCode } from "../wire/stream-code.ts";
import type { ConnectionQuota } from "./connection-quota.ts";
import {
  connectTarget,
  type ForwardTarget,
  formatForwardTarget,
  isSocket,
  type TargetFailure,
} from "./forward-target.ts";
import { ForwardedConnection, resetSocket } from "./forwarded-connection.ts";
import type { ForwardedStream } from "./forwarded-stream.ts";
import { letYoungGenerationGrow } from "./young-generation.ts";

export interface TcpForwarderOptions {
  readonly log: Log;
  nowMs(): number;
  /** Called after any stream was given something to do. */
  wake(): void;
  /** As `wake`, by a caller that has nothing else under way. */
  settle(): void;
  readonly quota: ConnectionQuota;
}

/** A stream whose target is still being connected to. */
class PendingTarget {
  abandoned = false;
}

export class TcpForwarder {
  private readonly options: TcpForwarderOptions;
  private readonly connections = new Map<ForwardedStream, ForwardedConnection | PendingTarget>();
  /** Targets that failed the last time, so that it is said once until they work again. */
  private readonly failing = new Set<string>();

  constructor(options: TcpForwarderOptions) {
    this.options = options;
  }

  /** What each connection may hold towards its socket: their share of what all may, for all of them may stand before slow readers. */
  private readonly backlogBytes = (): number => {
    const shareBytes = FORWARD_BACKLOG_BYTES / this.connections.size;
    return Math.min(FORWARD_BUFFER_BYTES, Math.max(FORWARD_BUFFER_BYTES_MIN, shareBytes));
  };

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Exposing side: connects to `target` for a stream that a peer opened. */
  accept(stream: ForwardedStream, target: ForwardTarget): void {
    if (!this.options.quota.hasRoom(this.connections.size)) {
      this.options.quota.onRefused();
      this.refuse(stream, streamCode.outOfResources);
      return;
    }
    const pending = new PendingTarget();
    this.connections.set(stream, pending);
    void connectTarget(target).then((result) => this.onTarget(stream, pending, target, result));
  }

  private onTarget(
    stream: ForwardedStream,
    pending: PendingTarget,
    target: ForwardTarget,
    result: Socket | TargetFailure,
  ): void {
    this.connections.delete(stream);
    if (isSocket(result)) {
      if (this.failing.size > 0) this.onReachable(formatForwardTarget(target));
      if (pending.abandoned) resetSocket(result);
      else this.attach(stream, result);
      return;
    }
    const name = formatForwardTarget(target);
    if (!this.failing.has(name)) {
      this.failing.add(name);
      this.options.log.warn(`cannot connect to ${name}: ${result.message}; is the service running?`);
    }
    if (!pending.abandoned) this.refuse(stream, result.code);
  }

  private onReachable(name: string): void {
    if (this.failing.delete(name)) this.options.log.info("the service can be reached again", { target: name });
  }

  /** Connecting side: joins a connected, paused socket of a local program with a stream that was opened for it. */
  attach(stream: ForwardedStream, socket: Socket): void {
    // A machine that vanished without a word must not hold its connection for ever.
    socket.setKeepAlive(true, FORWARD_KEEPALIVE_MS);
    const connection = new ForwardedConnection({
      stream,
      socket,
      nowMs: this.options.nowMs,
      backlogBytes: this.backlogBytes,
      wake: this.options.wake,
      settle: this.options.settle,
      onClosed: () => this.connections.delete(stream),
    });
    if (!socket.destroyed) this.connections.set(stream, connection);
    if (this.connections.size >= YOUNG_GENERATION_CONNECTIONS) letYoungGenerationGrow();
    this.options.wake();
  }

  private refuse(stream: ForwardedStream, code: number): void {
    const nowMs = this.options.nowMs();
    stream.reset(nowMs, code);
    stream.stopSending(nowMs, code);
    this.options.wake();
  }

  onReadable(stream: ForwardedStream): void {
    const connection = this.connections.get(stream);
    // While the target is being connected to, the bytes wait in the stream.
    if (connection instanceof ForwardedConnection) connection.onReadable();
  }

  onWritable(stream: ForwardedStream): void {
    const connection = this.connections.get(stream);
    if (connection instanceof ForwardedConnection) connection.onWritable();
  }

  onStreamReset(stream: ForwardedStream): void {
    const connection = this.connections.get(stream);
    if (connection instanceof ForwardedConnection) connection.onStreamReset();
    else if (connection !== undefined) this.abandon(stream, connection);
  }

  onStopSending(stream: ForwardedStream): void {
    const connection = this.connections.get(stream);
    if (connection instanceof ForwardedConnection) connection.onStopSending();
    else if (connection !== undefined) this.abandon(stream, connection);
  }

  private abandon(stream: ForwardedStream, pending: PendingTarget): void {
    if (pending.abandoned) return;
    pending.abandoned = true;
    this.refuse(stream, streamCode.noLongerWanted);
  }

  /** Resets every connection that has not ended: what was cut off must not look complete. For the end of the process. */
  resetAll(): void {
    for (const connection of this.connections.values()) {
      if (connection instanceof ForwardedConnection) connection.resetSocket();
      else connection.abandoned = true;
    }
  }
}
