// The agent's UDP socket, on a port of the person's choice or any, and what to tell a person whose choice is taken.

import type { Log } from "../base/log.ts";
import type { DatagramSocket } from "../io/datagram-socket.ts";
import { openUdpSocket } from "../io/udp-socket.ts";
import { OperatingError, systemCode } from "./usage-error.ts";

/** @throws OperatingError where the port is in use, or not for this user. */
export async function openMainSocket(port: number | undefined, log: Log): Promise<DatagramSocket> {
  if (port === undefined) return openUdpSocket({ log });
  try {
    return await openUdpSocket({ port, log });
  } catch (error) {
    switch (systemCode(error)) {
      case "EADDRINUSE":
        throw new OperatingError(
          "address-in-use",
          `UDP port ${port} is in use by another program; end that one, or choose another port with --udp-port`,
        );
      case "EACCES":
      case "EPERM":
        throw new OperatingError(
          "address-forbidden",
          `this user may not use UDP port ${port}; choose one from 1024 up with --udp-port`,
        );
      default:
        throw error;
    }
  }
}
