// Both sides of forwarding in one process, with streams in memory between them: a local listener whose connections come
// out at a target.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { silentLog } from "../../src/base/log.ts";
import { ConnectionQuota } from "../../src/io/connection-quota.ts";
import { type ForwardTarget, parseForwardTarget } from "../../src/io/forward-target.ts";
import { LocalListener } from "../../src/io/local-listener.ts";
import { TcpForwarder } from "../../src/io/tcp-forwarder.ts";
import { MemoryStream } from "./memory-stream.ts";

function forwarder(connectionsMax: number): TcpForwarder {
  const quota = new ConnectionQuota(silentLog, connectionsMax);
  return new TcpForwarder({ log: silentLog, nowMs: () => performance.now(), wake() {}, settle() {}, quota });
}

export class MemoryTunnel {
  readonly connecting = forwarder(1000);
  readonly exposing: TcpForwarder;
  /** Every stream that was opened, as [connecting side, exposing side]. */
  readonly streams: [MemoryStream, MemoryStream][] = [];
  port = 0;
  private readonly listener: LocalListener;
  private readonly clients: Socket[] = [];

  constructor(target: ForwardTarget | string, connectionsMax = 1000) {
    const parsed = typeof target === "string" ? parseForwardTarget(target) : target;
    if ("problem" in parsed) throw new Error(parsed.problem);
    this.exposing = forwarder(connectionsMax);
    this.listener = new LocalListener({
      log: silentLog,
      quota: new ConnectionQuota(silentLog, 1000),
      onConnection: (socket) => {
        const pair = MemoryStream.pair(this.connecting, this.exposing);
        this.streams.push(pair);
        this.connecting.attach(pair[0], socket);
        this.exposing.accept(pair[1], parsed);
      },
    });
  }

  async open(): Promise<this> {
    this.port = await this.listener.listen("127.0.0.1", 0);
    return this;
  }

  /** A program that connects to the local port. */
  async connect(): Promise<Socket> {
    const socket = connect({ port: this.port, host: "127.0.0.1", allowHalfOpen: true });
    this.clients.push(socket);
    await once(socket, "connect");
    return socket;
  }

  close(): void {
    for (const client of this.clients) client.destroy();
    this.connecting.resetAll();
    this.exposing.resetAll();
    this.listener.close();
  }
}

export interface TestService {
  readonly port: number;
  readonly server: Server;
  close(): void;
}

/** A TCP service on a free port of 127.0.0.1. */
export async function startService(onConnection: (socket: Socket) => void): Promise<TestService> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, server, close };
}

/** @returns all that comes until the end, and leaves the other direction open. Rejects where the connection is reset. */
export function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => resolve(Buffer.concat(chunks)));
    socket.on("error", reject);
    socket.resume();
  });
}

/**
 * @returns "end" or the code of the error with which a socket that is read ends. Node may show a reset that comes with the last
 *   bytes as an end; a write, which such a socket refuses, finds it out.
 */
export function ending(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on("end", () =>
      socket.write("", (error) => resolve((error as NodeJS.ErrnoException | null)?.code ?? "end")),
    );
    socket.resume();
  });
}

/** A promise that is resolved from outside. */
export class Deferred<T> {
  resolve: (value: T) => void = () => {};
  readonly promise = new Promise<T>((resolve) => {
    this.resolve = resolve;
  });
}
