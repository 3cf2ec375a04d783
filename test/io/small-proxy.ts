// The smallest HTTP proxy: it knows CONNECT alone, and may ask for a password.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";

export class SmallProxy {
  /** What it was asked to connect to. */
  readonly targets: string[] = [];
  private readonly server: Server;

  /** @param credentials "user:password" to be shown. @param resolve where a name leads that it looks up. */
  constructor(credentials?: string, resolve = (host: string): string => host) {
    const expected = credentials && `Basic ${Buffer.from(credentials).toString("base64")}`;
    this.server = createServer();
    this.server.on("connect", (request, client, head) => {
      client.on("error", () => client.destroy());
      this.targets.push(request.url ?? "");
      if (expected !== undefined && request.headers["proxy-authorization"] !== expected) {
        client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
        return;
      }
      const { hostname, port } = new URL(`http://${request.url}`);
      const upstream = connect(Number(port || 80), resolve(hostname), () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        upstream.write(head);
        upstream.pipe(client);
        client.pipe(upstream);
      });
      upstream.on("error", () => client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
      client.on("close", () => upstream.destroy());
    });
  }

  async listen(): Promise<this> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}
