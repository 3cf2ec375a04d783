// The service of a UPnP router that maps ports, called by SOAP (UPnP Internet Gateway Device, WANIPConnection:1 §2.4).

import { requestFromRouter } from "./router-request.ts";
import { readSoapFields, type SoapFields } from "./upnp-document.ts";

/** Errors of AddPortMapping after which something else can be asked for (WANIPConnection:1 §2.4.16). */
export const upnpError = {
  conflict: 718,
  onlyPermanentLeases: 725,
} as const;

/** What of a router's reason is told. */
const DESCRIPTION_CHARACTERS_MAX = 100;

/** The router understood the call and did not do it. */
export class UpnpRefusal extends Error {
  override readonly name = "UpnpRefusal";
  /** UPnP's number of the error. */
  readonly code: number;

  /** @param description the router's own words, which are cut to a line. */
  constructor(code: number, description: string) {
    const words = description.replace(/\p{Cc}+/gu, " ").slice(0, DESCRIPTION_CHARACTERS_MAX);
    super(`${words === "" ? "no reason" : words} (UPnP error ${code})`);
    this.code = code;
  }
}

export interface UpnpPortMapping {
  readonly externalPort: number;
  readonly internalHost: string;
  readonly internalPort: number;
  /** 0: until it is taken back. */
  readonly leaseSeconds: number;
}

export interface UpnpServiceAddress {
  readonly type: string;
  readonly controlUrl: URL;
  /** Our address, from which it is called. */
  readonly localAddress: string;
}

/** The arguments of an action in the order of its definition, which some routers insist on. */
type Arguments = readonly (readonly [name: string, value: string | number])[];

export class UpnpService {
  private readonly address: UpnpServiceAddress;

  constructor(address: UpnpServiceAddress) {
    this.address = address;
  }

  /** @returns the router's address outside as it names it; may be empty. @throws UpnpRefusal, or an error of the network. */
  async externalAddress(signal: AbortSignal): Promise<string> {
    return (await this.call("GetExternalIPAddress", [], signal)).get("newexternalipaddress") ?? "";
  }

  /** Maps a UDP port, or renews that. @throws UpnpRefusal, or an error of the network. */
  async add(mapping: UpnpPortMapping, signal: AbortSignal): Promise<void> {
    const { externalPort, internalHost, internalPort, leaseSeconds } = mapping;
    const values: Arguments = [
      ...portOf(externalPort),
      ["NewInternalPort", internalPort],
      ["NewInternalClient", internalHost],
      ["NewEnabled", 1],
      ["NewPortMappingDescription", "tunnel"],
      ["NewLeaseDuration", leaseSeconds],
    ];
    await this.call("AddPortMapping", values, signal);
  }

  /** @returns the host inside that this UDP port is mapped to, or undefined. @throws an error of the network. */
  async holderOf(externalPort: number, signal: AbortSignal): Promise<string | undefined> {
    try {
      const fields = await this.call("GetSpecificPortMappingEntry", portOf(externalPort), signal);
      return fields.get("newinternalclient");
    } catch (error) {
      if (error instanceof UpnpRefusal) return undefined;
      throw error;
    }
  }

  /** Takes a mapping back. @throws UpnpRefusal, or an error of the network. */
  async delete(externalPort: number, signal: AbortSignal): Promise<void> {
    await this.call("DeletePortMapping", portOf(externalPort), signal);
  }

  private async call(action: string, values: Arguments, signal: AbortSignal): Promise<SoapFields> {
    const { type, controlUrl, localAddress } = this.address;
    const { status, body } = await requestFromRouter({
      url: controlUrl,
      localAddress,
      body: envelope(type, action, values),
      headers: { "Content-Type": 'text/xml; charset="utf-8"', SOAPAction: `"${type}#${action}"` },
      signal,
    });
    const fields = readSoapFields(body);
    const code = Number(fields.get("errorcode"));
    if (code > 0) throw new UpnpRefusal(code, fields.get("errordescription") ?? "");
    if (status !== 200) throw new Error(`the router answered ${action} with HTTP status ${status}`);
    return fields;
  }
}

const portOf = (externalPort: number): Arguments => [
  ["NewRemoteHost", ""],
  ["NewExternalPort", externalPort],
  ["NewProtocol", "UDP"],
];

/** None of the values can hold a character that XML would have to escape: they are numbers, addresses and words of ours. */
function envelope(type: string, action: string, values: Arguments): string {
  const fields = values.map(([name, value]) => `<${name}>${value}</${name}>`).join("");
  return [
    '<?xml version="1.0"?>\r\n',
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"',
    ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">',
    `<s:Body><u:${action} xmlns:u="${type}">${fields}</u:${action}></s:Body></s:Envelope>\r\n`,
  ].join("");
}
