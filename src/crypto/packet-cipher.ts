// Seals and opens data packets in place with ChaCha20-Poly1305 (RFC 8439): the 16 bytes of header are the associated
// data, the nonce is made of path and packet number, the tag follows the payload. Three implementations give the same
// bytes, and the fastest one that works here is used.
//
// Measured on two cores of an Intel Xeon with AVX-512, Node 20.20, ns to seal a packet with 1440 / 60 bytes of payload:
//
//   node's own OpenSSL, called through koffi         980 /  610
//   sodium-native                                   1900 /  620
//   node:crypto                                     5800 / 4900

import { DATA_HEADER_BYTES, KEY_BYTES, TAG_BYTES } from "../base/limits.ts";
import { hmacBlake2s } from "./blake2s.ts";
import { nodePacketCipher } from "./node-packet-cipher.ts";
import { loadOpensslPacketCipher } from "./openssl-packet-cipher.ts";
import { loadSodiumPacketCipher } from "./sodium-packet-cipher.ts";

export interface PacketCipher {
  /**
   * Encrypts the payload, which lies from headerStart + 16 to payloadEnd, and writes the tag behind it.
   * A pair of path and packet number is used once with one key; the caller sees to that.
   */
  seal(buffer: Uint8Array, headerStart: number, payloadEnd: number, path: number, packetNumber: number): void;
  /**
   * Decrypts in place the packet that ends, tag counted, at packetEnd.
   * @returns false where it is not authentic; the bytes of payload and tag are then undefined.
   */
  open(buffer: Uint8Array, headerStart: number, packetEnd: number, path: number, packetNumber: number): boolean;
}

export interface PacketCipherFactory {
  readonly name: string;
  /** @param key 32 bytes. */
  create(key: Uint8Array): PacketCipher;
}

/** @returns the key that follows `key` in its direction (SPEC.md, "Data packets"). */
export function nextKey(key: Uint8Array): Uint8Array {
  return hmacBlake2s(key, "tunnel key update");
}

/** Around the places where the code for wide registers changes hands, and the packets of the usual networks. */
const TRIED_PAYLOAD_BYTES = [0, 1, 15, 16, 17, 47, 63, 64, 65, 127, 193, 256, 319, 511, 513, 1023, 1154, 1428, 1440];

/** @returns whether the candidate seals to the same bytes as the reference, opens those, and refuses changed ones. */
function agrees(candidate: PacketCipherFactory, reference: PacketCipherFactory): boolean {
  const key = Uint8Array.from({ length: KEY_BYTES }, (_, i) => 7 * i + 1);
  const sealer = candidate.create(key);
  const opener = candidate.create(key);
  const judge = reference.create(key);
  return TRIED_PAYLOAD_BYTES.every((payloadBytes) => {
    const payloadEnd = DATA_HEADER_BYTES + payloadBytes;
    const plain = Uint8Array.from({ length: payloadEnd + TAG_BYTES }, (_, i) => 3 * i);
    const packet = plain.slice();
    const expected = plain.slice();
    sealer.seal(packet, 0, payloadEnd, 513, 2 ** 47 + payloadBytes);
    judge.seal(expected, 0, payloadEnd, 513, 2 ** 47 + payloadBytes);
    const changed = packet.slice();
    changed[payloadEnd - 1] = (changed[payloadEnd - 1] as number) ^ 1;
    return (
      Buffer.compare(packet, expected) === 0 &&
      !opener.open(changed, 0, changed.length, 513, 2 ** 47 + payloadBytes) &&
      opener.open(packet, 0, packet.length, 513, 2 ** 47 + payloadBytes) &&
      Buffer.compare(packet.subarray(0, payloadEnd), plain.subarray(0, payloadEnd)) === 0
    );
  });
}

/** @returns what `load` loads, or undefined where that is not installed or does not work on this machine. */
function proven(load: () => PacketCipherFactory): PacketCipherFactory | undefined {
  try {
    const factory = load();
    return agrees(factory, nodePacketCipher()) ? factory : undefined;
  } catch {
    // An optional dependency that is not there, has no binary for this board or another shape is no fault.
    return undefined;
  }
}

/** @returns the fastest implementation, or undefined where it does not work. */
export function opensslPacketCipher(): PacketCipherFactory | undefined {
  return proven(loadOpensslPacketCipher);
}

/** @returns the second fastest, or undefined where it does not work. */
export function sodiumPacketCipher(): PacketCipherFactory | undefined {
  return proven(loadSodiumPacketCipher);
}

/** @returns the fastest implementation that works here. */
export function bestPacketCipher(): PacketCipherFactory {
  return opensslPacketCipher() ?? sodiumPacketCipher() ?? nodePacketCipher();
}
