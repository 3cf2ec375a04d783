// By which of its addresses this machine talks to the Internet. The kernel is asked for its way to an address that belongs to
// nobody (RFC 5737, RFC 3849): connecting a UDP socket looks the route up and sends nothing.

import { createSocket } from "node:dgram";
import { formatIp, parseIp } from "../base/address.ts";

const NOBODY = { 4: "192.0.2.1", 6: "2001:db8::1" } as const;

/** @returns an IP address in canonical text, or undefined where there is no way to the Internet by this family. */
export function outboundAddress(family: 4 | 6): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(family === 4 ? "udp4" : "udp6");
    const finish = (host: string | undefined): void => {
      socket.close();
      const bytes = host === undefined ? undefined : parseIp(host);
      resolve(bytes && formatIp(bytes));
    };
    socket.once("error", () => finish(undefined));
    socket.once("connect", () => finish(socket.address().address));
    socket.connect(9, NOBODY[family]);
  });
}
