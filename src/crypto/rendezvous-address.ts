// Where a rendezvous is and which key it has to show: `<rendezvous-id>@host:port`. Without the id the key is pinned on
// first use; without the port the default one is meant. An IPv6 address stands in brackets.

import { formatIp, parseIp } from "../base/address.ts";
import { NAME_BYTES_MAX, RENDEZVOUS_PORT_DEFAULT } from "../base/limits.ts";
import { formatPeerId, parsePeerId } from "./peer-id.ts";

export interface HostAndPort {
  /** A host name in lower case, or an IP address in canonical text without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

export interface RendezvousAddress extends HostAndPort {
  /** Ed25519; absent where only the address is known. */
  readonly publicKey?: Uint8Array;
}

/** Brackets or no colon, then perhaps a port. */
const HOST_AND_PORT = /^(?:\[([^[\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/;
/** Labels of RFC 1123 §2.1, and the underscore that some networks use. */
const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/;
/** A last label of digits only belongs to an IPv4 address, and to a broken one where parseIp refused it. */
const ENDS_IN_NUMBER = /(^|\.)\d+\.?$/;

function parseHost(text: string, bracketed: boolean): string | undefined {
  const ip = parseIp(text);
  if (ip !== undefined && (bracketed ? text.includes(":") : true)) return formatIp(ip);
  const name = text.toLowerCase();
  // Six bytes are left for the port in the length byte of a ticket.
  if (bracketed || name.length > NAME_BYTES_MAX - 6) return undefined;
  return HOST_NAME.test(name) && !ENDS_IN_NUMBER.test(name) ? name : undefined;
}

/**
 * @param defaultPort where the text names none.
 * @returns host and port of "host", "host:port", "[v6]", "[v6]:port" or a bare IPv6 address; undefined for all else.
 */
export function parseHostAndPort(text: string, defaultPort = RENDEZVOUS_PORT_DEFAULT): HostAndPort | undefined {
  const match = HOST_AND_PORT.exec(text);
  if (match === null) {
    const ip = parseIp(text);
    return ip === undefined ? undefined : { host: formatIp(ip), port: defaultPort };
  }
  const host = parseHost((match[1] ?? match[2]) as string, match[1] !== undefined);
  const port = match[3] === undefined ? defaultPort : Number(match[3]);
  return host === undefined || port < 1 || port > 65535 ? undefined : { host, port };
}

/** The inverse of parseHostAndPort; the port is always written. */
export function formatHostAndPort(address: HostAndPort): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** @returns undefined where the text is not `host`, `host:port` or either behind `<rendezvous-id>@`. */
export function parseRendezvousAddress(text: string): RendezvousAddress | undefined {
  const at = text.lastIndexOf("@");
  const place = parseHostAndPort(text.slice(at + 1));
  if (place === undefined) return undefined;
  if (at < 0) return place;
  const publicKey = parsePeerId(text.slice(0, at));
  return publicKey === undefined ? undefined : { publicKey, ...place };
}

/** The inverse of parseRendezvousAddress. */
export function formatRendezvousAddress(address: RendezvousAddress): string {
  const place = formatHostAndPort(address);
  return address.publicKey === undefined ? place : `${formatPeerId(address.publicKey)}@${place}`;
}
