// Reads what waits on a socket by recvfrom, into memory that is used again for every message. dgram reads too, and tells that
// something came: it takes the first message of a turn, this takes the others. For each of them dgram allocates 64 KiB, cuts it
// to size, makes an object of the sender and enters JavaScript anew. Measured on loopback, with Node 20:
//
//                              packets of 1400 bytes     64 KB that the kernel joined
//     dgram                    3.3 µs each               12 µs each
//     recvfrom                 0.5 µs each               3 µs each
//
// Few networks join packets for us: many drivers, among them those of Wi-Fi, deliver them one by one. The order of the messages
// stays, since dgram reads one in each call, and hands it on before it reads the next.

import { formatIp, type SocketAddress } from "../base/address.ts";
import { SOCKET_READ_BYTES, SOCKET_SENDERS_MAX } from "../base/limits.ts";
import type { DatagramCounters, DatagramHandlers } from "./datagram-socket.ts";
import type { Libc } from "./libc.ts";
import { kernelAddressBytes } from "./offload-address.ts";

const MSG_DONTWAIT = 0x40;
/** Linux joins no more than this into one message, however large the packets (GRO_LEGACY_MAX_SIZE). */
const MESSAGE_BYTES_MAX = 65_536;
/** A message counts as so many bytes at least, where what may be read in a turn is counted. */
const MESSAGE_COST_BYTES = 1_024;
/** After so many looks that found nothing … */
const IDLE_LOOKS_MAX = 8;
/** … only each so-manieth message is followed by one. */
const LOOK_EVERY = 8;
/** The third word of ::ffff:0:0/96 on a little-endian machine, signed; those before it are 0. */
const MAPPED_WORD = 0xffff_0000 | 0;

export interface OffloadReceiverOptions {
  readonly libc: Libc;
  /** Open until `stop` is called. */
  readonly fd: number;
  readonly family: 4 | 6;
  readonly counters: DatagramCounters;
  /** The address of a sender that dgram would describe so, or undefined for one that nothing can be sent to. */
  parse(sender: { readonly address: string; readonly port: number }): SocketAddress | undefined;
}

/** All sockets read into the same memory, one after the other: a message is handled before the next one is read. */
let shared: { readonly bytes: Uint8Array; readonly address: number } | undefined;

export class OffloadReceiver {
  private readonly options: OffloadReceiverOptions;
  private readonly buffer: { readonly bytes: Uint8Array; readonly address: number };
  /** The part of the buffer that the last message filled: most are as long as the one before. */
  private view: Uint8Array;
  /** The sender's sockaddr, and behind it the length that recvfrom reads and writes. */
  private readonly name: Int32Array;
  private readonly nameAddress: number;
  private readonly nameBytes: number;
  private readonly lastName: Int32Array;
  private lastSender: SocketAddress | undefined;
  private readonly known = new Map<number | string, SocketAddress>();
  private handlers: DatagramHandlers | undefined;
  private turnBytes = 0;
  /** Times in a row that nothing more was there, or was not looked for. */
  private idleLooks = 0;
  private stopped = false;

  constructor(options: OffloadReceiverOptions) {
    const { libc, family } = options;
    this.options = options;
    if (shared === undefined) {
      const bytes = new Uint8Array(MESSAGE_BYTES_MAX);
      shared = { bytes, address: libc.addressOf(bytes) };
    }
    this.buffer = shared;
    this.view = shared.bytes;
    this.nameBytes = kernelAddressBytes(family);
    this.name = new Int32Array(new ArrayBuffer(this.nameBytes + 4));
    this.nameAddress = libc.addressOf(new Uint8Array(this.name.buffer));
    this.lastName = new Int32Array(this.nameBytes / 4);
  }

  /** Hands on what waits, up to a bound for each turn of the event loop: timers and other sockets have their turn too. */
  receive(handlers: DatagramHandlers): void {
    const { counters } = this.options;
    this.handlers = handlers;
    // Where packets come one by one, a look for more is a system call for nothing: dgram finds the few that there are.
    if (this.idleLooks >= IDLE_LOOKS_MAX && ++this.idleLooks % LOOK_EVERY !== 0) return;
    while (this.turnBytes < SOCKET_READ_BYTES && !this.stopped) {
      const lengthBytes = this.read();
      // EAGAIN, mostly. dgram meets any other error when it reads, and reports it.
      if (lengthBytes < 0) {
        this.idleLooks++;
        return;
      }
      this.idleLooks = 0;
      if (this.turnBytes === 0) setImmediate(this.onTurnEnd);
      this.turnBytes += Math.max(lengthBytes, MESSAGE_COST_BYTES);
      counters.receivedDatagrams++;
      const from = this.sender();
      if (lengthBytes !== this.view.length) this.view = this.buffer.bytes.subarray(0, lengthBytes);
      if (from === undefined) counters.receiveErrors++;
      else handlers.onDatagram(from, this.view);
    }
  }

  /** @returns the bytes of the next message, whose sender is then in `name`, or −1. */
  private read(): number {
    const { libc, fd } = this.options;
    const { nameBytes, nameAddress } = this;
    this.name[nameBytes / 4] = nameBytes;
    const at = this.buffer.address;
    return libc.recvfrom(fd, at, MESSAGE_BYTES_MAX, MSG_DONTWAIT, nameAddress, nameAddress + nameBytes);
  }

  /** Nothing is read after this; the descriptor may be closed. */
  stop(): void {
    this.stopped = true;
  }

  /** What has come meanwhile is read at once: left to the next turn, its first message would be dgram's, in 64 KiB of fresh memory. */
  private readonly onTurnEnd = (): void => {
    this.turnBytes = 0;
    if (this.handlers !== undefined) this.receive(this.handlers);
  };

  private sender(): SocketAddress | undefined {
    const { name, lastName } = this;
    let isSame = true;
    for (let i = 0; i < lastName.length; i++) {
      if (name[i] === lastName[i]) continue;
      isSame = false;
      lastName[i] = name[i] as number;
    }
    if (!isSame) this.lastSender = this.lookUp();
    return this.lastSender;
  }

  private lookUp(): SocketAddress | undefined {
    const key = this.senderKey();
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const address = this.describe();
    if (address === undefined) return undefined;
    if (this.known.size >= SOCKET_SENDERS_MAX) this.known.clear();
    this.known.set(key, address);
    return address;
  }

  /** A relay hears another sender with every message: to know an IPv4 address again must not cost a text. */
  private senderKey(): number | string {
    const { lastName } = this;
    const familyAndPort = lastName[0] as number;
    if (this.options.family === 4) return ((lastName[1] as number) >>> 0) * 0x1_0000 + (familyAndPort >>> 16);
    if (this.isMapped()) return ((lastName[5] as number) >>> 0) * 0x1_0000 + (familyAndPort >>> 16);
    return lastName.join(" ");
  }

  /** Whether the address is ::ffff:0:0/96, an IPv4 address on a socket of IPv6. */
  private isMapped(): boolean {
    return this.lastName[2] === 0 && this.lastName[3] === 0 && this.lastName[4] === MAPPED_WORD;
  }

  /** In dgram's words, so that a sender is the same object whichever of the two read its message. */
  private describe(): SocketAddress | undefined {
    const bytes = new Uint8Array(this.lastName.buffer);
    const port = ((bytes[2] as number) << 8) | (bytes[3] as number);
    if (this.options.family === 4) return this.options.parse({ address: formatIp(bytes.subarray(4, 8)), port });
    const ip = formatIp(bytes.subarray(8, 24));
    const scope = this.lastName[6];
    const address = this.isMapped() ? `::ffff:${ip}` : scope === 0 ? ip : `${ip}%${scope}`;
    return this.options.parse({ address, port });
  }
}
