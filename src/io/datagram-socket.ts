// What the driver needs of a UDP socket. The plain one is on dgram (udp-socket.ts); one that hands the kernel whole
// batches (UDP_SEGMENT, UDP_GRO) fits behind the same interface, which is why the socket owns the memory that a batch is
// written into: such a socket sends from memory of its own.

import type { SocketAddress } from "../base/address.ts";
import type { Ecn } from "../base/ecn.ts";
import type { Transmit } from "../base/transmit.ts";

/** Counters that a socket keeps; they only grow. */
export interface DatagramCounters {
  sentDatagrams: number;
  receivedDatagrams: number;
  /** Datagrams that the kernel did not take: no route, no permission, too big. A transport takes them for lost. */
  sendErrors: number;
  /** Datagrams whose sender's address could not be used. */
  receiveErrors: number;
}

export interface DatagramHandlers {
  /**
   * One received datagram, or several of one sender that the kernel joined. The bytes are the handler's to change, and only until
   * it returns.
   * @param codepoint of ECN that it came with, where the socket can tell. Linux joins no packets that differ in it; should an older one
   * do so, the first speaks for all, and validation ends the use of ECN where that is not true.
   */
  onDatagram(from: SocketAddress, bytes: Uint8Array, codepoint?: Ecn): void;
  /** Follows one `onDatagram` or more: no other comes before the socket has been looked at again. Nothing of the socket is under way. */
  onAllRead(): void;
  /** The socket can send again after `send` left it not ready. */
  onReady(): void;
  /** How long what has come may wait for more to come, in ms, where that is more than COALESCING_MS_MIN; asked now and then while much comes. */
  readonly patienceMs?: () => number;
}

export interface DatagramSocket {
  readonly localPort: number;
  /** The address bound to, as it was asked for: "0.0.0.0", "::", "192.0.2.1". */
  readonly localHost: string;
  /** Families that it reaches. */
  readonly families: readonly (4 | 6)[];
  /** Whether what is too large for the path is refused or lost, never sent in pieces: only then can its MTU be probed (RFC 8899). */
  readonly neverFragments: boolean;
  readonly counters: Readonly<DatagramCounters>;
  /** The batch to fill before `send`; another object may stand here after each `send`. */
  readonly transmit: Transmit;
  /** False while the kernel has no room: nothing is to be sent until `onReady`. */
  readonly ready: boolean;
  /** Sends what `transmit` holds. Never throws: a datagram that cannot be sent is counted, and lost. */
  send(): void;
  /** Called once, before anything is received. */
  start(handlers: DatagramHandlers): void;
  close(): void;
}
