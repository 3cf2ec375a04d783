// What a machine wants sent: one or more packets to one route, back to back in one buffer, all but the last
// of one size, so that the socket can hand the kernel the whole batch in a call (UDP_SEGMENT) or one by one.
// The caller owns the object and hands the same one in again and again: nothing is allocated a packet.

import { type Ecn, ecn } from "./ecn.ts";
import type { Route } from "./route.ts";

/** The most a batch holds: the largest UDP payload over IPv4. */
export const TRANSMIT_BYTES_MAX = 65_507;
/** What it is kept in: as much as a received message takes, so that the relay can send such a one as it is. */
export const TRANSMIT_BUFFER_BYTES = 65_536;

export class Transmit {
  buffer: Uint8Array;
  /** Set by the machine that fills the batch. */
  route: Route | undefined;
  /** Bytes of the buffer that are to be sent. */
  lengthBytes = 0;
  /** The size of every packet but the last, which may be shorter. */
  segmentBytes = 0;
  /** The batch dies on its way after so many hops (TTL, RFC 791); undefined for what is to arrive. */
  hopLimit: number | undefined;

  /** The codepoint that its packets' IP headers bear, where the socket can set it. */
  ecn: Ecn = ecn.notEct;

  constructor(buffer: Uint8Array = new Uint8Array(TRANSMIT_BUFFER_BYTES)) {
    this.buffer = buffer;
  }

  /** Starts an empty batch for `route`. */
  begin(route: Route): void {
    this.route = route;
    this.lengthBytes = 0;
    this.segmentBytes = 0;
    this.hopLimit = undefined;
    this.ecn = ecn.notEct;
  }

  /**
   * Puts a buffer that holds the whole batch in the place of this one's: cheaper than to copy it.
   * @returns the buffer that was here, which is the caller's now.
   */
  exchange(buffer: Uint8Array): Uint8Array {
    const before = this.buffer;
    this.buffer = buffer;
    return before;
  }

  /** Fills the batch with one packet behind its route's prefix. */
  prefixed(route: Route, packet: Uint8Array): void {
    this.begin(route);
    this.buffer.set(route.prefix, 0);
    this.buffer.set(packet, route.prefix.length);
    this.lengthBytes = route.prefix.length + packet.length;
    this.segmentBytes = this.lengthBytes;
  }

  /** Fills the batch with one ready datagram. */
  single(route: Route, datagram: Uint8Array): void {
    this.begin(route);
    this.buffer.set(datagram, 0);
    this.lengthBytes = datagram.length;
    this.segmentBytes = datagram.length;
  }

  /** Makes this the same batch as another one. */
  copy(from: Transmit): void {
    this.route = from.route;
    this.lengthBytes = from.lengthBytes;
    this.segmentBytes = from.segmentBytes;
    this.hopLimit = from.hopLimit;
    this.ecn = from.ecn;
    this.buffer.set(from.buffer.subarray(0, from.lengthBytes));
  }
}
