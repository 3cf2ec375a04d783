// The far end of the NAT observation: UDP sockets on two addresses and two ports. Each answers a request with the
// address that it came from, and on demand another of them sends to an address that asked for nothing. No STUN:
// what the lab says about its NATs has to be independent of the code that it is there to test.

import { createSocket, type Socket } from "node:dgram";

/** What a client sends, as JSON. */
export interface EchoRequest {
  readonly id: number;
  /** Which socket answers; the one that was asked when absent. */
  readonly answerFrom?: { readonly address: string; readonly port: number };
  /** Where the answer goes; back to the client when absent. */
  readonly answerTo?: { readonly address: string; readonly port: number };
}

/** What the server answers, as JSON. */
export interface EchoReply {
  readonly id: number;
  /** Where the request came from. */
  readonly observed: { readonly address: string; readonly port: number };
}

const [addresses, ports] = process.argv.slice(2).map((list) => list.split(",")) as [string[], string[]];
const sockets = new Map<string, Socket>();
let opening = addresses.length * ports.length;

for (const address of addresses) {
  for (const port of ports) {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    sockets.set(`${address}:${port}`, socket);
    socket.on("message", (message, from) => {
      const request = JSON.parse(message.toString()) as EchoRequest;
      const { answerFrom, answerTo } = request;
      const sender = answerFrom === undefined ? socket : sockets.get(`${answerFrom.address}:${answerFrom.port}`);
      const reply: EchoReply = { id: request.id, observed: { address: from.address, port: from.port } };
      const to = answerTo ?? from;
      sender?.send(JSON.stringify(reply), to.port, to.address);
    });
    socket.bind(Number(port), address, () => {
      opening--;
      if (opening === 0) process.stdout.write(`${JSON.stringify({ event: "ready" })}\n`);
    });
  }
}
