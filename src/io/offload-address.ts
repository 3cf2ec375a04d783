// An address as the kernel takes it: sockaddr_in for an IPv4 socket, sockaddr_in6 for all others, where an IPv4 address is the
// IPv6 address that it is mapped to (RFC 4291 §2.5.5.2). Linux, little-endian.

import { parseIp, type SocketAddress } from "../base/address.ts";

export const AF_INET = 2;
export const AF_INET6 = 10;

const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;
const MAPPED_PREFIX = [0xff, 0xff];

/** Bytes of the addresses that a socket of this family takes: all of one size. */
export function kernelAddressBytes(socketFamily: 4 | 6): number {
  return socketFamily === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
}

/**
 * @param socketFamily of the socket that takes it
 * @param port 0 to bind to any free one
 * @returns undefined for an IPv6 address on an IPv4 socket
 */
export function kernelAddress(socketFamily: 4 | 6, host: string, port: number): Uint8Array | undefined {
  const ip = parseIp(host);
  if (ip === undefined || (socketFamily === 4 && ip.length === 16)) return undefined;
  const bytes = new Uint8Array(kernelAddressBytes(socketFamily));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, socketFamily === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  if (socketFamily === 4) {
    bytes.set(ip, 4);
  } else if (ip.length === 16) {
    // The flow information in front stays 0, and so does the scope behind: our addresses have no zone.
    bytes.set(ip, 8);
  } else {
    bytes.set(MAPPED_PREFIX, 18);
    bytes.set(ip, 20);
  }
  return bytes;
}

/** Kernel addresses of those that we send to. A route's address is one object for as long as the route lives, so each is made once. */
export class KernelAddressCache {
  private readonly family: 4 | 6;
  private readonly known = new WeakMap<SocketAddress, Uint8Array>();

  constructor(socketFamily: 4 | 6) {
    this.family = socketFamily;
  }

  /** @returns undefined where a socket of this family cannot send to it. */
  get(address: SocketAddress): Uint8Array | undefined {
    const known = this.known.get(address);
    if (known !== undefined) return known;
    const made = kernelAddress(this.family, address.host, address.port);
    if (made !== undefined) this.known.set(address, made);
    return made;
  }
}
