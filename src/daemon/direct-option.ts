// The options of `expose` and `connect` about reaching each other directly: known addresses, the local network, this machine's
// own port, and how far the search for a way through NATs may go.

import { isMulticast, socketAddress } from "../base/address.ts";
import { PEER_ADDRESSES_MAX } from "../base/limits.ts";
import { formatHostAndPort, type HostAndPort, parseHostAndPort } from "../crypto/rendezvous-address.ts";
import { parsePort } from "../io/forward-target.ts";
import { UsageError } from "./usage-error.ts";

/** As the command line gives them. */
export interface DirectOptions {
  readonly address: readonly string[];
  readonly lan: boolean;
  readonly udpPort?: string | undefined;
  readonly spray: boolean;
  /** True unless told. */
  readonly portMapping?: boolean | undefined;
}

export interface DirectWays {
  /** Each once. */
  readonly addresses: readonly HostAndPort[];
  readonly lan: boolean;
  /** Undefined: any port. */
  readonly udpPort: number | undefined;
  readonly spray: boolean;
  readonly portMapping: boolean;
}

/** @throws UsageError */
export function parseDirectOptions(options: DirectOptions): DirectWays {
  const { address, lan, udpPort, spray, portMapping = true } = options;
  const texts = address.flatMap((text) => text.split(",")).map((text) => text.trim());
  const places = new Map(texts.map(parseAddress).map((place) => [formatHostAndPort(place), place]));
  if (places.size > PEER_ADDRESSES_MAX) {
    throw new UsageError(`at most ${PEER_ADDRESSES_MAX} addresses can be used at a time; leave out some --address`);
  }
  return { addresses: [...places.values()], lan, udpPort: parseUdpPort(udpPort), spray, portMapping };
}

function parseAddress(text: string): HostAndPort {
  // The port has no default here: it is whichever the other side, or its router, was given.
  const place = /^(\[[^\]]*\]|[^:]*):\d+$/.test(text) ? parseHostAndPort(text) : undefined;
  if (place === undefined) {
    throw new UsageError(
      `"${text}" is no address of a peer; expected host:port with a port from 1 to 65535, an IPv6 address in brackets`,
    );
  }
  const ip = socketAddress(place.host, place.port);
  if (ip !== undefined && (isMulticast(ip) || /^(0\..*|255\.255\.255\.255|::)$/.test(ip.host))) {
    throw new UsageError(`${text} is no address of one machine; give the one at which the other side can reach it`);
  }
  return place;
}

function parseUdpPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = parsePort(text);
  if (port === undefined) throw new UsageError(`--udp-port ${text} is no port; expected a number from 1 to 65535`);
  return port;
}

/**
 * The exposing side's own port: an address that is reached from outside leads to one port here, most often of the same number.
 * @throws UsageError where the addresses leave it open.
 */
export function localUdpPort({ addresses, udpPort }: DirectWays): number | undefined {
  const [port, ...others] = new Set(addresses.map((address) => address.port));
  if (udpPort === undefined && others.length > 0) {
    throw new UsageError("the addresses have different ports; name the UDP port of this machine with --udp-port");
  }
  return udpPort ?? port;
}
