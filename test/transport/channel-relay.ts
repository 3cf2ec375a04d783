// A relay of one pair of channels, as the rendezvous is one of many: a packet that comes with one channel goes on with the other.

import type { SocketAddress } from "../../src/base/address.ts";
import { RELAY_HEADER_BYTES } from "../../src/base/limits.ts";
import type { Machine } from "../../src/base/machine.ts";
import { RouteTable } from "../../src/base/route.ts";
import type { Transmit } from "../../src/base/transmit.ts";
import { packetKind, packetLength, relayPrefix } from "../../src/wire/datagram.ts";

/** The outer header of each side's channel. */
export const relayPrefixes = [1, 2].map((n) => relayPrefix(new Uint8Array(8).fill(n))) as [Uint8Array, Uint8Array];

export class ChannelRelay implements Machine {
  private readonly routes = new RouteTable();
  /** Where the owner of each channel was heard last. */
  private readonly owners: (SocketAddress | undefined)[] = [];
  private readonly queue: { readonly to: SocketAddress; readonly bytes: Uint8Array }[] = [];

  /** @param owners the addresses that own the two channels at first. */
  constructor(owners: readonly SocketAddress[]) {
    this.owners.push(...owners);
  }

  handleDatagram(_nowMs: number, from: SocketAddress, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const length = packetLength(bytes, at, bytes.length);
      if (length === 0 || bytes[at] !== packetKind.relayed) return;
      const side = bytes[at + 4] === 1 ? 0 : 1;
      this.owners[side] = from;
      const to = this.owners[1 - side];
      const copy = new Uint8Array(bytes.subarray(at, at + length));
      copy.set((relayPrefixes[1 - side] as Uint8Array).subarray(0, RELAY_HEADER_BYTES));
      if (to !== undefined) this.queue.push({ to, bytes: copy });
      at += length;
    }
  }

  handleTimeout(): void {}

  pollTimeout(): number {
    return Number.POSITIVE_INFINITY;
  }

  pollTransmit(_nowMs: number, out: Transmit): boolean {
    const next = this.queue.shift();
    if (next === undefined) return false;
    out.single(this.routes.direct(next.to), next.bytes);
    return true;
  }
}
