// Seals and opens data packets in place with ChaCha20-Poly1305 (RFC 8439): the 16 bytes of header are the associated
// data, the nonce is made of path and packet number, the tag follows the payload. Two implementations give the same
// bytes: sodium-native where its prebuilt binary loads, node:crypto everywhere.

import { createCipheriv, createDecipheriv } from "node:crypto";
import { createRequire } from "node:module";
import { assert } from "../base/assert.ts";
import { DATA_HEADER_BYTES, KEY_BYTES, TAG_BYTES } from "../base/limits.ts";
import { hmacBlake2s } from "./blake2s.ts";

export interface PacketCipher {
  /**
   * Encrypts the payload, which lies from headerStart + 16 to payloadEnd, and writes the tag behind it.
   * A pair of path and packet number is used once with one key; the caller sees to that.
   */
  seal(buffer: Uint8Array, headerStart: number, payloadEnd: number, path: number, packetNumber: number): void;
  /**
   * Decrypts in place the packet that ends, tag counted, at packetEnd.
   * @returns false where it is not authentic; the payload's bytes are then undefined.
   */
  open(buffer: Uint8Array, headerStart: number, packetEnd: number, path: number, packetNumber: number): boolean;
}

export interface PacketCipherFactory {
  readonly name: "sodium-native" | "node-crypto";
  /** @param key 32 bytes. */
  create(key: Uint8Array): PacketCipher;
}

/** @returns the key that follows `key` in its direction (SPEC.md, "Data packets"). */
export function nextKey(key: Uint8Array): Uint8Array {
  return hmacBlake2s(key, "tunnel key update");
}

const NONCE_BYTES = 12;

/** Nonce = 00 00 00 00 ‖ path(2) ‖ packet number(6). */
function writeNonce(nonce: Uint8Array, path: number, packetNumber: number): void {
  const high = Math.floor(packetNumber / 0x1_0000_0000);
  nonce[4] = path >>> 8;
  nonce[5] = path;
  nonce[6] = high >>> 8;
  nonce[7] = high;
  nonce[8] = packetNumber >>> 24;
  nonce[9] = packetNumber >>> 16;
  nonce[10] = packetNumber >>> 8;
  nonce[11] = packetNumber;
}

/** The part of sodium-native that is used; it ships no types. */
interface Sodium {
  crypto_aead_chacha20poly1305_ietf_encrypt(
    sealed: Uint8Array,
    plaintext: Uint8Array,
    associatedData: Uint8Array,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  /** Throws where the tag does not fit. */
  crypto_aead_chacha20poly1305_ietf_decrypt(
    plaintext: Uint8Array,
    secretNonce: null,
    sealed: Uint8Array,
    associatedData: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}

class SodiumPacketCipher implements PacketCipher {
  private readonly sodium: Sodium;
  private readonly key: Uint8Array;
  private readonly nonce = new Uint8Array(NONCE_BYTES);

  constructor(sodium: Sodium, key: Uint8Array) {
    assert(key.length === KEY_BYTES, "a packet key has 32 bytes");
    this.sodium = sodium;
    this.key = key.slice();
  }

  seal(buffer: Uint8Array, headerStart: number, payloadEnd: number, path: number, packetNumber: number): void {
    writeNonce(this.nonce, path, packetNumber);
    const payloadStart = headerStart + DATA_HEADER_BYTES;
    this.sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
      buffer.subarray(payloadStart, payloadEnd + TAG_BYTES),
      buffer.subarray(payloadStart, payloadEnd),
      buffer.subarray(headerStart, payloadStart),
      null,
      this.nonce,
      this.key,
    );
  }

  open(buffer: Uint8Array, headerStart: number, packetEnd: number, path: number, packetNumber: number): boolean {
    const payloadStart = headerStart + DATA_HEADER_BYTES;
    if (packetEnd - TAG_BYTES < payloadStart || packetEnd > buffer.length) return false;
    writeNonce(this.nonce, path, packetNumber);
    try {
      this.sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
        buffer.subarray(payloadStart, packetEnd - TAG_BYTES),
        null,
        buffer.subarray(payloadStart, packetEnd),
        buffer.subarray(headerStart, payloadStart),
        this.nonce,
        this.key,
      );
      return true;
    } catch {
      return false;
    }
  }
}

const ALGORITHM = "chacha20-poly1305";
const OPTIONS = { authTagLength: TAG_BYTES } as const;

class NodePacketCipher implements PacketCipher {
  private readonly key: Uint8Array;
  private readonly nonce = new Uint8Array(NONCE_BYTES);

  constructor(key: Uint8Array) {
    assert(key.length === KEY_BYTES, "a packet key has 32 bytes");
    this.key = key.slice();
  }

  seal(buffer: Uint8Array, headerStart: number, payloadEnd: number, path: number, packetNumber: number): void {
    writeNonce(this.nonce, path, packetNumber);
    const payloadStart = headerStart + DATA_HEADER_BYTES;
    const cipher = createCipheriv(ALGORITHM, this.key, this.nonce, OPTIONS);
    cipher.setAAD(buffer.subarray(headerStart, payloadStart), { plaintextLength: payloadEnd - payloadStart });
    buffer.set(cipher.update(buffer.subarray(payloadStart, payloadEnd)), payloadStart);
    cipher.final();
    buffer.set(cipher.getAuthTag(), payloadEnd);
  }

  open(buffer: Uint8Array, headerStart: number, packetEnd: number, path: number, packetNumber: number): boolean {
    const payloadStart = headerStart + DATA_HEADER_BYTES;
    const payloadEnd = packetEnd - TAG_BYTES;
    if (payloadEnd < payloadStart || packetEnd > buffer.length) return false;
    writeNonce(this.nonce, path, packetNumber);
    const decipher = createDecipheriv(ALGORITHM, this.key, this.nonce, OPTIONS);
    decipher.setAuthTag(buffer.subarray(payloadEnd, packetEnd));
    decipher.setAAD(buffer.subarray(headerStart, payloadStart), { plaintextLength: payloadEnd - payloadStart });
    const plaintext = decipher.update(buffer.subarray(payloadStart, payloadEnd));
    try {
      decipher.final();
    } catch {
      return false;
    }
    buffer.set(plaintext, payloadStart);
    return true;
  }
}

/** @returns the slower implementation, which is always there. */
export function nodePacketCipher(): PacketCipherFactory {
  return { name: "node-crypto", create: (key) => new NodePacketCipher(key) };
}

/** @returns the fast implementation, or undefined where sodium-native is not installed or has no binary for this machine. */
export function sodiumPacketCipher(): PacketCipherFactory | undefined {
  let sodium: Sodium;
  try {
    sodium = createRequire(import.meta.url)("sodium-native") as Sodium;
  } catch {
    // An optional dependency that is not there is no fault.
    return undefined;
  }
  return { name: "sodium-native", create: (key) => new SodiumPacketCipher(sodium, key) };
}

/** @returns the fastest implementation that works here. */
export function bestPacketCipher(): PacketCipherFactory {
  return sodiumPacketCipher() ?? nodePacketCipher();
}
