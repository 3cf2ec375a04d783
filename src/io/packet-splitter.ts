// Finds the packets in a stream of bytes again. Every packet tells its own length (SPEC.md), so a stream carries packets back to
// back; what reads them may be handed any part of them at a time. Bytes that are no packet end it: behind them nothing can be found.

import { RELAY_HEADER_BYTES } from "../base/limits.ts";
import { packetKind, packetLength } from "../wire/datagram.ts";

/** Bytes of any packet from which its length can be told; no packet is shorter. */
const HEADER_BYTES_MAX = RELAY_HEADER_BYTES + 4;
/** Memory that is kept for the next packet that arrives in parts. */
const KEPT_BYTES = 2_048;

const NOTHING = new Uint8Array(0);

/** @returns the length of the packet at `at`; undefined where that takes more bytes, 0 where it is no packet. */
function lengthAt(bytes: Uint8Array, at: number, end: number): number | undefined {
  const kind = bytes[at] as number;
  const headerBytes = kind === packetKind.relayed ? HEADER_BYTES_MAX : kind < packetKind.initiation ? 8 : 4;
  return end - at < headerBytes ? undefined : packetLength(bytes, at, Number.POSITIVE_INFINITY);
}

export class PacketSplitter {
  private readonly deliver: (packets: Uint8Array) => void;
  /** The beginning of a packet whose rest is to come. */
  private part: Uint8Array = NOTHING;
  private partBytes = 0;

  /** @param deliver takes one packet or more, whole and back to back; the bytes are its own until it returns. */
  constructor(deliver: (packets: Uint8Array) => void) {
    this.deliver = deliver;
  }

  /** Whether the bytes so far end with the end of a packet. */
  get isBetween(): boolean {
    return this.partBytes === 0;
  }

  /** @returns false where the bytes are no packets; those before were delivered. */
  push(chunk: Uint8Array): boolean {
    let at = 0;
    if (this.partBytes > 0) {
      at = this.complete(chunk);
      if (at < 0) return false;
    }
    const start = at;
    let length: number | undefined;
    while (at < chunk.length) {
      length = lengthAt(chunk, at, chunk.length);
      if (length === undefined || length === 0 || at + length > chunk.length) break;
      at += length;
    }
    if (at > start) this.deliver(chunk.subarray(start, at));
    if (at === chunk.length) return true;
    if (length === 0) return false;
    this.append(chunk, at, chunk.length);
    return true;
  }

  /** Takes the rest of the packet that has begun. @returns where the next one starts, or −1 where it is no packet. */
  private complete(chunk: Uint8Array): number {
    let at = 0;
    for (;;) {
      const length = lengthAt(this.part, 0, this.partBytes);
      if (length === 0) return -1;
      if (length === this.partBytes) break;
      if (at === chunk.length) return at;
      const end = Math.min(chunk.length, at + (length ?? HEADER_BYTES_MAX) - this.partBytes);
      this.append(chunk, at, end);
      at = end;
    }
    const packet = this.part.subarray(0, this.partBytes);
    this.partBytes = 0;
    if (this.part.length > KEPT_BYTES) this.part = NOTHING;
    this.deliver(packet);
    return at;
  }

  /** Memory grows with what has come, not with what a header promises. */
  private append(chunk: Uint8Array, start: number, end: number): void {
    const neededBytes = this.partBytes + end - start;
    if (neededBytes > this.part.length) {
      const grown = new Uint8Array(Math.max(KEPT_BYTES, neededBytes, this.part.length * 2));
      grown.set(this.part.subarray(0, this.partBytes));
      this.part = grown;
    }
    this.part.set(chunk.subarray(start, end), this.partBytes);
    this.partBytes = neededBytes;
  }
}
