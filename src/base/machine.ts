// The shape of every pure machine that talks to the network: the agent, the rendezvous, and what tests put in their place.
//
// The caller's duty, after every input (a datagram, a timeout, a call of any other method):
//   1. pollTransmit until it returns false, sending what it fills in;
//   2. pollEvent (each machine has its own events) until it returns undefined; handling one may be a new input;
//   3. again from 1 when handling an event changed something;
//   4. arm one timer for pollTimeout.
// It may begin with 2.
// An early call of handleTimeout changes nothing.

import type { SocketAddress } from "./address.ts";
import type { Ecn } from "./ecn.ts";
import type { Carrier } from "./route.ts";
import type { Transmit } from "./transmit.ts";

export interface Machine {
  /**
   * Takes one received datagram, which may hold several packets.
   * @param nowMs the caller's monotonic clock; it never goes back.
   * @param carrier which of our sockets it came to; the main one unless told.
   * @param bytes may be changed: packets are opened in place. The machine keeps no view of it.
   * @param codepoint of ECN that it came with; none where that is not known.
   */
  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, carrier?: Carrier, codepoint?: Ecn): void;
  handleTimeout(nowMs: number): void;
  /** @returns when handleTimeout wants to be called, in ms; Infinity for never. */
  pollTimeout(): number;
  /** Fills `out` with the next batch to send. @returns false when there is nothing. */
  pollTransmit(nowMs: number, out: Transmit): boolean;
  /** How long one of many datagrams may wait for others before they are put in, in ms: the larger the groups, the less work. */
  patienceMs?(): number;
}
