// Finds the UPnP router of one network: a search by SSDP (UPnP Device Architecture 1.1 §1.3) on that network's interface, then its
// description. Whatever answers could be anybody: only private addresses of that very network are ever talked to.

import { createSocket } from "node:dgram";
import { parseIp } from "../base/address.ts";
import { SSDP_PORT, UPNP_DEVICES_MAX, UPNP_SEARCH_MS } from "../base/limits.ts";
import { hasPrefix, isPublicIp } from "../base/public-address.ts";
import type { RouterPlace } from "./default-gateway.ts";
import { requestFromRouter } from "./router-request.ts";
import { readUpnpDescription } from "./upnp-document.ts";
import { UpnpService } from "./upnp-service.ts";

const SSDP_GROUP = "239.255.255.250";

const SEARCH_TARGETS = [1, 2].map((version) => `urn:schemas-upnp-org:device:InternetGatewayDevice:${version}`);

/** A search that got lost is followed by another one after this. */
const REPEAT_MS = 500;

export interface UpnpSearch {
  readonly place: RouterPlace;
  /** Where devices listen for a search; a test's own port. */
  readonly ssdpPort?: number;
  readonly searchMs?: number;
  readonly signal: AbortSignal;
}

/** @returns whether this is a private address of the router's own network. */
export function isOnNetwork(host: string, place: RouterPlace): boolean {
  const ip = parseIp(host);
  const local = parseIp(place.local) as Uint8Array;
  return ip?.length === local.length && !isPublicIp(ip) && hasPrefix(ip, local, place.networkBits);
}

/** @param text what a device says in answer to a search. @returns where its description is, if that is on our network. */
export function parseSearchAnswer(text: string, place: RouterPlace): URL | undefined {
  const [status = "", ...lines] = text.split(/\r?\n/);
  if (!/^HTTP\/1\.[01] 200\b/.test(status)) return undefined;
  const location = lines
    .map((line) => /^location\s*:\s*(\S+)\s*$/i.exec(line)?.[1])
    .find((found) => found !== undefined);
  return location === undefined ? undefined : urlOnNetwork(location, place);
}

function urlOnNetwork(text: string, place: RouterPlace, base?: URL): URL | undefined {
  if (!URL.canParse(text, base?.href)) return undefined;
  const url = new URL(text, base);
  const isPlain = url.protocol === "http:" && url.username === "" && url.password === "";
  return isPlain && isOnNetwork(url.hostname, place) ? url : undefined;
}

/** @returns where devices describe themselves, the router's own first. Empty where there are none, or the search failed. */
async function findDescriptions(search: UpnpSearch): Promise<URL[]> {
  const { place, signal, ssdpPort = SSDP_PORT, searchMs = UPNP_SEARCH_MS } = search;
  const found = new Map<string, URL>();
  const socket = createSocket("udp4");
  let repeat: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    const over = AbortSignal.any([signal, AbortSignal.timeout(searchMs)]);
    over.addEventListener("abort", () => resolve());
    if (over.aborted) resolve();
    socket.on("error", () => resolve());
    socket.on("message", (bytes, from) => {
      if (!isOnNetwork(from.address, place) || found.size >= UPNP_DEVICES_MAX) return;
      const url = parseSearchAnswer(bytes.toString("latin1"), place);
      if (url === undefined) return;
      found.set(url.href, url);
      // The router itself is what is wanted; other devices would only be in its place.
      if (url.hostname === place.gateway) resolve();
    });
    socket.bind({ address: place.local, port: 0, exclusive: true }, () => {
      const ask = (): void => {
        for (const host of [SSDP_GROUP, place.gateway]) {
          for (const target of SEARCH_TARGETS)
            socket.send(searchText(host, ssdpPort, target), ssdpPort, host, () => {});
        }
      };
      try {
        socket.setMulticastInterface(place.local);
        socket.setMulticastTTL(2);
      } catch {
        // Without multicast, the search sent to the router alone is left.
      }
      ask();
      repeat = setTimeout(ask, REPEAT_MS);
    });
  });
  clearTimeout(repeat);
  socket.close();
  const isRouter = (url: URL): number => (url.hostname === place.gateway ? 0 : 1);
  return [...found.values()].sort((a, b) => isRouter(a) - isRouter(b));
}

const searchText = (host: string, port: number, target: string): string =>
  `M-SEARCH * HTTP/1.1\r\nHOST: ${host}:${port}\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ${target}\r\n\r\n`;

/** @returns the services that map ports, the router's own first. @throws where the signal was given. */
export async function findUpnpServices(search: UpnpSearch): Promise<UpnpService[]> {
  const { place, signal } = search;
  const services: UpnpService[] = [];
  for (const location of await findDescriptions(search)) {
    signal.throwIfAborted();
    try {
      const { status, body } = await requestFromRouter({ url: location, localAddress: place.local, signal });
      if (status === 200) services.push(...readServices(body, location, place));
    } catch {
      // A device that cannot be asked is none that maps ports.
    }
  }
  signal.throwIfAborted();
  return services;
}

function readServices(xml: string, location: URL, place: RouterPlace): UpnpService[] {
  const { baseUrl, services } = readUpnpDescription(xml);
  // A description speaks for the machine that it came from, and for no other.
  const isSameHost = (url: URL | undefined): url is URL => url?.hostname === location.hostname;
  const base = urlOnNetwork(baseUrl, place);
  return services.flatMap((service) => {
    const controlUrl = urlOnNetwork(service.controlUrl, place, isSameHost(base) ? base : location);
    return isSameHost(controlUrl)
      ? [new UpnpService({ type: service.type, controlUrl, localAddress: place.local })]
      : [];
  });
}
