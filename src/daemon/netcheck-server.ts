// The servers that a check of the network asks: the rendezvous and any STUN servers that were named, with their addresses, and what can be
// learnt of each besides what the NAT does: whether it is the rendezvous that it should be, and whether anything but UDP gets there.

import { type SocketAddress, socketAddress } from "../base/address.ts";
import { STUN_PORT_DEFAULT } from "../base/limits.ts";
import { formatHostAndPort, parseHostAndPort, type RendezvousAddress } from "../crypto/rendezvous-address.ts";
import { equalBytes } from "../crypto/secret.ts";
import { probeIdentity } from "../io/identity-probe.ts";
import { probeStunTcp, type TcpReach } from "../io/stun-tcp-probe.ts";
import { systemLookup } from "./name-resolution.ts";
import { probeStreams, type StreamAnswer, type StreamProbeContext } from "./netcheck-stream.ts";
import type { RendezvousPins } from "./rendezvous-pins.ts";
import { UsageError } from "./usage-error.ts";

/** A server to ask, by name. */
export interface NamedServer extends RendezvousAddress {
  readonly kind: "rendezvous" | "stun";
}

/** One with its addresses; none where its name is not known. */
export interface ResolvedServer extends NamedServer {
  readonly addresses: readonly SocketAddress[];
}

/** What was learnt of a server beside the check itself. */
export interface ServerProbe {
  /** The key that a rendezvous shows, which nobody has proven to hold. */
  readonly publicKey: Uint8Array | undefined;
  /** What to tell of a key that is not the expected one. */
  readonly keyTrouble: string | undefined;
  readonly tcp: TcpReach;
  /** The ways without UDP over which a rendezvous answers, the soonest first. */
  readonly streams: readonly StreamAnswer[];
}

/** @param given values of --stun. @throws UsageError */
export function parseStunOption(given: readonly string[]): readonly NamedServer[] {
  return given.map((text) => {
    const place = parseHostAndPort(text, STUN_PORT_DEFAULT);
    if (place === undefined) throw new UsageError(`"${text}" is no STUN server; expected host or host:port`);
    return { kind: "stun", ...place };
  });
}

/** Looks a server's name up, once. */
export async function resolveServer(server: NamedServer, families: readonly (4 | 6)[]): Promise<ResolvedServer> {
  const { host, port } = server;
  const literal = socketAddress(host, port);
  let hosts: readonly string[] = [];
  try {
    hosts = literal === undefined ? await systemLookup(host) : [host];
  } catch {
    // Not to be found: that is a finding, and the report says it.
  }
  const addresses = hosts
    .map((address) => socketAddress(address, port))
    .filter((address) => address !== undefined)
    .filter(({ family }) => families.includes(family));
  return { ...server, addresses };
}

/** @throws OperatingError where a pin cannot be read. */
export async function probeServer(
  server: ResolvedServer,
  pins: RendezvousPins,
  context: StreamProbeContext,
): Promise<ServerProbe> {
  const isRendezvous = server.kind === "rendezvous";
  const [tcp, shown, streams] = await Promise.all([
    reachByTcp(server.addresses),
    isRendezvous ? shownKey(server.addresses) : undefined,
    isRendezvous ? probeStreams(server, context) : [],
  ]);
  const publicKey = shown ?? streams[0]?.publicKey;
  return { tcp, streams, publicKey, keyTrouble: publicKey && keyTroubleOf(server, publicKey, pins) };
}

async function reachByTcp(addresses: readonly SocketAddress[]): Promise<TcpReach> {
  const reaches = await Promise.all(addresses.map(probeStunTcp));
  return reaches.find((reach) => reach === "answered") ?? reaches.find((reach) => reach === "connected") ?? "failed";
}

async function shownKey(addresses: readonly SocketAddress[]): Promise<Uint8Array | undefined> {
  const keys = await Promise.all(addresses.map(probeIdentity));
  return keys.find((key) => key !== undefined);
}

function keyTroubleOf(server: NamedServer, shown: Uint8Array, pins: RendezvousPins): string | undefined {
  const named = server.publicKey;
  if (named !== undefined) {
    if (equalBytes(named, shown)) return undefined;
    return `the rendezvous ${formatHostAndPort(server)} shows another key than its address names; check the address, or somebody poses as it`;
  }
  const pinned = pins.get(server);
  if (pinned === undefined || equalBytes(pinned, shown)) return undefined;
  return pins.changed(server, pinned, shown).message;
}
