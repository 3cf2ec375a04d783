// Which of our addresses the peer is told, and which of the peer's are worth a probe (after RFC 8445 §5.1.1). Nobody can aim us at
// a third party with these: an address is probed only with a few small packets, and only so many addresses are probed at all.

import { formatSocketAddress, parseIp, type SocketAddress } from "../base/address.ts";
import { CANDIDATES_MAX } from "../base/limits.ts";
import type { Candidate } from "../wire/candidate.ts";

/**
 * @param hosts the socket's address on each interface.
 * @param observed where others have seen us, the latest first.
 * @param mapped what our routers map to the socket's port.
 * @returns each address once, in the order of their promise: hosts, mappings, then what others have seen.
 */
export function gatherCandidates(
  hosts: readonly SocketAddress[],
  observed: readonly SocketAddress[],
  mapped: readonly SocketAddress[] = [],
): Candidate[] {
  const seen = new Set<string>();
  const candidates: Candidate[] = [];
  const add = (type: Candidate["type"], address: SocketAddress): void => {
    const key = formatSocketAddress(address);
    if (seen.has(key) || candidates.length >= CANDIDATES_MAX) return;
    seen.add(key);
    candidates.push({ type, address });
  };
  for (const address of hosts) add("host", address);
  for (const address of mapped) add("port-mapped", address);
  for (const address of observed) add("server-reflexive", address);
  return candidates;
}

/** @param ip 4 or 16 bytes. */
export const isLoopback = (ip: Uint8Array): boolean =>
  ip.length === 4 ? ip[0] === 127 : ip.subarray(0, 15).every((byte) => byte === 0) && ip[15] === 1;

/** Unspecified, broadcast, multicast, or link-local without a zone: nothing that a peer can be reached at. */
function isUnusable(ip: Uint8Array): boolean {
  const first = ip[0] as number;
  if (ip.every((byte) => byte === 0)) return true;
  if (ip.length === 4) return first >= 224 || first === 0 || (first === 169 && ip[1] === 254);
  return first === 0xff || (first === 0xfe && ((ip[1] as number) & 0xc0) === 0x80);
}

/**
 * @param theirs what the peer says.
 * @param hosts our own interface addresses.
 * @param by which candidates count: those for UDP unless told.
 * @returns the addresses that a probe may reach from here, each once and never our own.
 */
export function plausibleTargets(
  theirs: readonly Candidate[],
  hosts: readonly SocketAddress[],
  by?: Candidate["transport"],
): SocketAddress[] {
  const own = new Set(hosts.map(formatSocketAddress));
  const loopbackHere = hosts.some((host) => isLoopback(parseIp(host.host) as Uint8Array));
  const families = new Set(hosts.map((host) => host.family));
  const targets = new Map<string, SocketAddress>();
  for (const { address, transport } of theirs) {
    if (transport !== by) continue;
    const ip = parseIp(address.host) as Uint8Array;
    const key = formatSocketAddress(address);
    if (isUnusable(ip) || own.has(key) || (isLoopback(ip) && !loopbackHere)) continue;
    // Without an address of the family there is no way out; IPv4 is tried all the same while nothing is known of our own.
    if (families.size > 0 && !families.has(address.family)) continue;
    targets.set(key, address);
    if (targets.size >= CANDIDATES_MAX) break;
  }
  return [...targets.values()];
}
