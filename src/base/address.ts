// Addresses as the pure layers know them: text in canonical form and bytes, with no socket library behind them.
// IPv6 text follows RFC 5952; an IPv4-mapped IPv6 address is taken for the IPv4 address that it is.

import { type ByteReader, OutOfBounds } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

export interface SocketAddress {
  readonly family: 4 | 6;
  /** Canonical text without brackets or zone: "192.0.2.1", "2001:db8::1". */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** @returns the 4 bytes of a dotted quad, or undefined. */
function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return undefined;
    const value = Number(part);
    if (value > 255) return undefined;
    bytes[i] = value;
  }
  return bytes;
}

/** @returns the 16 bytes of an IPv6 address, or undefined. */
function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const groups = (part: string, isLast: boolean): number[] | undefined => {
    if (part === "") return [];
    const out: number[] = [];
    const pieces = part.split(":");
    for (const [i, piece] of pieces.entries()) {
      if (piece.includes(".")) {
        // A dotted quad stands for the last two groups of the whole address, nowhere else.
        const v4 = isLast && i === pieces.length - 1 ? parseIpv4(piece) : undefined;
        if (v4 === undefined) return undefined;
        out.push(((v4[0] as number) << 8) | (v4[1] as number), ((v4[2] as number) << 8) | (v4[3] as number));
      } else if (/^[0-9a-fA-F]{1,4}$/.test(piece)) {
        out.push(Number.parseInt(piece, 16));
      } else {
        return undefined;
      }
    }
    return out;
  };
  const head = groups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? groups(halves[1] as string, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  for (const [i, group] of all.entries()) {
    bytes[i * 2] = group >> 8;
    bytes[i * 2 + 1] = group & 0xff;
  }
  return bytes;
}

const isMapped = (bytes: Uint8Array): boolean =>
  bytes.length === 16 && bytes.subarray(0, 10).every((b) => b === 0) && bytes[10] === 0xff && bytes[11] === 0xff;

/** @returns the 4 or 16 bytes of an IP address in text; a zone ("%eth0") is refused. */
export function parseIp(text: string): Uint8Array | undefined {
  const bytes = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  return bytes !== undefined && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** @param bytes 4 or 16 of them. @returns canonical text (RFC 5952). */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (isMapped(bytes)) return bytes.subarray(12).join(".");
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) << 8) | (bytes[i + 1] as number));
  // The longest run of two or more zero groups becomes "::".
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) [bestStart, bestLength] = [i, length];
    i += length;
  }
  const hex = (part: number[]): string => part.map((g) => g.toString(16)).join(":");
  if (bestStart < 0) return hex(groups);
  return `${hex(groups.slice(0, bestStart))}::${hex(groups.slice(bestStart + bestLength))}`;
}

/** Whether it stands for a group of hosts (RFC 5771, RFC 4291 §2.7): it can be sent to, and no answer comes from it. */
export function isMulticast({ family, host }: SocketAddress): boolean {
  return family === 6 ? /^ff..:/.test(host) : /^2(2[4-9]|3\d)\./.test(host);
}

/** @param host an IP address in any valid text form. @returns undefined where host or port is not valid. */
export function socketAddress(host: string, port: number): SocketAddress | undefined {
  const bytes = parseIp(host);
  if (bytes === undefined || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  return { family: bytes.length === 4 ? 4 : 6, host: formatIp(bytes), port };
}

/** Parses "192.0.2.1:80" or "[2001:db8::1]:80". @returns undefined where it is neither. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const match = /^(?:\[([^\]]*:[^\]]*)\]|([^:]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  return socketAddress((match[1] ?? match[2]) as string, Number(match[3]));
}

/** The inverse of parseSocketAddress. */
export function formatSocketAddress(address: SocketAddress): string {
  return address.family === 4 ? `${address.host}:${address.port}` : `[${address.host}]:${address.port}`;
}

/** Bytes that `writeSocketAddress` needs: 7 or 19. */
export function socketAddressBytes(address: SocketAddress): number {
  return address.family === 4 ? 7 : 19;
}

/** family(1: 4 or 6) address(4 or 16) port(2). */
export function writeSocketAddress(writer: ByteWriter, address: SocketAddress): void {
  writer.uint8(address.family);
  writer.copy(parseIp(address.host) as Uint8Array);
  writer.uint16(address.port);
}

/** @throws OutOfBounds where the bytes are no address. */
export function readSocketAddress(reader: ByteReader): SocketAddress {
  const family = reader.uint8();
  if (family !== 4 && family !== 6) throw new OutOfBounds(`address family ${family}`);
  const host = formatIp(reader.view(family === 4 ? 4 : 16));
  const port = reader.uint16();
  const address = socketAddress(host, port);
  if (address === undefined) throw new OutOfBounds("port 0");
  return address;
}
