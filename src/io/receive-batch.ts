// The memory that recvmmsg(2) fills: a row of messages, each with room for as much as the kernel joins into one (UDP_GRO), its
// sender's sockaddr and its length. It is made once for all sockets of the process, and changed in place. One slot is
//
//     mmsghdr  msghdr of 7 words (offload-message.ts draws it) · bytes received(4), padded to a word
//     iovec    base · length                                   2 words
//     name     the sender's sockaddr                           32 bytes
//     control  cmsghdr: length · level(4) type(4) · value, padded to a word, one behind the other
//
// and all mmsghdr lie one behind the other, then all iovec, all names, all control, then the messages themselves.

import { type Ecn, ecn } from "../base/ecn.ts";
import { IP_TOS, IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS, type Libc, MSG_DONTWAIT } from "./libc.ts";

/** As many messages as one call takes at most. Most calls find one; a burst of packets that nobody joined fills it. */
export const RECEIVE_BATCH_MESSAGES = 16;
/** Linux joins no more than this into one message, however large the packets (GRO_LEGACY_MAX_SIZE). */
export const MESSAGE_BYTES_MAX = 65_536;

/** Room for the largest sockaddr, in words of 32 bits. */
const NAME_WORDS = 8;
/** Messages are not put at multiples of 64 KiB, where all of them would compete for the same lines of the processor's caches. */
const MESSAGE_STRIDE_BYTES = MESSAGE_BYTES_MAX + 4_096 + 64;
/** Room for the control messages of two options: how large the joined packets are (UDP_GRO), and the traffic class. */
const CONTROL_WORDS = 16;
/** ECN's part of the traffic class (RFC 3168 §5). */
const ECN_MASK = 0x03;

export class ReceiveBatch {
  /** Each slot's sockaddr in turn, `nameWords` words of 32 bits apart. */
  readonly names: Int32Array;
  readonly nameWords = NAME_WORDS;
  private readonly libc: Libc;
  private readonly address: number;
  /** The headers, as words of 32 bits. */
  private readonly headers: Uint32Array;
  private readonly headerWords: number;
  /** Each slot's control messages in turn, as words of 32 bits. */
  private readonly controls: Int32Array;
  /** Words of 32 bits in a word of the kernel's. */
  private readonly wordWords: number;
  private readonly messages: Uint8Array;
  /** The part of each slot that its last message filled: most are as long as the one before. */
  private readonly views: Uint8Array[] = [];

  constructor(libc: Libc) {
    this.libc = libc;
    const { wordBytes } = libc;
    const headerBytes = 8 * wordBytes;
    const vectorsAt = RECEIVE_BATCH_MESSAGES * headerBytes;
    const namesAt = vectorsAt + RECEIVE_BATCH_MESSAGES * 2 * wordBytes;
    const controlsAt = namesAt + RECEIVE_BATCH_MESSAGES * NAME_WORDS * 4;
    const memory = new ArrayBuffer(controlsAt + RECEIVE_BATCH_MESSAGES * CONTROL_WORDS * 4);
    this.address = libc.addressOf(new Uint8Array(memory));
    this.headers = new Uint32Array(memory, 0, vectorsAt / 4);
    this.headerWords = headerBytes / 4;
    this.names = new Int32Array(memory, namesAt, RECEIVE_BATCH_MESSAGES * NAME_WORDS);
    this.controls = new Int32Array(memory, controlsAt);
    this.wordWords = wordBytes / 4;
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
      writeWord(header + 4 * wordBytes, this.address + controlsAt + slot * CONTROL_WORDS * 4);
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
    // The kernel wrote the lengths of each name and of the control messages over the room for them.
    for (let slot = 0; slot < RECEIVE_BATCH_MESSAGES; slot++) {
      const header = slot * headerWords;
      headers[header + nameLengthAt] = NAME_WORDS * 4;
      headers[header + 5 * nameLengthAt] = CONTROL_WORDS * 4;
    }
    return libc.recvmmsg(fd, this.address, messagesMax, MSG_DONTWAIT);
  }

  /** @returns the codepoint of a message's packets; none where the kernel told nothing. */
  codepoint(slot: number): Ecn {
    const { controls, wordWords } = this;
    const start = slot * CONTROL_WORDS;
    const lengthBytes = this.headers[slot * this.headerWords + 5 * wordWords] as number;
    const end = start + (lengthBytes >> 2);
    for (let at = start; at + wordWords + 2 < end; ) {
      const level = controls[at + wordWords];
      const type = controls[at + wordWords + 1];
      // The value is an int, or for IPv4 a byte: either way its lowest byte lies first.
      if ((level === IPPROTO_IP && type === IP_TOS) || (level === IPPROTO_IPV6 && type === IPV6_TCLASS)) {
        return ((controls[at + wordWords + 2] as number) & ECN_MASK) as Ecn;
      }
      const step = Math.ceil((controls[at] as number) / (4 * wordWords)) * wordWords;
      if (step <= 0) break;
      at += step;
    }
    return ecn.notEct;
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
