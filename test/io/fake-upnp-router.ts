// A UPnP router for tests, on loopback: answers searches, describes itself, and maps ports by SOAP. It can be made to behave as the
// odder ones do.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { RouterPlace } from "../../src/io/default-gateway.ts";

/** This machine and the router, both on loopback. */
export const loopbackPlace: RouterPlace = {
  family: 4,
  gateway: "127.0.0.1",
  device: "lo",
  local: "127.0.0.1",
  networkBits: 8,
};

export interface UpnpHeldMapping {
  readonly client: string;
  readonly internalPort: string;
  readonly leaseSeconds: string;
}

const SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1";

const field = (xml: string, name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? "";

export class FakeUpnpRouter {
  /** By external port. */
  readonly mappings = new Map<string, UpnpHeldMapping>();
  /** The actions that were called, in order. */
  readonly actions: string[] = [];
  /** The bodies of the calls. */
  readonly bodies: string[] = [];
  searches = 0;
  external = "203.0.113.9";
  onlyPermanentLeases = false;
  /** Error that every AddPortMapping gets. */
  refusal = 0;
  /** Sent in place of its own LOCATION. */
  location: string | undefined;
  /** Sent in place of its own description. */
  description: string | undefined;
  isSilent = false;
  private readonly server: Server;
  private readonly socket: Socket;

  static async start(): Promise<FakeUpnpRouter> {
    const router = new FakeUpnpRouter();
    router.server.listen(0, "127.0.0.1");
    await once(router.server, "listening");
    router.socket.bind(0, "127.0.0.1");
    await once(router.socket, "listening");
    return router;
  }

  private constructor() {
    this.server = createServer((request, response) => void this.onRequest(request, response));
    this.socket = createSocket("udp4");
    this.socket.on("message", (bytes, from) => this.onSearch(bytes.toString(), from.port, from.address));
  }

  get ssdpPort(): number {
    return this.socket.address().port;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** How often this action was called. */
  count(action: string): number {
    return this.actions.filter((name) => name === action).length;
  }

  async close(): Promise<void> {
    this.socket.close();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }

  private onSearch(text: string, port: number, host: string): void {
    this.searches++;
    if (this.isSilent || !text.startsWith("M-SEARCH * HTTP/1.1\r\n")) return;
    const target = /^ST: (.*)\r$/m.exec(text)?.[1];
    const answer = `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: ${target}\r\nLocation: ${this.location ?? `${this.url}/desc.xml`}\r\n\r\n`;
    this.socket.send(answer, port, host);
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    if (request.url === "/desc.xml") {
      response.end(this.description ?? describe("/ctl/ip"));
      return;
    }
    const action = /#(\w+)"$/.exec(String(request.headers.soapaction))?.[1] ?? "";
    this.actions.push(action);
    this.bodies.push(body);
    const result = request.url === "/ctl/ip" ? this.call(action, body) : 401;
    response.statusCode = typeof result === "number" ? 500 : 200;
    response.end(typeof result === "number" ? fault(result) : answer(action, result));
  }

  /** @returns the fields of the answer, or the number of an error. */
  private call(action: string, body: string): Readonly<Record<string, string>> | number {
    const port = field(body, "NewExternalPort");
    const held = this.mappings.get(port);
    switch (action) {
      case "GetExternalIPAddress":
        return { NewExternalIPAddress: this.external };
      case "GetSpecificPortMappingEntry":
        return held === undefined ? 714 : { NewInternalClient: held.client, NewInternalPort: held.internalPort };
      case "DeletePortMapping":
        return this.mappings.delete(port) ? {} : 714;
      case "AddPortMapping":
        return this.add(port, held, body);
      default:
        return 401;
    }
  }

  private add(
    port: string,
    held: UpnpHeldMapping | undefined,
    body: string,
  ): Readonly<Record<string, string>> | number {
    const client = field(body, "NewInternalClient");
    const leaseSeconds = field(body, "NewLeaseDuration");
    if (this.refusal !== 0) return this.refusal;
    if (held !== undefined && held.client !== client) return 718;
    if (this.onlyPermanentLeases && leaseSeconds !== "0") return 725;
    this.mappings.set(port, { client, internalPort: field(body, "NewInternalPort"), leaseSeconds });
    return {};
  }
}

const describe = (controlUrl: string): string => `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceList><device><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
<serviceList>
<service><serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType><controlURL>/ctl/common</controlURL></service>
<service><serviceType>${SERVICE}</serviceType><SCPDURL>/ip.xml</SCPDURL><controlURL>${controlUrl}</controlURL></service>
</serviceList></device></deviceList></device></deviceList></device></root>`;

const answer = (action: string, fields: Readonly<Record<string, string>>): string =>
  `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>
<u:${action}Response xmlns:u="${SERVICE}">${Object.entries(fields)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
    .join("")}</u:${action}Response></s:Body></s:Envelope>`;

const fault = (code: number): string =>
  `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>
<faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0">
<errorCode>${code}</errorCode><errorDescription>Error ${code}</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>`;
