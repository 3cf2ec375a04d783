// The router that this machine's packets to elsewhere go through, by the kernel's table of routes, and our own address on its network.
// Linux tells in /proc/net; on other systems no router is known, and no port is mapped.

import { readFileSync } from "node:fs";
import { endianness, networkInterfaces } from "node:os";
import { formatIp, parseIp } from "../base/address.ts";
import { hasPrefix, isPublicIp } from "../base/public-address.ts";

/** A router and this machine, as they stand to each other on one network. */
export interface RouterPlace {
  readonly family: 4 | 6;
  /** The router's address, canonical and without a zone. */
  readonly gateway: string;
  /** The network device that leads to it: the zone of a link-local address. */
  readonly device: string;
  /** Our address on that network; a global one where it is IPv6. */
  readonly local: string;
  /** How many leading bits of `local` name the network. */
  readonly networkBits: number;
}

/** A route to everywhere. */
export interface DefaultRoute {
  readonly gateway: string;
  readonly device: string;
  /** The lowest is taken. */
  readonly metric: number;
}

/** What `os.networkInterfaces` returns, as far as it matters here. */
export type DeviceTable = Readonly<
  Record<string, readonly { readonly address: string; readonly cidr: string | null }[] | undefined>
>;

// Flags of a route (linux/route.h).
const ROUTE_UP = 0x1;
const ROUTE_GATEWAY = 0x2;
const ROUTE_REJECT = 0x200;

const isUsable = (flags: number): boolean =>
  (flags & (ROUTE_UP | ROUTE_GATEWAY | ROUTE_REJECT)) === (ROUTE_UP | ROUTE_GATEWAY);

const rowsOf = (table: string): string[][] => table.split("\n").map((line) => line.trim().split(/\s+/));

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

const best = (routes: readonly DefaultRoute[]): DefaultRoute | undefined =>
  routes.reduce<DefaultRoute | undefined>((a, b) => (a === undefined || b.metric < a.metric ? b : a), undefined);

/** @param table the text of /proc/net/route, where an address is a number in the machine's own byte order. */
export function parseIpv4Routes(table: string, isLittleEndian = endianness() === "LE"): DefaultRoute | undefined {
  const routes: DefaultRoute[] = [];
  for (const [device, destination, gateway, flags, , , metric, mask] of rowsOf(table)) {
    if (destination !== "00000000" || mask !== "00000000" || !isUsable(Number.parseInt(flags ?? "", 16))) continue;
    const ip = bytesOf(gateway ?? "");
    if (ip.length !== 4) continue;
    routes.push({
      gateway: formatIp(isLittleEndian ? ip.reverse() : ip),
      device: device ?? "",
      metric: Number(metric),
    });
  }
  return best(routes);
}

/** @param table the text of /proc/net/ipv6_route. */
export function parseIpv6Routes(table: string): DefaultRoute | undefined {
  const routes: DefaultRoute[] = [];
  for (const [destination, bits, , , gateway, metric, , , flags, device] of rowsOf(table)) {
    if (!/^0{32}$/.test(destination ?? "") || bits !== "00" || !isUsable(Number.parseInt(flags ?? "", 16))) continue;
    const ip = bytesOf(gateway ?? "");
    if (ip.length !== 16) continue;
    routes.push({ gateway: formatIp(ip), device: device ?? "", metric: Number.parseInt(metric ?? "", 16) });
  }
  return best(routes);
}

/** @returns our address towards the router and the network that both are on; undefined where we have none that fits. */
export function localAddress(
  family: 4 | 6,
  route: DefaultRoute,
  table: DeviceTable,
): { readonly local: string; readonly networkBits: number } | undefined {
  const gateway = parseIp(route.gateway);
  for (const { address, cidr } of table[route.device] ?? []) {
    const ip = parseIp(address);
    const networkBits = Number(cidr?.split("/")[1]);
    if (gateway === undefined || ip === undefined || (ip.length === 4 ? 4 : 6) !== family) continue;
    // The router of an IPv6 network is known by its link-local address: any global one of ours is behind it.
    if (family === 6 ? isPublicIp(ip) : hasPrefix(ip, gateway, networkBits))
      return { local: formatIp(ip), networkBits };
  }
  return undefined;
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // Another system, or a sandbox: no router is known.
    return "";
  }
}

/** @param families those that matter. @returns the router of each family, as far as there is one. */
export function routerPlaces(families: readonly (4 | 6)[], table: DeviceTable = networkInterfaces()): RouterPlace[] {
  const places: RouterPlace[] = [];
  for (const family of families) {
    const route =
      family === 4 ? parseIpv4Routes(read("/proc/net/route")) : parseIpv6Routes(read("/proc/net/ipv6_route"));
    const here = route === undefined ? undefined : localAddress(family, route, table);
    if (route !== undefined && here !== undefined) {
      places.push({ family, gateway: route.gateway, device: route.device, ...here });
    }
  }
  return places;
}
