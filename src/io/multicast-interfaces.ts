// The interfaces on which a multicast group can be asked and listened to, in the words that a dgram socket wants: an address of
// the interface for IPv4, its name as a zone for IPv6.

import { networkInterfaces } from "node:os";
import { LAN_INTERFACES_MAX } from "../base/limits.ts";

/** What `os.networkInterfaces` returns, as far as it matters here. */
export type MulticastTable = Readonly<
  Record<
    string,
    readonly { readonly family: string; readonly address: string; readonly internal: boolean }[] | undefined
  >
>;

/**
 * Loopback is one of them: two programs on one machine find each other without any network. An interface whose only IPv6 address is
 * link-local is left out for IPv6, because nobody could answer without naming it.
 * @returns at most LAN_INTERFACES_MAX of them.
 */
export function multicastInterfaces(family: 4 | 6, table: MulticastTable = systemInterfaces()): readonly string[] {
  const found = Object.entries(table).flatMap(([name, addresses = []]) => {
    if (family === 4)
      return addresses
        .filter((entry) => entry.family === "IPv4")
        .slice(0, 1)
        .map(({ address }) => address);
    const answerable = addresses.some(
      ({ family: kind, address, internal }) => kind === "IPv6" && !internal && !/^fe[89ab]/i.test(address),
    );
    return answerable ? [`::%${name}`] : [];
  });
  return found.slice(0, LAN_INTERFACES_MAX);
}

/** Some sandboxes forbid the question: then nobody can be asked. */
function systemInterfaces(): MulticastTable {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}
