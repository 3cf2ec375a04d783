// A WebSocket (RFC 6455) as a carrier: a binary message is one packet or more. It passes where nothing but HTTP does, through
// proxies and reverse proxies. Compression would be in vain: the packets are sealed.

import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { STREAM_OPEN_MS, WEBSOCKET_MESSAGE_BYTES_MAX } from "../base/limits.ts";
import { StreamCarrier, type StreamCarrierOptions } from "./stream-carrier.ts";

/** What the agent asks for; a reverse proxy can tell it from other sites by this path. */
export const WEBSOCKET_PATH = "/tunnel";

/** @param socket open; nothing else listens to it. @param connection what it runs on. */
export function websocketCarrier(socket: WebSocket, connection: Socket, options: StreamCarrierOptions): StreamCarrier {
  connection.setNoDelay(true);
  return new StreamCarrier(options, (carrier) => {
    // An error is followed by "close".
    socket.on("error", () => {});
    socket.on("close", () => carrier.onGone());
    return {
      localPort: connection.localPort ?? 0,
      localHost: connection.localAddress ?? "",
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      write(bytes, onTaken) {
        socket.send(bytes, { binary: true, compress: false }, onTaken);
      },
      start() {
        socket.on("message", (bytes: Buffer, isBinary) => {
          if (isBinary) carrier.received(bytes, true);
          else carrier.refuse();
        });
      },
      end() {
        socket.close();
      },
      destroy() {
        socket.terminate();
      },
    };
  });
}

/**
 * Asks for a WebSocket over a connection that is there.
 * @param connection connected; with TLS on it where `url` is wss.
 * @param url what goes into the request; nothing is looked up.
 */
export function openWebSocket(url: string, connection: Socket): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      createConnection: () => connection,
      perMessageDeflate: false,
      followRedirects: false,
      maxPayload: WEBSOCKET_MESSAGE_BYTES_MAX,
      handshakeTimeout: STREAM_OPEN_MS,
    });
    socket.once("error", reject);
    socket.once("open", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
