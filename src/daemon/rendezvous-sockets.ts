// The sockets of a rendezvous: the main one, over which everything goes, and those at other ports and addresses that help agents find
// out what their NATs do (RFC 5780). Each of these has a TCP listener for STUN beside it; what TCP brings to the main one's port is more
// than that (rendezvous-streams.ts).

import { type SocketAddress, socketAddress } from "../base/address.ts";
import { type Carrier, MAIN_CARRIER } from "../base/route.ts";
import type { DatagramSocket } from "../io/datagram-socket.ts";
import { formatHostPort } from "../io/forward-target.ts";
import { interfaceAddresses } from "../io/interface-addresses.ts";
import { resolveListenHost } from "../io/listen-host.ts";
import { outboundAddress } from "../io/outbound-address.ts";
import { StunListener } from "../io/stun-listener.ts";
import { openUdpSocket } from "../io/udp-socket.ts";
import { StunResponder, type StunSocket } from "../rendezvous/stun-responder.ts";
import { isWildcard } from "./alternate-option.ts";
import { type ListenPlace, listenError } from "./listen-option.ts";
import type { ProcessLog } from "./logging.ts";
import { systemCode } from "./usage-error.ts";

export interface RendezvousSockets {
  /** Each under its number as a carrier; the main one is 0. */
  readonly sockets: readonly [DatagramSocket, ...DatagramSocket[]];
  /** Their addresses as the Internet sees them, as far as this machine can know. */
  readonly stunSockets: readonly StunSocket[];
  /** Takes TCP connections that ask by STUN. */
  readonly stunListener: StunListener;
  close(): void;
}

/** @param places the main one first. @throws OperatingError */
export async function openRendezvousSockets(
  places: readonly ListenPlace[],
  log: ProcessLog,
): Promise<RendezvousSockets> {
  const sockets: DatagramSocket[] = [];
  const stunSockets: StunSocket[] = [];
  for (const [carrier, place] of places.entries()) {
    const first = sockets[0];
    // Where any free port will do, the same one serves on the other addresses.
    const port = place.port === 0 && first !== undefined ? first.localPort : place.port;
    const socket = await open({ host: place.host, port }, carrier === 0 ? "--listen" : "--alternate", log);
    sockets.push(socket);
    for (const address of await addressesOf(socket)) stunSockets.push({ carrier, address });
  }
  const stunListener = new StunListener({ responder: new StunResponder(stunSockets), log });
  for (const [carrier, socket] of sockets.entries()) {
    if (carrier !== MAIN_CARRIER) await listenForStun(stunListener, carrier, socket, log);
  }
  return {
    sockets: sockets as [DatagramSocket, ...DatagramSocket[]],
    stunSockets,
    stunListener,
    close() {
      stunListener.close();
      for (const socket of sockets) socket.close();
    },
  };
}

async function open(place: ListenPlace, option: "--listen" | "--alternate", log: ProcessLog): Promise<DatagramSocket> {
  try {
    return await openUdpSocket({ ...place, host: await resolveListenHost(place.host), log });
  } catch (error) {
    throw listenError(error, place, "UDP", option);
  }
}

/** Where the Internet reaches a socket. One that listens on all addresses answers from the one towards the Internet. */
async function addressesOf(socket: DatagramSocket): Promise<SocketAddress[]> {
  const { localHost, localPort, families } = socket;
  const hosts = isWildcard(localHost) ? await Promise.all(families.map(ownAddress)) : [localHost];
  return hosts
    .map((host) => (host === undefined ? undefined : socketAddress(host, localPort)))
    .filter((address) => address !== undefined);
}

async function ownAddress(family: 4 | 6): Promise<string | undefined> {
  const outbound = await outboundAddress(family);
  return outbound ?? interfaceAddresses({ loopback: false, families: [family] })[0];
}

/** The rendezvous does all its work without TCP: a port that another program has there is said, and is no reason to end. */
async function listenForStun(
  listener: StunListener,
  carrier: Carrier,
  { localHost, localPort }: DatagramSocket,
  log: ProcessLog,
): Promise<void> {
  try {
    await listener.listen(carrier, localHost, localPort);
  } catch (error) {
    log.warn("cannot listen for STUN over TCP; over UDP all is well", {
      place: formatHostPort(localHost, localPort),
      reason: systemCode(error) ?? String(error),
    });
  }
}
