// Agents whose network lets nothing but HTTP through come by WebSocket (RFC 6455): with TLS where there is a certificate, plainly
// behind a reverse proxy that has one, which tells in X-Forwarded-For whom it speaks for.

import { createServer as createHttpServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer } from "ws";
import { parseIp, type SocketAddress, socketAddress } from "../base/address.ts";
import { STREAM_IDLE_MS, WEBSOCKET_MESSAGE_BYTES_MAX } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { AcceptedCarriers } from "./accepted-carriers.ts";
import { startListening } from "./server-listening.ts";
import { websocketCarrier } from "./websocket-carrier.ts";

/** In PEM, as files hold them. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface WebsocketListenerOptions {
  readonly log: Log;
  readonly accepted: AcceptedCarriers;
  /** Without one it speaks plain HTTP. */
  readonly certificate?: Certificate | undefined;
}

export class WebsocketListener {
  private readonly options: WebsocketListenerOptions;
  private readonly server: Server | HttpsServer;
  private readonly upgrades = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: WEBSOCKET_MESSAGE_BYTES_MAX,
  });

  /** @throws the error of OpenSSL where the certificate or its key cannot be used. */
  constructor(options: WebsocketListenerOptions) {
    this.options = options;
    const { certificate, accepted } = options;
    const timeouts = {
      headersTimeout: STREAM_IDLE_MS,
      requestTimeout: STREAM_IDLE_MS,
      connectionsCheckingInterval: STREAM_IDLE_MS,
    };
    this.server =
      certificate === undefined
        ? createHttpServer(timeouts)
        : createHttpsServer({ ...timeouts, ...certificate, handshakeTimeout: STREAM_IDLE_MS });
    // "connection" is the TCP connection in both kinds of server.
    this.server.on("connection", (socket: Socket) => accepted.admit(socket));
    this.server.on("request", (_request, response) => {
      response.writeHead(426, { Upgrade: "websocket", Connection: "close", "Content-Type": "text/plain" });
      response.end("This is the rendezvous of a tunnel. It speaks WebSocket.\n");
    });
    this.server.on("upgrade", (request, socket, head) => this.onUpgrade(request, socket as Socket, head));
  }

  /** @returns the port. @throws the error of the system, with its `code`. */
  async listen(host: string, port: number): Promise<number> {
    await startListening(this.server, { host, port, exclusive: true }, (error) =>
      this.options.log.debug("an HTTP connection was not accepted", { error: error.message }),
    );
    return (this.server.address() as AddressInfo).port;
  }

  /** Connections from now on are shown this certificate. @throws as the constructor. */
  renew(certificate: Certificate): void {
    if ("setSecureContext" in this.server) this.server.setSecureContext(certificate);
  }

  /** Stops listening; WebSockets stay. */
  close(): void {
    this.server.close();
  }

  private onUpgrade(request: IncomingMessage, connection: Socket, head: Buffer): void {
    const { accepted, certificate } = this.options;
    const remote = remoteOf(request, certificate === undefined);
    if (remote === undefined) connection.destroy();
    if (remote === undefined || !accepted.admitFrom(connection, remote)) return;
    this.upgrades.handleUpgrade(request, connection, head, (socket) => {
      accepted.take(remote, (options) => websocketCarrier(socket, connection, options));
    });
  }
}

/** Loopback and private networks (RFC 1918, RFC 4193): where a reverse proxy of our own is. */
function isNear(ip: Uint8Array): boolean {
  const [first, second] = ip as unknown as [number, number];
  if (ip.length === 16)
    return (first & 0xfe) === 0xfc || (ip[15] === 1 && ip.subarray(0, 15).every((byte) => byte === 0));
  return (
    first === 127 || first === 10 || (first === 192 && second === 168) || (first === 172 && (second & 0xf0) === 16)
  );
}

/** Who is at the other end. A reverse proxy adds whom it speaks for at the end of the list; what stands before is anybody's word. */
function remoteOf({ socket, headers }: IncomingMessage, behindProxy: boolean): SocketAddress | undefined {
  const remote = socketAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0);
  if (remote === undefined || !behindProxy || !isNear(parseIp(remote.host) as Uint8Array)) return remote;
  const list = headers["x-forwarded-for"];
  const last = (Array.isArray(list) ? list.join() : (list ?? "")).split(",").at(-1)?.trim() ?? "";
  return socketAddress(last, remote.port) ?? remote;
}
