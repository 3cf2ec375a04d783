// What the relay has yet to send. Where the socket keeps up it holds the packets of one turn; where the socket or an
// agent's rate does not, packets wait here, the agents take turns by bytes (deficit round robin, RFC 8290 §4.1 in spirit), and
// the oldest are dropped when room runs out: who is late anyhow should learn of the loss early.
//
// A run is a stretch of one received datagram: packets of one channel, all but the last of one size, which leave as one
// batch. It is copied into a buffer of the queue's own, since a machine keeps no view of what it was handed. Runs and their
// buffers are used again, so that nothing is allocated for a datagram.

import { DeadlineHeap } from "../base/deadline-heap.ts";
import { type Ecn, ecn } from "../base/ecn.ts";
import {
  RELAY_PACKET_OVERHEAD_BYTES,
  RELAY_QUEUE_BYTES_MAX,
  RELAY_QUEUE_PARTY_BYTES_MAX,
  RELAY_TURN_BYTES,
} from "../base/limits.ts";
import { TRANSMIT_BUFFER_BYTES, type Transmit } from "../base/transmit.ts";
import type { RelayChannel, RelayParty } from "./relay-channel.ts";

/** Sizes of buffers: a packet, a dozen, as many as a datagram holds; and how many of each are kept when nobody needs them. */
const BUFFER_SIZES = [
  { bytes: 2 * 1024, kept: 1024 },
  { bytes: 16 * 1024, kept: 64 },
  { bytes: TRANSMIT_BUFFER_BYTES, kept: 32 },
] as const;

/** A stretch of a received datagram that goes out as one batch. */
export class RelayRun {
  buffer: Uint8Array;
  readonly size: number;
  /** The used part of the buffer; most short runs are as long as the one before, and a view costs more than their bytes' copy. */
  used: Uint8Array;
  segmentBytes = 0;
  packets = 0;
  codepoint: Ecn = ecn.notEct;
  /** The channel that the packets came with; they leave to the owner of the other one. */
  channel: RelayChannel | undefined;
  next: RelayRun | undefined;

  /** @param size the index in BUFFER_SIZES. */
  constructor(size: number, bufferBytes: number) {
    this.buffer = new Uint8Array(bufferBytes);
    this.used = this.buffer;
    this.size = size;
  }

  /** Gives a long run away as it is, for a buffer of the same length. */
  exchange(out: Transmit): void {
    this.buffer = out.exchange(this.buffer);
    this.used = this.buffer;
  }
}

/** Runs that are free, of one size. */
class FreeRuns {
  private readonly size: number;
  private readonly bufferBytes: number;
  private readonly keptMax: number;
  private first: RelayRun | undefined;
  private kept = 0;

  constructor(size: number) {
    const { bytes, kept } = BUFFER_SIZES[size] as (typeof BUFFER_SIZES)[number];
    this.size = size;
    this.bufferBytes = bytes;
    this.keptMax = kept;
  }

  take(): RelayRun {
    const run = this.first;
    if (run === undefined) return new RelayRun(this.size, this.bufferBytes);
    this.first = run.next;
    this.kept--;
    run.next = undefined;
    return run;
  }

  giveBack(run: RelayRun): void {
    if (this.kept >= this.keptMax) return;
    run.next = this.first;
    this.first = run;
    this.kept++;
  }
}

/** They only grow. */
export interface RelayCounters {
  forwardedPackets: number;
  forwardedBytes: number;
  /** Dropped because the sender was too fast or the socket too slow. */
  droppedPackets: number;
}

export class RelayQueue {
  readonly counters: RelayCounters = { forwardedPackets: 0, forwardedBytes: 0, droppedPackets: 0 };
  private readonly waiting = new DeadlineHeap<RelayParty>();
  private readonly free = BUFFER_SIZES.map((_, size) => new FreeRuns(size));
  private firstInTurn: RelayParty | undefined;
  private lastInTurn: RelayParty | undefined;
  private queuedBytes = 0;

  /**
   * Queues a copy of bytes[start, end), whose packets came with `channel`.
   * @returns the copy, which begins at 0, so that its headers can be rewritten; undefined where there is no room for it.
   */
  push(
    channel: RelayChannel,
    bytes: Uint8Array,
    start: number,
    end: number,
    segmentBytes: number,
    codepoint: Ecn = ecn.notEct,
  ): Uint8Array | undefined {
    const party = channel.owner;
    const lengthBytes = end - start;
    const packets = Math.ceil(lengthBytes / segmentBytes);
    const size = lengthBytes <= BUFFER_SIZES[0].bytes ? 0 : lengthBytes <= BUFFER_SIZES[1].bytes ? 1 : 2;
    const chargeBytes = BUFFER_SIZES[size].bytes;
    // Nobody may hold more than what is free at the moment: one greedy agent alone gets half the memory, two a third each.
    while (party.head !== undefined && !this.fits(party, chargeBytes)) this.dropHead(party);
    if (!this.fits(party, chargeBytes)) {
      this.counters.droppedPackets += packets;
      return undefined;
    }
    const run = (this.free[size] as FreeRuns).take();
    run.buffer.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), 0);
    if (run.used.length !== lengthBytes) run.used = run.buffer.subarray(0, lengthBytes);
    run.segmentBytes = segmentBytes;
    run.packets = packets;
    run.codepoint = codepoint;
    run.channel = channel;
    if (party.tail === undefined) party.head = run;
    else party.tail.next = run;
    party.tail = run;
    party.queuedBytes += chargeBytes;
    this.queuedBytes += chargeBytes;
    if (!party.inTurn && party.heapIndex < 0) this.enterTurn(party);
    return run.buffer;
  }

  /** Fills `out` with the next run. @returns false when none may go now. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    for (let party = this.firstInTurn; party !== undefined; party = this.firstInTurn) {
      const run = party.head;
      if (run === undefined) {
        party.deficitBytes = 0;
        this.leaveTurn();
        continue;
      }
      const route = run.channel?.open === true ? run.channel.other.owner.route : undefined;
      if (route === undefined) {
        this.dropHead(party);
        continue;
      }
      const lengthBytes = run.used.length;
      if (party.deficitBytes < lengthBytes) {
        party.deficitBytes += RELAY_TURN_BYTES;
        this.leaveTurn();
        this.enterTurn(party);
        continue;
      }
      const cost = lengthBytes + run.packets * RELAY_PACKET_OVERHEAD_BYTES;
      if (!party.bucket.take(nowMs, cost)) {
        this.leaveTurn();
        this.waiting.set(party, party.bucket.readyAtMs(nowMs, cost));
        continue;
      }
      party.deficitBytes -= lengthBytes;
      out.begin(route);
      if (run.buffer.length === out.buffer.length) run.exchange(out);
      else out.buffer.set(run.used, 0);
      out.lengthBytes = lengthBytes;
      out.segmentBytes = run.segmentBytes;
      out.ecn = run.codepoint;
      this.counters.forwardedPackets += run.packets;
      this.counters.forwardedBytes += lengthBytes;
      this.release(party);
      return true;
    }
    return false;
  }

  /** @returns when an agent that was too fast may go on, in ms, or Infinity. */
  pollTimeout(): number {
    return this.waiting.earliestMs;
  }

  handleTimeout(nowMs: number): void {
    while (this.waiting.earliestMs <= nowMs) {
      const party = this.waiting.first as RelayParty;
      this.waiting.delete(party);
      this.enterTurn(party);
    }
  }

  /** Drops all that waits for an agent which is gone. */
  forget(party: RelayParty): void {
    while (party.head !== undefined) this.release(party);
    this.waiting.delete(party);
  }

  private fits(party: RelayParty, chargeBytes: number): boolean {
    const limit = Math.min(RELAY_QUEUE_PARTY_BYTES_MAX, RELAY_QUEUE_BYTES_MAX - this.queuedBytes);
    return party.queuedBytes + chargeBytes <= limit;
  }

  private dropHead(party: RelayParty): void {
    this.counters.droppedPackets += party.head?.packets ?? 0;
    this.release(party);
  }

  /** Takes the oldest run of `party` out and keeps the object for the next. */
  private release(party: RelayParty): void {
    const run = party.head as RelayRun;
    party.head = run.next;
    if (party.head === undefined) party.tail = undefined;
    party.queuedBytes -= run.buffer.length;
    this.queuedBytes -= run.buffer.length;
    run.channel = undefined;
    (this.free[run.size] as FreeRuns).giveBack(run);
  }

  private enterTurn(party: RelayParty): void {
    party.inTurn = true;
    party.next = undefined;
    if (this.lastInTurn === undefined) this.firstInTurn = party;
    else this.lastInTurn.next = party;
    this.lastInTurn = party;
  }

  /** Takes the first party out. */
  private leaveTurn(): void {
    const party = this.firstInTurn as RelayParty;
    this.firstInTurn = party.next;
    if (this.firstInTurn === undefined) this.lastInTurn = undefined;
    party.next = undefined;
    party.inTurn = false;
  }
}
