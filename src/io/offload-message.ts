// The argument of sendmsg(2) for one datagram, or for a batch that the kernel cuts into datagrams of one size (UDP_SEGMENT,
// udp(7)). It is made once a socket and changed in place before each call: in one block of memory lie
//
//     msghdr   name · name length · vector · vector length · control · control length · flags      7 words
//     iovec    base · length                                                                       2 words
//     cmsghdr  length · level(4) type(4) · segment size(2), padded to a word                       2 words + 8 bytes
//     name     the destination's sockaddr
//
// where a word is what a pointer is, 4 or 8 bytes. That is the kernel's own layout. glibc's is the same; musl has some of the
// words as an int and padding, which are the same bytes on a little-endian machine.

import type { Libc } from "./libc.ts";

export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;

const SEGMENT_SIZE_BYTES = 2;

export class OffloadMessage {
  /** To be handed to sendmsg. */
  readonly address: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly wordBytes: 4 | 8;
  private readonly vectorAt: number;
  private readonly controlAt: number;
  private readonly nameAt: number;
  /** What msg_controllen says where there is a control message. */
  private readonly controlBytes: number;

  constructor(libc: Libc, nameBytes: number) {
    const word = libc.wordBytes;
    this.wordBytes = word;
    this.vectorAt = 7 * word;
    this.controlAt = this.vectorAt + 2 * word;
    this.controlBytes = 2 * word + 8;
    this.nameAt = this.controlAt + this.controlBytes;
    // An ArrayBuffer of its own: a small typed array may lie in the collected heap, and move.
    this.bytes = new Uint8Array(new ArrayBuffer(this.nameAt + nameBytes));
    this.view = new DataView(this.bytes.buffer);
    this.address = libc.addressOf(this.bytes);
    this.writeWord(0, this.address + this.nameAt);
    this.writeWord(word, nameBytes);
    this.writeWord(2 * word, this.address + this.vectorAt);
    this.writeWord(3 * word, 1);
    this.writeWord(4 * word, this.address + this.controlAt);
    this.writeWord(this.controlAt, word + 8 + SEGMENT_SIZE_BYTES);
    this.view.setInt32(this.controlAt + word, SOL_UDP, true);
    this.view.setInt32(this.controlAt + word + 4, UDP_SEGMENT, true);
  }

  /** @param name as many bytes as the constructor was told. */
  setName(name: Uint8Array): void {
    this.bytes.set(name, this.nameAt);
  }

  /**
   * @param dataAddress where the datagrams begin
   * @param segmentBytes the size of each but the last; at least lengthBytes for a single one
   */
  setData(dataAddress: number, lengthBytes: number, segmentBytes: number): void {
    this.writeWord(this.vectorAt, dataAddress);
    this.view.setUint32(this.vectorAt + this.wordBytes, lengthBytes, true);
    const joined = segmentBytes < lengthBytes;
    this.view.setUint32(5 * this.wordBytes, joined ? this.controlBytes : 0, true);
    if (joined) this.view.setUint16(this.controlAt + this.wordBytes + 8, segmentBytes, true);
  }

  /** What a number holds exactly (see memory-address.ts). */
  private writeWord(at: number, value: number): void {
    this.view.setUint32(at, value % 0x1_0000_0000, true);
    if (this.wordBytes === 8) this.view.setUint32(at + 4, value / 0x1_0000_0000, true);
  }
}
