// Where a rendezvous is and which key it has to show: `<rendezvous-id>@host:port`. Without the id the key is pinned on
// first use; without the port the default one is meant; where it takes WebSockets at another port than 443, that stands behind a
// slash: `host:4700/8443`. An IPv6 address stands in brackets.

import { formatIp, parseIp } from "../base/address.ts";
import { NAME_BYTES_MAX, RENDEZVOUS_PORT_DEFAULT, WEBSOCKET_PORT_DEFAULT } from "../base/limits.ts";
import { formatPeerId, parsePeerId } from "./peer-id.ts";

export interface HostAndPort {
  /** A host name in lower case, or an IP address in canonical text without brackets. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** Where a rendezvous is. */
export interface RendezvousPlace extends HostAndPort {
  /** Where it takes WebSockets; absent where that is 443. */
  readonly websocketPort?: number;
}

export interface RendezvousAddress extends RendezvousPlace {
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
  // Six bytes each are left for the two ports in the length byte of a ticket.
  if (bracketed || name.length > NAME_BYTES_MAX - 12) return undefined;
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

/** @returns undefined where the text is not what parseHostAndPort takes, with or without `/websocket port` behind it. */
export function parseRendezvousPlace(text: string): RendezvousPlace | undefined {
  const match = /^([^/]*)(?:\/(\d{1,5}))?$/.exec(text);
  const place = parseHostAndPort(match?.[1] ?? "");
  if (place === undefined || match?.[2] === undefined) return place;
  const websocketPort = Number(match[2]);
  if (websocketPort < 1 || websocketPort > 65535) return undefined;
  return websocketPort === WEBSOCKET_PORT_DEFAULT ? place : { ...place, websocketPort };
}

/** The inverse of parseRendezvousPlace. */
export function formatRendezvousPlace(place: RendezvousPlace): string {
  const address = formatHostAndPort(place);
  return place.websocketPort === undefined ? address : `${address}/${place.websocketPort}`;
}

/** @returns undefined where the text is not a place, with or without `<rendezvous-id>@` before it. */
export function parseRendezvousAddress(text: string): RendezvousAddress | undefined {
  const at = text.lastIndexOf("@");
  const place = parseRendezvousPlace(text.slice(at + 1));
  if (place === undefined) return undefined;
  if (at < 0) return place;
  const publicKey = parsePeerId(text.slice(0, at));
  return publicKey === undefined ? undefined : { publicKey, ...place };
}

/** The inverse of parseRendezvousAddress. */
export function formatRendezvousAddress(address: RendezvousAddress): string {
  const place = formatRendezvousPlace(address);
  return address.publicKey === undefined ? place : `${formatPeerId(address.publicKey)}@${place}`;
}
