// What every packet of a run met, twice over: as a rolling hash of the whole run, by which two runs are compared, and as
// a ring of the latest records, which a failure prints. Both are written without allocating.

import type { Packet } from "./packet.ts";
import type { Place } from "./place.ts";

export type TraceVerb = "send" | "deliver" | "drop";

const VERB_CODES = { send: 1, deliver: 2, drop: 3 } as const;
/** Payload bytes that a record keeps, from the front: enough for every header of ours. */
const HEAD_BYTES = 24;
/** Payload bytes that enter the hash, from the front and from the back, where an authentication tag depends on the whole. */
const HASHED_BYTES = 16;

interface TraceRecord {
  atMs: number;
  verb: TraceVerb;
  where: string;
  note: string;
  source: Place | undefined;
  destination: Place | undefined;
  lengthBytes: number;
  readonly head: Uint8Array;
}

export class PacketTrace {
  private readonly ring: TraceRecord[] = [];
  private readonly capacity: number;
  private recorded = 0;
  private low = 0x811c9dc5 | 0;
  private high = 0x1b873593 | 0;
  private readonly float = new Float64Array(1);
  private readonly words = new Uint32Array(this.float.buffer);
  /** Puts the first bytes of a payload into words for the printed trace; set it to make a trace readable. */
  describe: ((head: Uint8Array, lengthBytes: number) => string) | undefined;

  /** @param capacity records kept for printing. */
  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Equal for equal runs: 16 hexadecimal digits over all that was recorded. */
  get hash(): string {
    return (this.high >>> 0).toString(16).padStart(8, "0") + (this.low >>> 0).toString(16).padStart(8, "0");
  }

  /** Records since the start, those the ring forgot included. */
  get length(): number {
    return this.recorded;
  }

  /**
   * @param where the host or the link at which it happened.
   * @param note why, for a drop.
   */
  record(atMs: number, verb: TraceVerb, where: string, packet: Packet, note = ""): void {
    this.hashPacket(atMs, verb, packet);
    let record = this.ring[this.recorded % this.capacity];
    if (record === undefined) {
      record = {
        atMs,
        verb,
        where,
        note,
        source: undefined,
        destination: undefined,
        lengthBytes: 0,
        head: new Uint8Array(HEAD_BYTES),
      };
      this.ring.push(record);
    }
    this.recorded++;
    record.atMs = atMs;
    record.verb = verb;
    record.where = where;
    record.note = note;
    record.source = packet.source;
    record.destination = packet.destination;
    record.lengthBytes = packet.lengthBytes;
    const headBytes = Math.min(HEAD_BYTES, packet.lengthBytes);
    for (let i = 0; i < headBytes; i++) record.head[i] = packet.byteAt(i);
  }

  /** @returns the latest `count` records as lines, oldest first. */
  format(count = 60): string {
    const shown = Math.min(count, this.ring.length);
    const lines: string[] = [];
    for (let i = this.recorded - shown; i < this.recorded; i++) {
      lines.push(this.formatRecord(this.ring[i % this.capacity] as TraceRecord));
    }
    return lines.join("\n");
  }

  private formatRecord(record: TraceRecord): string {
    const head = record.head.subarray(0, Math.min(HEAD_BYTES, record.lengthBytes));
    const words = this.describe?.(head, record.lengthBytes) ?? Buffer.from(head).toString("hex");
    const time = record.atMs.toFixed(3).padStart(12);
    const ends = `${record.source} > ${record.destination}`;
    const note = record.note === "" ? "" : ` (${record.note})`;
    return `${time} ms  ${record.verb.padEnd(7)} ${record.where}${note}  ${ends}  ${record.lengthBytes} B  ${words}`;
  }

  private hashPacket(atMs: number, verb: TraceVerb, packet: Packet): void {
    this.float[0] = atMs;
    this.mix(this.words[0] as number);
    this.mix(this.words[1] as number);
    this.mix((VERB_CODES[verb] << 24) ^ packet.lengthBytes);
    this.mix(packet.source.id);
    this.mix(packet.destination.id);
    const length = packet.lengthBytes;
    if (length >= 2 * HASHED_BYTES) {
      for (let i = 0; i < HASHED_BYTES; i += 4) this.mix(packet.wordAt(i));
      for (let i = length - HASHED_BYTES; i < length; i += 4) this.mix(packet.wordAt(i));
    } else {
      for (let i = 0; i < length; i++) this.mix(packet.byteAt(i));
    }
  }

  private mix(word: number): void {
    this.low = Math.imul(this.low ^ word, 0x01000193);
    this.low ^= this.low >>> 15;
    this.high = Math.imul(this.high ^ (word + this.low), 0x85ebca6b);
    this.high ^= this.high >>> 13;
  }
}
