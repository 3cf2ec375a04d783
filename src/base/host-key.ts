// What is counted as one host where something is limited by the sender's address: an IPv4 address, or all those that one customer of
// IPv6 owns, who could otherwise come from another one each time.

import { parseIp, type SocketAddress } from "./address.ts";

/** An IPv6 customer owns at least a /56 (RFC 6177). */
const IPV6_PREFIX_BYTES = 7;

/** @returns what an address is counted under: the IPv4 address, or the first 56 bits of an IPv6 one. */
export function hostKey(address: SocketAddress): string {
  if (address.family === 4) return address.host;
  const bytes = parseIp(address.host);
  return bytes === undefined ? address.host : `${bytes.subarray(0, IPV6_PREFIX_BYTES).join(".")}/56`;
}
