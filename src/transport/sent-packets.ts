// What was sent on one path and is not settled yet, by packet number. A record lives in a ring and is used again:
// at a hundred thousand packets a second the collector must have nothing to do.

import { assert } from "../base/assert.ts";
import { RangeSet } from "../base/range-set.ts";
import type { ControlFrame } from "./control-queue.ts";
import type { SendHalf } from "./send-half.ts";

export const packetState = { untracked: 0, inFlight: 1, acked: 2, lost: 3 } as const;

/** One STREAM frame of a packet. */
export interface SentRange {
  half: SendHalf | undefined;
  offset: number;
  lengthBytes: number;
  fin: boolean;
}

export class SentPacket {
  state: number = packetState.untracked;
  packetNumber = 0;
  // Fractions from the beginning: with the first one in place of a whole number V8 throws away what it has compiled for packets.
  sentAtMs = Number.NaN;
  bytes = 0;
  lostAtMs = Number.NaN;
  /** Epoch of the key that sealed it. */
  keyEpoch = 0;
  /** Its data have already been handed to another path or to a probe. */
  requeued = false;
  /** Its path was given up or led elsewhere: it was not found lost, and its late arrival says nothing. */
  givenUp = false;
  /** An MTU probe: its loss is no congestion and its only frame is padding. */
  mtuProbe = false;
  /** It left with ECT(0) (RFC 3168). */
  marked = false;
  /** STREAM frames: the first `rangeCount` entries are valid; entries are reused. */
  readonly ranges: SentRange[] = [];
  rangeCount = 0;
  /** Other frames that are sent again when lost. */
  readonly control: ControlFrame[] = [];
  /** Path of the receive space whose ACK rode along, −1 for none, and the largest number in it. */
  ackPath = -1;
  ackLargest = 0;

  begin(packetNumber: number, nowMs: number): void {
    this.state = packetState.untracked;
    this.packetNumber = packetNumber;
    this.sentAtMs = nowMs;
    this.bytes = 0;
    this.requeued = false;
    this.givenUp = false;
    this.mtuProbe = false;
    this.marked = false;
    this.rangeCount = 0;
    this.dropControl();
    this.ackPath = -1;
  }

  /** To set the length of an array is a call into V8's runtime, even where it changes nothing, and most packets carry no such frame. */
  private dropControl(): void {
    if (this.control.length > 0) this.control.length = 0;
  }

  addRange(half: SendHalf, offset: number, lengthBytes: number, fin: boolean): void {
    let range = this.ranges[this.rangeCount];
    if (range === undefined) {
      range = { half, offset, lengthBytes, fin };
      this.ranges.push(range);
    } else {
      range.half = half;
      range.offset = offset;
      range.lengthBytes = lengthBytes;
      range.fin = fin;
    }
    this.rangeCount++;
  }

  /** Lets go of streams, so that a settled record keeps none alive. */
  release(): void {
    for (let i = 0; i < this.rangeCount; i++) (this.ranges[i] as SentRange).half = undefined;
    this.rangeCount = 0;
    this.dropControl();
  }
}

/** Most connections are idle most of the time, and a rendezvous has thousands. */
const RING_START = 16;

export class SentPackets {
  private ring: SentPacket[] = [];
  private mask = RING_START - 1;
  /** The lowest number that is still remembered. */
  private base = 0;
  private next = 0;
  private readonly acked = new RangeSet();
  private flightBytes = 0;
  private flightCount = 0;

  constructor() {
    for (let i = 0; i < RING_START; i++) this.ring.push(new SentPacket());
  }

  get nextPacketNumber(): number {
    return this.next;
  }

  get lowestRemembered(): number {
    return this.base;
  }

  /** Packets from the lowest remembered one on. */
  get rememberedPackets(): number {
    return this.next - this.base;
  }

  /** Bytes of packets that are neither acknowledged nor lost. */
  get bytesInFlight(): number {
    return this.flightBytes;
  }

  get packetsInFlight(): number {
    return this.flightCount;
  }

  /** @returns the record for the next packet number, to be filled and then given to `commit`. */
  prepare(nowMs: number): SentPacket {
    if (this.next - this.base > this.mask) this.grow();
    const packet = this.ring[this.next & this.mask] as SentPacket;
    packet.begin(this.next, nowMs);
    return packet;
  }

  /** The prepared packet was sent. @param tracked whether it is in flight (ack-eliciting). */
  commit(packet: SentPacket, bytes: number, tracked: boolean): void {
    assert(packet.packetNumber === this.next, "sent packets: committed out of order");
    this.next++;
    packet.bytes = bytes;
    if (tracked) {
      packet.state = packetState.inFlight;
      this.flightBytes += bytes;
      this.flightCount++;
    }
  }

  private grow(): void {
    const old = this.ring;
    const oldMask = this.mask;
    this.mask = old.length * 2 - 1;
    this.ring = new Array<SentPacket>(old.length * 2);
    for (let i = 0; i < this.ring.length; i++) this.ring[i] = undefined as unknown as SentPacket;
    for (let n = this.base; n < this.base + old.length; n++) this.ring[n & this.mask] = old[n & oldMask] as SentPacket;
    for (let i = 0; i < this.ring.length; i++) if (this.ring[i] === undefined) this.ring[i] = new SentPacket();
  }

  /** @returns the record, or undefined when the number is not remembered. */
  get(packetNumber: number): SentPacket | undefined {
    if (packetNumber < this.base || packetNumber >= this.next) return undefined;
    return this.ring[packetNumber & this.mask];
  }

  /** Calls `visit` for each remembered number in [smallest, largest] that was not acknowledged before, and marks them all acknowledged. */
  acknowledge(smallest: number, largest: number, visit: (packet: SentPacket) => void): void {
    const end = Math.min(largest + 1, this.next);
    let n = this.acked.firstMissing(Math.max(smallest, this.base));
    while (n < end) {
      const stop = Math.min(this.acked.firstPresent(n), end);
      for (; n < stop; n++) visit(this.ring[n & this.mask] as SentPacket);
      n = this.acked.firstMissing(n);
    }
    this.acked.insert(Math.max(smallest, this.base), end);
  }

  /** The first remembered number at or above `from` that has not been acknowledged. */
  firstUnacknowledged(from: number): number {
    return this.acked.firstMissing(Math.max(from, this.base));
  }

  /** Takes a packet out of flight. */
  settle(packet: SentPacket, state: number): void {
    if (packet.state === packetState.inFlight) {
      this.flightBytes -= packet.bytes;
      this.flightCount--;
    }
    packet.state = state;
  }

  /** Forgets settled records from below; lost ones are kept until `lostBeforeMs`, so that a spurious loss is noticed. */
  trim(lostBeforeMs: number): void {
    while (this.base < this.next) {
      const packet = this.ring[this.base & this.mask] as SentPacket;
      if (packet.state === packetState.inFlight) break;
      if (packet.state === packetState.lost && packet.lostAtMs > lostBeforeMs) break;
      packet.release();
      this.base++;
    }
    this.acked.remove(0, this.base);
  }

  /** Forgets the lowest record, which is not in flight. */
  forgetLowest(): void {
    const packet = this.ring[this.base & this.mask] as SentPacket;
    assert(this.base < this.next && packet.state !== packetState.inFlight, "sent packets: forgotten in flight");
    packet.release();
    this.base++;
    this.acked.remove(0, this.base);
  }
}
