// A UDP datagram on its way. Packets and their buffers are pooled: a run of thousands of packets allocates a few dozen.

import { assert } from "../../src/base/assert.ts";
import { type Ecn, ecn } from "../../src/base/ecn.ts";
import type { Host } from "./host.ts";
import type { Place } from "./place.ts";

/** IP and UDP headers (RFC 791 or RFC 8200, and RFC 768), which count for rates and MTUs. */
const HEADER_BYTES_V4 = 28;
const HEADER_BYTES_V6 = 48;

/** The payload does not begin where its buffer does, as with buffers that Node hands out: who mixes the two up is found here. */
const PAYLOAD_OFFSET = 8;
/** What Linux sends with (TTL, RFC 791). */
const HOP_LIMIT = 64;
/** Holds every datagram of an Ethernet; larger ones get a buffer of their own size. */
const POOLED_BYTES = 2048;

export class Packet {
  source: Place;
  destination: Place;
  /** The host that sent it, whatever NATs made of its source since. */
  origin: Host;
  lengthBytes = 0;
  /** Networks passed so far. */
  hops = 0;
  /** Routers that it may still reach, the last of which drops it. */
  hopLimit = HOP_LIMIT;
  ecn: Ecn = ecn.notEct;
  buffer = new Uint8Array(POOLED_BYTES);

  constructor(source: Place, destination: Place, origin: Host) {
    this.source = source;
    this.destination = destination;
    this.origin = origin;
  }

  /** Size on the link: payload, UDP and IP header. */
  get ipBytes(): number {
    return this.lengthBytes + (this.destination.address.family === 4 ? HEADER_BYTES_V4 : HEADER_BYTES_V6);
  }

  /** A router sends it on. @returns false where it ends there instead. */
  passRouters(count: number): boolean {
    this.hopLimit -= count;
    return this.hopLimit > 0;
  }

  /** A view of the payload. */
  payload(): Uint8Array {
    return this.buffer.subarray(PAYLOAD_OFFSET, PAYLOAD_OFFSET + this.lengthBytes);
  }

  /** The byte at `index` of the payload. */
  byteAt(index: number): number {
    return this.buffer[PAYLOAD_OFFSET + index] as number;
  }

  /** Four bytes of the payload from `index` on, as a signed 32-bit integer. */
  wordAt(index: number): number {
    return (
      (this.byteAt(index) << 24) |
      (this.byteAt(index + 1) << 16) |
      (this.byteAt(index + 2) << 8) |
      this.byteAt(index + 3)
    );
  }

  setPayload(bytes: Uint8Array, start: number, end: number): void {
    this.lengthBytes = end - start;
    if (this.buffer.length < PAYLOAD_OFFSET + this.lengthBytes) {
      this.buffer = new Uint8Array(PAYLOAD_OFFSET + this.lengthBytes);
    }
    // subarray costs more than the copy for short datagrams, and none is needed for whole ones.
    this.buffer.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), PAYLOAD_OFFSET);
  }
}

export class PacketPool {
  private readonly free: Packet[] = [];
  private taken = 0;

  /** Packets that are somewhere between their sender and their fate. */
  get inFlight(): number {
    return this.taken;
  }

  take(source: Place, destination: Place, origin: Host): Packet {
    this.taken++;
    const packet = this.free.pop();
    if (packet === undefined) return new Packet(source, destination, origin);
    packet.source = source;
    packet.destination = destination;
    packet.origin = origin;
    packet.hops = 0;
    packet.hopLimit = HOP_LIMIT;
    packet.ecn = ecn.notEct;
    return packet;
  }

  copy(packet: Packet): Packet {
    const copy = this.take(packet.source, packet.destination, packet.origin);
    copy.hops = packet.hops;
    copy.hopLimit = packet.hopLimit;
    copy.ecn = packet.ecn;
    copy.setPayload(packet.payload(), 0, packet.lengthBytes);
    return copy;
  }

  release(packet: Packet): void {
    assert(this.taken > 0, "a packet was released twice");
    this.taken--;
    this.free.push(packet);
  }
}
