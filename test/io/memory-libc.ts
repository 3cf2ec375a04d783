// A C library made of nothing: memory has made-up addresses, sendmsg reads its structures from there by the kernel's layout for
// the size of a word that is asked for, and recvmmsg writes what it was given to deliver. It fails when it is told to.

import assert from "node:assert/strict";
import { constants } from "node:os";
import type { DescriptorWatch, Libc } from "../../src/io/libc.ts";

const TIMER_FD = 90;

export interface SentMessage {
  readonly fd: number;
  readonly flags: number;
  readonly name: string;
  readonly data: Uint8Array;
  /** What UDP_SEGMENT said, or undefined where there was no control message. */
  readonly segmentBytes: number | undefined;
}

interface Incoming {
  readonly name: Uint8Array;
  readonly data: Uint8Array;
  /** Control messages: level, type, and the bytes of the value. */
  readonly control?: readonly (readonly [number, number, readonly number[]])[];
}

export class MemoryLibc implements Libc {
  readonly wordBytes: 4 | 8;
  readonly sent: SentMessage[] = [];
  /** What is to be received: the sender's sockaddr, and the bytes. */
  readonly inbox: Incoming[] = [];
  /** Asked before each send: an errno, or 0 to let it pass. */
  failure: (message: SentMessage) => number = () => 0;
  /** Instead of anything that is to be received: an errno. */
  receiveError = 0;
  /** Whether descriptors can be watched, and what is to be called when something has come to the one that is. */
  watches = true;
  tell: ((readable: boolean) => void) | undefined;
  /** Duplicates that were not closed. */
  readonly open = new Set<number>();
  /** Told of each option that is set. */
  onOption: (level: number, name: number, value: number) => void = () => {};
  /** Whether there is a timer; one of them at a time. */
  hasTimer = false;
  /** What it was set to each time. */
  readonly pausesMs: number[] = [];
  private timerAtMs = Number.POSITIVE_INFINITY;
  private tellTimer: ((readable: boolean) => void) | undefined;
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
    const at = (this.wordBytes === 8 ? 0x7fed_0000_0000 : 0x7000_0000) + this.memory.length * 0x100_0000;
    this.memory.push({ at, bytes });
    return at;
  }

  send(): number {
    return assert.fail("nothing here sends on a connected socket");
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

  timer(): number {
    if (!this.hasTimer) return -1;
    this.open.add(TIMER_FD);
    return TIMER_FD;
  }

  setTimer(_fd: number, specAddress: number): number {
    assert.ok(this.hasTimer, "nothing here has a timer");
    const afterNs = this.int(specAddress + 24);
    this.pausesMs.push(afterNs / 1e6);
    this.timerAtMs = afterNs === 0 ? Number.POSITIVE_INFINITY : performance.now() + afterNs / 1e6;
    return 0;
  }

  /** Tells of the timer, where it has ended by then. */
  fireTimer(nowMs: number): void {
    if (nowMs >= this.timerAtMs) this.tellTimer?.(true);
  }

  bind(): number {
    return 0;
  }

  setOption(_fd: number, level: number, name: number, value: number): number {
    this.onOption(level, name, value);
    return 0;
  }

  getOption(): number | undefined {
    return constants.errno.ENOPROTOOPT;
  }

  recvmmsg(fd: number, messagesAddress: number, messages: number, flags: number): number {
    assert.equal(flags, 0x40, "MSG_DONTWAIT");
    assert.ok(fd > 0 && messages > 0);
    this.error = this.receiveError;
    if (this.error === 0 && this.inbox.length === 0) this.error = constants.errno.EAGAIN;
    if (this.error !== 0) return -1;
    const taken = this.inbox.splice(0, messages);
    for (const [i, message] of taken.entries()) this.deliver(messagesAddress + i * 8 * this.wordBytes, message);
    return taken.length;
  }

  /** Fills in one mmsghdr: a msghdr of seven words, and behind it the bytes that were received. */
  private deliver(address: number, { name, data, control = [] }: Incoming): void {
    const word = this.wordBytes;
    assert.ok(this.int(address + word) >= name.length, "room for the name");
    this.read(this.word(address), name.length).set(name);
    this.read(address + word, 4).set([name.length, 0, 0, 0]);
    const vector = this.word(address + 2 * word);
    assert.equal(this.word(address + 3 * word), 1, "one part");
    assert.ok(this.word(vector + word) >= 65_536);
    this.read(this.word(vector), 65_536).set(data);
    const controlBytes = this.writeControl(this.word(address + 4 * word), this.word(address + 5 * word), control);
    this.read(address + 5 * word, word)
      .fill(0)
      .set([controlBytes]);
    const { length } = data;
    this.read(address + 7 * word, 4).set([length & 255, (length >> 8) & 255, length >> 16, 0]);
  }

  /** @returns the bytes of all of them, each padded to a word. */
  private writeControl(at: number, roomBytes: number, control: NonNullable<Incoming["control"]>): number {
    const word = this.wordBytes;
    let used = 0;
    for (const [level, type, value] of control) {
      const spaceBytes = Math.ceil((word + 8 + value.length) / word) * word;
      assert.ok(used + spaceBytes <= roomBytes, "room for control messages");
      // The kernel leaves what it pads with as it was.
      const bytes = this.read(at + used, spaceBytes).fill(0xff);
      bytes.fill(0, 0, word + 8);
      bytes[0] = word + 8 + value.length;
      bytes[word] = level;
      bytes[word + 4] = type;
      bytes.set(value, word + 8);
      used += spaceBytes;
    }
    return used;
  }

  duplicate(fd: number): number {
    const duplicate = fd + 100;
    this.open.add(duplicate);
    return duplicate;
  }

  watch(fd: number, onReadable: (readable: boolean) => void): DescriptorWatch | undefined {
    if (!this.watches) return undefined;
    assert.ok(this.open.has(fd));
    if (fd === TIMER_FD) {
      this.tellTimer = onReadable;
      return { stop() {}, start: () => true, close() {} };
    }
    this.tell = onReadable;
    return {
      stop: () => {
        this.tell = undefined;
      },
      start: () => {
        this.tell = onReadable;
        return true;
      },
      close: () => {
        assert.ok(this.open.has(fd), "a descriptor is not closed before its watch");
        this.tell = undefined;
      },
    };
  }

  close(fd: number): number {
    assert.ok(this.open.delete(fd), "what is closed was open");
    return 0;
  }
}
