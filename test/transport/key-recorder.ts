// A packet cipher that remembers what was sealed: the sender's duty never to use a pair of path and packet number twice
// under one key is checked on every packet of every simulation. It also hands keys out, so that a test can seal for a peer.

import assert from "node:assert/strict";
import { bestPacketCipher, type PacketCipher, type PacketCipherFactory } from "../../src/crypto/packet-cipher.ts";

const real = bestPacketCipher();

export class KeyRecorder implements PacketCipherFactory {
  readonly name = real.name;
  /** Every key that a cipher was made for, in order. A connection's first two are its sending and its receiving key. */
  readonly keys: Uint8Array[] = [];
  packetsSealed = 0;
  /** The highest number sealed so far, by key and path. */
  private readonly highest = new Map<string, Map<number, number>>();

  create(key: Uint8Array): PacketCipher {
    this.keys.push(key.slice());
    const cipher = real.create(key);
    const text = Buffer.from(key).toString("hex");
    let byPath = this.highest.get(text);
    if (byPath === undefined) {
      byPath = new Map();
      this.highest.set(text, byPath);
    }
    const used = byPath;
    return {
      seal: (buffer, headerStart, payloadEnd, path, packetNumber) => {
        // Numbers of a space only rise, so one that is not above the last was used before.
        const before = used.get(path) ?? -1;
        assert.ok(packetNumber > before, `path ${path}: packet ${packetNumber} sealed after ${before} with one key`);
        used.set(path, packetNumber);
        this.packetsSealed++;
        cipher.seal(buffer, headerStart, payloadEnd, path, packetNumber);
      },
      open: (buffer, headerStart, packetEnd, path, packetNumber) =>
        cipher.open(buffer, headerStart, packetEnd, path, packetNumber),
    };
  }
}
