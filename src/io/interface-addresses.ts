// The machine's own addresses, of which the agent makes its host candidates: where a peer on the same network, or anywhere
// over IPv6, may reach it directly.

import { networkInterfaces } from "node:os";
import { formatIp, parseIp } from "../base/address.ts";
import { HOST_CANDIDATES_MAX } from "../base/limits.ts";

/** What `os.networkInterfaces` returns, as far as it matters here. */
export type InterfaceTable = Readonly<
  Record<string, readonly { readonly address: string; readonly internal: boolean }[] | undefined>
>;

export interface InterfaceAddressOptions {
  /** Offer loopback even though there are others: for two agents on one machine, as in the demo. */
  readonly loopback: boolean;
  readonly families: readonly (4 | 6)[];
}

/** @returns IP addresses in canonical text, sorted, at most HOST_CANDIDATES_MAX; loopback alone where there is nothing else. */
export function interfaceAddresses(
  options: InterfaceAddressOptions,
  table: InterfaceTable = systemInterfaces(),
): readonly string[] {
  const usable = new Set<string>();
  const loopback = new Set<string>();
  for (const addresses of Object.values(table)) {
    for (const { address, internal } of addresses ?? []) {
      const host = usableHost(address, options.families);
      if (host !== undefined) (internal ? loopback : usable).add(host);
    }
  }
  const hosts = [...usable].sort();
  if (!options.loopback && hosts.length > 0) return hosts.slice(0, HOST_CANDIDATES_MAX);
  return [...[...loopback].sort(), ...hosts].slice(0, HOST_CANDIDATES_MAX);
}

/** One interface with its addresses in canonical text; link-local ones are left out. */
export interface InterfaceAddresses {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** @returns every interface that has a usable address, loopback included. */
export function interfaceList(table: InterfaceTable = systemInterfaces()): readonly InterfaceAddresses[] {
  return Object.entries(table).flatMap(([name, list]) => {
    const addresses = (list ?? [])
      .map(({ address }) => usableHost(address, [4, 6]))
      .filter((host) => host !== undefined);
    return addresses.length === 0 ? [] : [{ name, addresses }];
  });
}

/** Some sandboxes forbid the question. An agent without host candidates still has all other ways. */
function systemInterfaces(): InterfaceTable {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}

/** Link-local addresses are left out: an IPv6 one means nothing without its interface, an IPv4 one that there is no network. */
function usableHost(address: string, families: readonly (4 | 6)[]): string | undefined {
  const bytes = parseIp(address);
  if (bytes === undefined || !families.includes(bytes.length === 4 ? 4 : 6)) return undefined;
  const first = bytes[0] as number;
  const second = bytes[1] as number;
  const linkLocal = bytes.length === 4 ? first === 169 && second === 254 : first === 0xfe && (second & 0xc0) === 0x80;
  return linkLocal ? undefined : formatIp(bytes);
}
