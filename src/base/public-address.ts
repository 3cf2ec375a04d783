// Which addresses can be reached from the whole internet, as far as their text tells (RFC 6890): a router whose own address is none
// of them stands behind another NAT, and a machine that speaks to its router has to do with none of them.

import { parseIp } from "./address.ts";

/** Blocks that no public host has, by their leading bits: [first bytes, length in bits]. */
const NOT_PUBLIC_IPV4: readonly (readonly [readonly number[], number])[] = [
  [[0], 8], // "this network"
  [[10], 8], // private (RFC 1918)
  [[100, 64], 10], // between a carrier's NAT and its customers (RFC 6598)
  [[127], 8], // loopback
  [[169, 254], 16], // link-local
  [[172, 16], 12], // private
  [[192, 0, 0], 24], // between a host and its carrier's translator, among others (RFC 6333, RFC 7335)
  [[192, 168], 16], // private
  [[198, 18], 15], // measurements inside a network (RFC 2544)
  [[224], 4], // multicast
  [[240], 4], // reserved, and broadcast
];

/** Of IPv6 only this block has been given out as global unicast addresses (RFC 4291 §2.4). */
const PUBLIC_IPV6: readonly [readonly number[], number] = [[0x20], 3];

/** @param lengthBits how many bits from the front count. @returns whether `ip` begins as `prefix`, whose missing bytes are zeros. */
export function hasPrefix(ip: ArrayLike<number>, prefix: ArrayLike<number>, lengthBits: number): boolean {
  for (let bit = 0; bit < lengthBits; bit += 8) {
    const mask = (0xff << Math.max(0, 8 - (lengthBits - bit))) & 0xff;
    const index = bit >> 3;
    if ((((ip[index] ?? 0) ^ (prefix[index] ?? 0)) & mask) !== 0) return false;
  }
  return true;
}

/** @param ip the 4 or 16 bytes of an IP address. @returns whether it is one that hosts on the internet have. */
export function isPublicIp(ip: Uint8Array): boolean {
  if (ip.length === 16) return hasPrefix(ip, ...PUBLIC_IPV6);
  return !NOT_PUBLIC_IPV4.some(([prefix, bits]) => hasPrefix(ip, prefix, bits));
}

/** @param host an IP address in text. */
export function isPublicHost(host: string): boolean {
  const ip = parseIp(host);
  return ip !== undefined && isPublicIp(ip);
}
