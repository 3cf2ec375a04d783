// The memory that recvmmsg(2) fills: a row of messages, each with room for as much as the kernel joins into one (UDP_GRO), its
// sender's sockaddr and its length. It is made once for all sockets of the process, and changed in place. One slot is
//
//     mmsghdr  msghdr of 7 words (offload-message.ts draws it) · bytes received(4), padded to a word
//     iovec    base · length                                   2 words
//     name     the sender's sockaddr                           32 bytes
//
// and all mmsghdr lie one behind the other, then all iovec, then all names, then the messages themselves.

import type { Libc } from "./libc.ts";

/** As many messages as one call takes at most. Most calls find one; a burst of packets that nobody joined fills it. */
export const RECEIVE_BATCH_MESSAGES = 16;
/** Linux joins no more than this into one message, however large the packets (GRO_LEGACY_MAX_SIZE). */
export const MESSAGE_BYTES_MAX = 65_536;

/** Room for the largest sockaddr, in words of 32 bits. */
const NAME_WORDS = 8;
/** Messages are not put at multiples of 64 KiB, where all of them would compete for the same lines of the processor's caches. */
const MESSAGE_STRIDE_BYTES = MESSAGE_BYTES_MAX + 4_096 + 64;
const MSG_DONTWAIT = 0x40;

export class ReceiveBatch {
  /** Each slot's sockaddr in turn, `nameWords` words of 32 bits apart. */
  readonly names: Int32Array;
  readonly nameWords = NAME_WORDS;
  private readonly libc: Libc;
  private readonly address: number;
  /** The headers, as words of 32 bits. */
  private readonly headers: Uint32Array;
  private readonly headerWords: number;
  private readonly messages: Uint8Array;
  /** The part of each slot that its last message filled: most are as long as the one before. */
  private readonly views: Uint8Array[] = [];

  constructor(libc: Libc) {
    this.libc = libc;
    const { wordBytes } = libc;
    const headerBytes = 8 * wordBytes;
    const vectorsAt = RECEIVE_BATCH_MESSAGES * headerBytes;
    const namesAt = vectorsAt + RECEIVE_BATCH_MESSAGES * 2 * wordBytes;
    const memory = new ArrayBuffer(namesAt + RECEIVE_BATCH_MESSAGES * NAME_WORDS * 4);
    this.address = libc.addressOf(new Uint8Array(memory));
    this.headers = new Uint32Array(memory, 0, vectorsAt / 4);
    this.headerWords = headerBytes / 4;
    this.names = new Int32Array(memory, namesAt);
    this.messages = new Uint8Array(RECEIVE_BATCH_MESSAGES * MESSAGE_STRIDE_BYTES);
    const messagesAt = libc.addressOf(this.messages);
    const view = new DataView(memory);
    const writeWord = (at: number, value: number): void => {
      view.setUint32(at, value % 0x1_0000_0000, true);
      // Addresses have 48 bits at most, so that a number holds them exactly.
      if (wordBytes === 8) view.setUint32(at + 4, value / 0x1_0000_0000, true);
    };
    for (let slot = 0; slot < RECEIVE_BATCH_MESSAGES; slot++) {
      const header = slot * headerBytes;
      const vector = vectorsAt + slot * 2 * wordBytes;
      writeWord(header, this.address + namesAt + slot * NAME_WORDS * 4);
      writeWord(header + 2 * wordBytes, this.address + vector);
      writeWord(header + 3 * wordBytes, 1);
      writeWord(vector, messagesAt + slot * MESSAGE_STRIDE_BYTES);
      writeWord(vector + wordBytes, MESSAGE_BYTES_MAX);
      this.views.push(this.messages.subarray(0, 0));
    }
  }

  /**
   * Takes what waits on a socket, without waiting for more.
   * @param messagesMax at most RECEIVE_BATCH_MESSAGES
   * @returns how many messages there were, or −1.
   */
  receive(fd: number, messagesMax: number): number {
    const { headers, headerWords, libc } = this;
    const nameLengthAt = headerWords / 8;
    // The kernel wrote the length of each name over the room for it.
    for (let slot = 0; slot < RECEIVE_BATCH_MESSAGES; slot++)
      headers[slot * headerWords + nameLengthAt] = NAME_WORDS * 4;
    return libc.recvmmsg(fd, this.address, messagesMax, MSG_DONTWAIT);
  }

  /** @returns the bytes of a message, which the next `receive` overwrites. */
  message(slot: number): Uint8Array {
    const lengthBytes = this.headers[slot * this.headerWords + (this.headerWords * 7) / 8] as number;
    const before = this.views[slot] as Uint8Array;
    if (before.length === lengthBytes) return before;
    const start = slot * MESSAGE_STRIDE_BYTES;
    const view = this.messages.subarray(start, start + lengthBytes);
    this.views[slot] = view;
    return view;
  }
}
