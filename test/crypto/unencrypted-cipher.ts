// Packets that are opened by the right key alone, but not encrypted: for simulations in which whole links are filled, where a fifth of the
// time went to a cipher that has tests of its own.

import { TAG_BYTES } from "../../src/base/limits.ts";
import type { PacketCipher, PacketCipherFactory } from "../../src/crypto/packet-cipher.ts";

const WORD_BYTES = 4;

class UnencryptedCipher implements PacketCipher {
  /** Of the key, the packet's place and its length, which are what a tag stands for here. */
  private readonly words = new Uint32Array(TAG_BYTES / WORD_BYTES);
  private readonly tag = new Uint8Array(this.words.buffer);
  private readonly keyWord: number;

  constructor(key: Uint8Array) {
    this.keyWord = new DataView(key.buffer, key.byteOffset).getUint32(0);
  }

  private makeTag(lengthBytes: number, path: number, packetNumber: number): void {
    this.words[0] = this.keyWord;
    this.words[1] = path;
    this.words[2] = packetNumber % 2 ** 32;
    this.words[3] = lengthBytes;
  }

  seal(buffer: Uint8Array, headerStart: number, payloadEnd: number, path: number, packetNumber: number): void {
    this.makeTag(payloadEnd + TAG_BYTES - headerStart, path, packetNumber);
    buffer.set(this.tag, payloadEnd);
  }

  open(buffer: Uint8Array, headerStart: number, packetEnd: number, path: number, packetNumber: number): boolean {
    this.makeTag(packetEnd - headerStart, path, packetNumber);
    const tagAt = packetEnd - TAG_BYTES;
    for (let i = 0; i < TAG_BYTES; i++) if (buffer[tagAt + i] !== this.tag[i]) return false;
    return true;
  }
}

export const unencryptedCipher: PacketCipherFactory = { name: "none", create: (key) => new UnencryptedCipher(key) };
