// The HTTP proxy of a company: it connects to whatever CONNECT names, and does nothing else. With words as its second argument it asks
// for them as user and password.
//
//   node http-proxy.js <port> [<user:password>]

import { createServer } from "node:http";
import { connect } from "node:net";

const [port, credentials] = process.argv.slice(2);
const expected = credentials && `Basic ${Buffer.from(credentials).toString("base64")}`;

const server = createServer((_request, response) => response.writeHead(405).end());
server.on("connect", (request, client, head) => {
  client.on("error", () => client.destroy());
  if (expected !== undefined && request.headers["proxy-authorization"] !== expected) {
    client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    return;
  }
  const target = new URL(`http://${request.url}`);
  const upstream = connect(Number(target.port || 80), target.hostname, () => {
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    upstream.write(head);
    upstream.pipe(client);
    client.pipe(upstream);
  });
  upstream.on("error", () => client.destroy());
});
server.listen(Number(port), () => process.stdout.write(`${JSON.stringify({ event: "ready" })}\n`));
