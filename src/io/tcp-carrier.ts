// A TCP connection as a carrier: packets back to back, nothing between them.

import type { Socket } from "node:net";
import { StreamCarrier, type StreamCarrierOptions } from "./stream-carrier.ts";

/** @param socket connected, or accepted; nothing else reads from it. */
export function tcpCarrier(socket: Socket, options: StreamCarrierOptions): StreamCarrier {
  // Packets are timed by us: the kernel must not hold one back to join it with the next.
  socket.setNoDelay(true);
  return new StreamCarrier(options, (carrier) => {
    // An error is followed by "close".
    socket.on("error", () => {});
    socket.on("close", () => carrier.onGone());
    return {
      localPort: socket.localPort ?? 0,
      localHost: socket.localAddress ?? "",
      get bufferedBytes() {
        return socket.writableLength;
      },
      write(bytes, onTaken) {
        socket.write(bytes, onTaken);
      },
      start() {
        socket.on("data", (bytes) => carrier.received(bytes));
      },
      end() {
        socket.end();
      },
      destroy() {
        socket.destroy();
      },
    };
  });
}
