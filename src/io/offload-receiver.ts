// Reads what waits on a socket by recvmmsg, into memory that is used again for every message (receive-batch.ts). It is told by libuv
// itself that something came, through koffi: dgram, which would tell it otherwise, reads a message of its own each time, allocates
// 64 KiB for it, cuts that to size, makes an object of the sender, and looks once more for a message that is mostly not there.
//
// Control messages tell of ECN, and dgram reads none: who counted only some of a path's packets would tell the peer that its mark is lost
// on the way. So nothing is told until dgram reads no more.
//
// dgram stays the one that reads until libuv has told for the first time, and where koffi or Node have no way for that; then
// it takes the first message of a turn, and this takes the others. The order of the messages stays, since dgram reads one in each
// call, and hands it on before it reads the next.

import { constants } from "node:os";
import { formatIp, type SocketAddress } from "../base/address.ts";
import { ecn } from "../base/ecn.ts";
import { SOCKET_READ_BYTES, SOCKET_SENDERS_MAX, SOCKET_TURN_BYTES } from "../base/limits.ts";
import type { DatagramCounters, DatagramHandlers } from "./datagram-socket.ts";
import type { DgramHandle } from "./dgram-handle.ts";
import type { Libc } from "./libc.ts";
import { monotonicNowMs } from "./monotonic-clock.ts";
import { kernelAddressBytes } from "./offload-address.ts";
import { PausingWatch } from "./pausing-watch.ts";
import { RECEIVE_BATCH_MESSAGES, ReceiveBatch } from "./receive-batch.ts";
import { ReceiveCoalescing } from "./receive-coalescing.ts";

/** A message counts as so many bytes at least, where what may be read in a turn is counted. */
const MESSAGE_COST_BYTES = 1_024;
/** After so many looks that found nothing … */
const IDLE_LOOKS_MAX = 8;
/** … only each so-manieth message is followed by one. */
const LOOK_EVERY = 8;
/** The third word of ::ffff:0:0/96 on a little-endian machine, signed; those before it are 0. */
const MAPPED_WORD = 0xffff_0000 | 0;
const { EAGAIN, EBADF } = constants.errno;

export interface OffloadReceiverOptions {
  readonly libc: Libc;
  /** Open until `stop` is called. */
  readonly fd: number;
  readonly family: 4 | 6;
  readonly counters: DatagramCounters;
  /** The address of a sender that dgram would describe so, or undefined for one that nothing can be sent to. */
  parse(sender: { readonly address: string; readonly port: number }): SocketAddress | undefined;
}

/** All sockets read into the same memory, one after the other: what one call has read is handled before the next one reads. */
let shared: ReceiveBatch | undefined;

export class OffloadReceiver {
  private readonly options: OffloadReceiverOptions;
  private readonly batch: ReceiveBatch;
  private readonly lastName: Int32Array;
  private lastSender: SocketAddress | undefined;
  private readonly known = new Map<number | string, SocketAddress>();
  private handlers: DatagramHandlers | undefined;
  private turnBytes = 0;
  /** What the last message counted as. */
  private messageBytes = MESSAGE_COST_BYTES;
  /** Times in a row that nothing more was there, or was not looked for. */
  private idleLooks = 0;
  private stopped = false;
  private watch: PausingWatch | undefined;
  private watchFd = -1;
  private readonly coalescing = new ReceiveCoalescing();
  /** Of the last look at the socket. */
  private readBytes = 0;
  private dgramReads = true;

  constructor(options: OffloadReceiverOptions) {
    const { libc, family } = options;
    this.options = options;
    shared ??= new ReceiveBatch(libc);
    this.batch = shared;
    this.lastName = new Int32Array(kernelAddressBytes(family) / 4);
  }

  /** Reads without dgram from the moment on when libuv tells for the first time. @param dgram is told to stop reading then. */
  takeOver(handlers: DatagramHandlers, dgram: DgramHandle): void {
    const { libc, fd } = this.options;
    this.handlers = handlers;
    // libuv has one watcher for a descriptor, which dgram needs when messages have to wait.
    this.watchFd = libc.duplicate(fd);
    if (this.watchFd < 0) return;
    this.watch = PausingWatch.open(libc, this.watchFd, (readable) => {
      try {
        this.onWatched(readable, dgram);
      } catch (error) {
        // Nobody catches what is thrown into libuv.
        setImmediate(() => {
          throw error;
        });
      }
    });
    if (this.watch === undefined) this.closeWatch();
  }

  private onWatched(readable: boolean, dgram: DgramHandle): void {
    if (this.stopped || this.handlers === undefined) return;
    if (this.dgramReads) dgram.recvStop();
    this.dgramReads = false;
    this.turnBytes = 0;
    this.readBytes = 0;
    const { handlers, options } = this;
    const { receivedDatagrams } = options.counters;
    const error = readable ? this.readTurn(handlers) : EBADF;
    if (error === 0) handlers.onAllRead();
    if (this.stopped) return;
    if (error === 0 || error === EAGAIN) {
      const messages = options.counters.receivedDatagrams - receivedDatagrams;
      this.watch?.pause(this.coalescing.onRead(monotonicNowMs(), messages, this.readBytes, handlers.patienceMs));
      return;
    }
    // Whatever else it may be, dgram knows how to go on, and does for good.
    this.closeWatch();
    this.dgramReads = true;
    dgram.recvStart();
  }

  private closeWatch(): void {
    this.watch?.close();
    this.watch = undefined;
    if (this.watchFd >= 0) this.options.libc.close(this.watchFd);
    this.watchFd = -1;
  }

  /** dgram has read a message: hands on what waits behind it. */
  receive(handlers: DatagramHandlers): void {
    this.handlers = handlers;
    // Where packets come one by one, a look for more is a system call for nothing: dgram finds the few that there are.
    if (this.idleLooks >= IDLE_LOOKS_MAX && ++this.idleLooks % LOOK_EVERY !== 0) return;
    const isFirst = this.turnBytes === 0;
    if (this.readTurn(handlers) !== 0) {
      this.idleLooks++;
      return;
    }
    this.idleLooks = 0;
    if (isFirst) setImmediate(this.onTurnEnd);
  }

  /**
   * Hands on what waits, up to a bound for each turn of the event loop: timers and other sockets have their turn too.
   * @returns 0, or the errno where not even one message could be had.
   */
  private readTurn(handlers: DatagramHandlers): number {
    const { libc, fd, counters } = this.options;
    const { batch } = this;
    const boundBytes = this.dgramReads ? SOCKET_READ_BYTES : SOCKET_TURN_BYTES;
    let found = false;
    while (this.turnBytes < boundBytes && !this.stopped) {
      // As many as the turn has room for, should they be as large as the last one.
      const fitting = Math.ceil((boundBytes - this.turnBytes) / this.messageBytes);
      const messagesMax = Math.min(fitting, RECEIVE_BATCH_MESSAGES);
      const messages = batch.receive(fd, messagesMax);
      if (messages < 0) return found ? 0 : libc.errno();
      found = true;
      for (let slot = 0; slot < messages && !this.stopped; slot++) {
        const bytes = batch.message(slot);
        this.messageBytes = Math.max(bytes.length, MESSAGE_COST_BYTES);
        this.turnBytes += this.messageBytes;
        this.readBytes += bytes.length;
        counters.receivedDatagrams++;
        const from = this.sender(slot);
        if (from === undefined) counters.receiveErrors++;
        else handlers.onDatagram(from, bytes, this.dgramReads ? ecn.notEct : batch.codepoint(slot));
      }
      if (messages < messagesMax) break;
    }
    return 0;
  }

  /** Nothing is read after this; the descriptor may be closed. */
  stop(): void {
    this.stopped = true;
    this.closeWatch();
  }

  /** What has come meanwhile is read at once: left to the next turn, its first message would be dgram's, in 64 KiB of fresh memory. */
  private readonly onTurnEnd = (): void => {
    this.turnBytes = 0;
    if (this.handlers === undefined || !this.dgramReads || this.stopped) return;
    this.receive(this.handlers);
    this.handlers.onAllRead();
  };

  private sender(slot: number): SocketAddress | undefined {
    const { lastName } = this;
    const { names, nameWords } = this.batch;
    const at = slot * nameWords;
    let isSame = true;
    for (let i = 0; i < lastName.length; i++) {
      if (names[at + i] === lastName[i]) continue;
      isSame = false;
      lastName[i] = names[at + i] as number;
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
