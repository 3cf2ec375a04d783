// Asks a server by STUN over TCP (RFC 8489 §6.2.2): whether TCP gets there where UDP does not, and how long it takes.

import { connect } from "node:net";
import type { SocketAddress } from "../base/address.ts";
import { STUN_MESSAGE_BYTES_MAX, STUN_TCP_PROBE_MS } from "../base/limits.ts";
import { randomBytes } from "../base/random.ts";
import { equalBytes } from "../crypto/secret.ts";
import { packetLength } from "../wire/datagram.ts";
import { decodeStun, encodeStun, STUN_TRANSACTION_BYTES } from "../wire/stun.ts";
import { systemRandom } from "./system-random.ts";

/** connected: somebody takes connections there, and does not speak STUN. */
export type TcpReach = "answered" | "connected" | "failed";

export function probeStunTcp(server: SocketAddress): Promise<TcpReach> {
  const transactionId = randomBytes(systemRandom, STUN_TRANSACTION_BYTES);
  return new Promise((resolve) => {
    let reach: TcpReach = "failed";
    let received = Buffer.alloc(0);
    const socket = connect({ host: server.host, port: server.port });
    const timer = setTimeout(() => socket.destroy(), STUN_TCP_PROBE_MS);
    socket.on("connect", () => {
      reach = "connected";
      socket.write(encodeStun({ class: "request", transactionId, fingerprint: false }));
    });
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const lengthBytes = packetLength(received, 0, received.length);
      const message = lengthBytes === 0 ? undefined : decodeStun(received.subarray(0, lengthBytes));
      if (message !== undefined && equalBytes(message.transactionId, transactionId)) reach = "answered";
      if (message !== undefined || received.length > STUN_MESSAGE_BYTES_MAX) socket.destroy();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(reach);
    });
  });
}
