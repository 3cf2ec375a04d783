// Datagrams of relayed packets, as agents send them and kernels join them.

import { writeDataHeader, writeRelayHeader } from "../../src/wire/datagram.ts";

/**
 * A relayed data packet.
 * @param lengthBytes of the whole, at least 44.
 * @param mark fills what would be sealed, so that packets can be told apart.
 */
export function relayedPacket(channel: Uint8Array, lengthBytes: number, mark = 0): Uint8Array {
  const bytes = new Uint8Array(lengthBytes).fill(mark);
  writeRelayHeader(bytes, 0, channel);
  writeDataHeader(bytes, 12, 0, lengthBytes - 12, 7, 1, 0);
  return bytes;
}

/** Packets back to back in one datagram. */
export function joined(...packets: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(packets.reduce((sum, packet) => sum + packet.length, 0));
  let at = 0;
  for (const packet of packets) {
    bytes.set(packet, at);
    at += packet.length;
  }
  return bytes;
}
