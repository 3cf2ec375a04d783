// The packet cipher on the OpenSSL that is linked into node itself, whose ChaCha20 and Poly1305 are written for the widest
// registers that the processor has. node:crypto reaches them too, through an object a packet that costs five times as much as the
// work. They are called here one by one through koffi, an optional dependency, as RFC 8439 §2.8 puts them together:
//
//     one-time key   = ChaCha20(key, nonce, block 0), 32 bytes
//     ciphertext     = ChaCha20(key, nonce, block 1 on)
//     tag            = Poly1305(one-time key, header ‖ ciphertext ‖ zeros up to a multiple of 16 ‖ both lengths)
//
// The functions are none that OpenSSL promises to anybody. They have not changed since OpenSSL 1.1; a node without them, or one
// whose OpenSSL has another version or does not seal as node:crypto does, uses another implementation.
//
// Poly1305 is given its whole input in one call, for which zeros and lengths are put behind the ciphertext: a call for one block
// takes as long as one for a packet on processors with AVX-512 IFMA.

import { createRequire } from "node:module";
import { assert } from "../base/assert.ts";
import { DATA_HEADER_BYTES, KEY_BYTES, TAG_BYTES } from "../base/limits.ts";
import { memoryAddress } from "../base/memory-address.ts";
import type { PacketCipher, PacketCipherFactory } from "./packet-cipher.ts";
import { writeNonce } from "./packet-nonce.ts";

/** The part of koffi that is used. */
interface Koffi {
  load(path: null): {
    func(name: string, result: string, parameters: readonly string[]): (...values: number[]) => number;
  };
  address(value: Uint8Array): bigint;
}

/** Addresses are numbers. */
interface Functions {
  addressOf(bytes: Uint8Array): number;
  chacha20(to: number, from: number, lengthBytes: number, key: number, counter: number): void;
  poly1305Init(context: number, key: number): void;
  poly1305Update(context: number, from: number, lengthBytes: number): void;
  poly1305Final(context: number, tag: number): void;
}

const BLOCK_BYTES = 16;
/** What follows the ciphertext in Poly1305's input: up to 15 zeros, and two lengths of 64 bits. */
const TRAILER_BYTES_MAX = 2 * BLOCK_BYTES - 1;
const CONTEXT_BYTES_MAX = 1_024;

// The parts of the workspace, each in cache lines of its own.
const COUNTER_AT = 0;
const ZEROS_AT = 64;
const ONE_TIME_KEY_AT = 128;
const TAG_AT = 192;
const CONTEXT_AT = 256;
/** Bytes before the first multiple of 64. */
const SLACK_BYTES = 63;

/**
 * The memory that all ciphers of the process compute in, one packet at a time. It is ordinary memory of JavaScript: what an
 * ArrayBuffer holds lies outside the collected heap and does not move while somebody holds the ArrayBuffer.
 */
class Workspace {
  readonly functions: Functions;
  /** Counter of the block and nonce: the last row of ChaCha20's state (RFC 8439 §2.3). */
  readonly counter: Uint8Array;
  readonly tag: Uint8Array;
  readonly tagAddress: number;
  private readonly base: number;
  /** What stood where zeros and lengths are put. */
  private readonly covered = new Uint8Array(TRAILER_BYTES_MAX);
  /** A packet whose buffer ends too early for them is put together here. */
  private apart: Uint8Array = new Uint8Array(0);
  /** The two buffers used last: packets that are sent lie in one, those that came in another. */
  private known: Uint8Array = this.apart;
  private knownAddress = 0;
  private knownBefore: Uint8Array = this.apart;
  private knownBeforeAddress = 0;

  constructor(functions: Functions) {
    this.functions = functions;
    const memory = new ArrayBuffer(SLACK_BYTES + CONTEXT_AT + CONTEXT_BYTES_MAX);
    const address = functions.addressOf(new Uint8Array(memory));
    const start = (64 - (address % 64)) % 64;
    this.base = address + start;
    this.counter = new Uint8Array(memory, start + COUNTER_AT, BLOCK_BYTES);
    this.tag = new Uint8Array(memory, start + TAG_AT, TAG_BYTES);
    this.tagAddress = this.base + TAG_AT;
  }

  /** Where the buffer begins. koffi tells it by a BigInt, which takes a tenth of the time of a small packet. */
  addressOf(buffer: Uint8Array): number {
    if (buffer === this.known) return this.knownAddress;
    const { known, knownAddress } = this;
    this.knownAddress = buffer === this.knownBefore ? this.knownBeforeAddress : this.functions.addressOf(buffer);
    this.known = buffer;
    this.knownBefore = known;
    this.knownBeforeAddress = knownAddress;
    return this.knownAddress;
  }

  /** Begins a packet. @param key the address of 32 bytes. */
  begin(key: number, path: number, packetNumber: number): void {
    writeNonce(this.counter, 4, path, packetNumber);
    const { base, functions } = this;
    this.counter[0] = 0;
    functions.chacha20(base + ONE_TIME_KEY_AT, base + ZEROS_AT, KEY_BYTES, key, base + COUNTER_AT);
    this.counter[0] = 1;
  }

  /** Encrypts or decrypts the payload of the packet that has begun. */
  crypt(address: number, lengthBytes: number, key: number): void {
    if (lengthBytes > 0) this.functions.chacha20(address, address, lengthBytes, key, this.base + COUNTER_AT);
  }

  /**
   * Computes the tag of header and ciphertext, which lie in the buffer from `start` to `end`. The 16 bytes behind them are lost.
   * @param tag the address where it is put.
   */
  authenticate(buffer: Uint8Array, start: number, end: number, tag: number): void {
    const { base, functions, covered } = this;
    const padded = end + ((start - end) & (BLOCK_BYTES - 1));
    const inputEnd = padded + BLOCK_BYTES;
    let input = buffer;
    let at = start;
    if (inputEnd > buffer.length) {
      if (this.apart.length < inputEnd - start) this.apart = new Uint8Array(inputEnd - start);
      input = this.apart;
      input.set(buffer.subarray(start, end));
      at = 0;
    }
    const shift = at - start;
    for (let i = end + TAG_BYTES; i < inputEnd; i++) covered[i - end] = input[i + shift] as number;
    for (let i = end; i < inputEnd; i++) input[i + shift] = 0;
    const payloadBytes = end - start - DATA_HEADER_BYTES;
    input[padded + shift] = DATA_HEADER_BYTES;
    input[padded + shift + 8] = payloadBytes;
    input[padded + shift + 9] = payloadBytes >>> 8;
    input[padded + shift + 10] = payloadBytes >>> 16;
    const address = this.addressOf(input) + at;
    functions.poly1305Init(base + CONTEXT_AT, base + ONE_TIME_KEY_AT);
    functions.poly1305Update(base + CONTEXT_AT, address, inputEnd - start);
    for (let i = end + TAG_BYTES; i < inputEnd; i++) input[i + shift] = covered[i - end] as number;
    functions.poly1305Final(base + CONTEXT_AT, tag);
  }
}

class OpensslPacketCipher implements PacketCipher {
  private readonly workspace: Workspace;
  private readonly key: Uint8Array;
  private readonly keyAddress: number;
  private readonly receivedTag = new Uint8Array(TAG_BYTES);

  constructor(workspace: Workspace, key: Uint8Array) {
    assert(key.length === KEY_BYTES, "a packet key has 32 bytes");
    this.workspace = workspace;
    // An ArrayBuffer of its own: a small typed array may lie in the collected heap, and move.
    this.key = new Uint8Array(new ArrayBuffer(KEY_BYTES));
    this.key.set(key);
    this.keyAddress = workspace.functions.addressOf(this.key);
  }

  seal(buffer: Uint8Array, headerStart: number, payloadEnd: number, path: number, packetNumber: number): void {
    const { workspace, keyAddress } = this;
    const payloadStart = headerStart + DATA_HEADER_BYTES;
    // Beyond the buffer lies somebody else's memory.
    assert(headerStart >= 0 && payloadEnd >= payloadStart, "a packet has its header");
    assert(payloadEnd + TAG_BYTES <= buffer.length, "no room for the tag");
    workspace.begin(keyAddress, path, packetNumber);
    const address = workspace.addressOf(buffer);
    workspace.crypt(address + payloadStart, payloadEnd - payloadStart, keyAddress);
    workspace.authenticate(buffer, headerStart, payloadEnd, address + payloadEnd);
  }

  open(buffer: Uint8Array, headerStart: number, packetEnd: number, path: number, packetNumber: number): boolean {
    const { workspace, keyAddress, receivedTag } = this;
    const payloadStart = headerStart + DATA_HEADER_BYTES;
    const payloadEnd = packetEnd - TAG_BYTES;
    // Said so that it holds of whatever is no number, too: what follows are addresses.
    if (!(headerStart >= 0 && payloadEnd >= payloadStart && packetEnd <= buffer.length)) return false;
    for (let i = 0; i < TAG_BYTES; i++) receivedTag[i] = buffer[payloadEnd + i] as number;
    workspace.begin(keyAddress, path, packetNumber);
    workspace.authenticate(buffer, headerStart, payloadEnd, workspace.tagAddress);
    const { tag } = workspace;
    // All bytes are compared: how long it takes must not tell which one is wrong.
    let difference = 0;
    for (let i = 0; i < TAG_BYTES; i++) difference |= (tag[i] as number) ^ (receivedTag[i] as number);
    if (difference !== 0) return false;
    workspace.crypt(workspace.addressOf(buffer) + payloadStart, payloadEnd - payloadStart, keyAddress);
    return true;
  }
}

/** @returns the implementation on node's OpenSSL. @throws where that cannot be called, or is not one that we know. */
export function loadOpensslPacketCipher(): PacketCipherFactory {
  const koffi = createRequire(import.meta.url)("koffi") as Koffi;
  // The program itself: node is linked with its OpenSSL and shows the functions of both.
  const node = koffi.load(null);
  const version = node.func("OpenSSL_version_num", "unsigned long", [])();
  const contextBytes = node.func("Poly1305_ctx_size", "size_t", [])();
  assert(version >>> 28 === 3 && contextBytes <= CONTEXT_BYTES_MAX, "an OpenSSL that is not known here");
  const workspace = new Workspace({
    addressOf: (bytes) => memoryAddress(koffi.address(bytes)),
    chacha20: node.func("ChaCha20_ctr32", "void", ["uintptr_t", "uintptr_t", "size_t", "uintptr_t", "uintptr_t"]),
    poly1305Init: node.func("Poly1305_Init", "void", ["uintptr_t", "uintptr_t"]),
    poly1305Update: node.func("Poly1305_Update", "void", ["uintptr_t", "uintptr_t", "size_t"]),
    poly1305Final: node.func("Poly1305_Final", "void", ["uintptr_t", "uintptr_t"]),
  });
  return { name: "openssl", create: (key) => new OpensslPacketCipher(workspace, key) };
}
