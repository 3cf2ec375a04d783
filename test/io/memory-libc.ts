// A C library made of nothing: memory has made-up addresses, sendmsg reads its structures from there by the kernel's layout for
// the size of a word that is asked for, and recvfrom writes what it was given to deliver. It fails when it is told to.

import assert from "node:assert/strict";
import { constants } from "node:os";
import type { Libc } from "../../src/io/libc.ts";

export interface SentMessage {
  readonly fd: number;
  readonly flags: number;
  readonly name: string;
  readonly data: Uint8Array;
  /** What UDP_SEGMENT said, or undefined where there was no control message. */
  readonly segmentBytes: number | undefined;
}

export class MemoryLibc implements Libc {
  readonly wordBytes: 4 | 8;
  readonly sent: SentMessage[] = [];
  /** What is to be received: the sender's sockaddr, and the bytes. */
  readonly inbox: { readonly name: Uint8Array; readonly data: Uint8Array }[] = [];
  /** Asked before each send: an errno, or 0 to let it pass. */
  failure: (message: SentMessage) => number = () => 0;
  private readonly memory: { at: number; bytes: Uint8Array }[] = [];
  private error = 0;

  constructor(wordBytes: 4 | 8) {
    this.wordBytes = wordBytes;
  }

  errno(): number {
    return this.error;
  }

  addressOf(bytes: Uint8Array): number {
    const known = this.memory.find((area) => area.bytes === bytes);
    if (known !== undefined) return known.at;
    // Above 4 GiB where an address has room for that, so that both halves of a word count.
    const at = (this.wordBytes === 8 ? 0x7fed_0000_0000 : 0x7000_0000) + this.memory.length * 0x10_0000;
    this.memory.push({ at, bytes });
    return at;
  }

  sendmsg(fd: number, messageAddress: number, flags: number): number {
    const message = this.parse(fd, messageAddress, flags);
    this.error = this.failure(message);
    if (this.error !== 0) return -1;
    this.sent.push(message);
    return message.data.length;
  }

  private parse(fd: number, address: number, flags: number): SentMessage {
    const word = this.wordBytes;
    const name = this.read(this.word(address), this.int(address + word));
    const vector = this.word(address + 2 * word);
    assert.equal(this.word(address + 3 * word), 1, "one part");
    const control = this.word(address + 4 * word);
    const controlBytes = this.word(address + 5 * word);
    return {
      fd,
      flags,
      name: Buffer.from(name).toString("hex"),
      data: this.read(this.word(vector), this.word(vector + word)).slice(),
      segmentBytes: controlBytes === 0 ? undefined : this.segmentBytes(control, controlBytes),
    };
  }

  private segmentBytes(control: number, controlBytes: number): number {
    const word = this.wordBytes;
    assert.equal(controlBytes, word === 8 ? 24 : 16, "CMSG_SPACE(2)");
    assert.equal(this.word(control), word === 8 ? 18 : 14, "CMSG_LEN(2)");
    assert.equal(this.int(control + word), 17, "SOL_UDP");
    assert.equal(this.int(control + word + 4), 103, "UDP_SEGMENT");
    const bytes = this.read(control + word + 8, 2);
    return (bytes[0] as number) + (bytes[1] as number) * 256;
  }

  private read(address: number, lengthBytes: number): Uint8Array {
    const area = this.memory.find(({ at, bytes }) => address >= at && address + lengthBytes <= at + bytes.length);
    assert.ok(area !== undefined, `nothing lies at ${address.toString(16)}, ${lengthBytes} bytes`);
    return area.bytes.subarray(address - area.at, address - area.at + lengthBytes);
  }

  private int(address: number): number {
    const bytes = this.read(address, 4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }

  private word(address: number): number {
    return this.int(address) + (this.wordBytes === 8 ? this.int(address + 4) * 0x1_0000_0000 : 0);
  }

  socket(): number {
    return 3;
  }

  bind(): number {
    return 0;
  }

  setOption(): number {
    return 0;
  }

  getOption(): number | undefined {
    return constants.errno.ENOPROTOOPT;
  }

  recvfrom(
    fd: number,
    bufferAddress: number,
    lengthBytes: number,
    flags: number,
    nameAddress: number,
    nameLengthAddress: number,
  ): number {
    assert.equal(flags, 0x40, "MSG_DONTWAIT");
    assert.ok(fd > 0 && lengthBytes >= 65_536);
    const message = this.inbox.shift();
    if (message === undefined) {
      this.error = constants.errno.EAGAIN;
      return -1;
    }
    assert.ok(this.int(nameLengthAddress) >= message.name.length, "room for the name");
    this.read(nameAddress, message.name.length).set(message.name);
    this.read(nameLengthAddress, 4).set([message.name.length, 0, 0, 0]);
    this.read(bufferAddress, lengthBytes).set(message.data);
    return message.data.length;
  }

  close(): number {
    return 0;
  }
}
