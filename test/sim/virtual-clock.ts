// Time in a simulation: a queue of what is to happen, kept as a binary heap that is stable (what was scheduled first
// happens first among equals), and a clock that jumps from one event to the next. Nothing here waits for anything.

import { assert } from "../../src/base/assert.ts";
import type { Packet } from "./packet.ts";
import { SimulationError } from "./simulation-error.ts";

/** Something that can be told that its time has come. Targets are long-lived objects: no closure is made a packet. */
export interface ClockTarget {
  /** What a reader of a failure calls it: "timer of A". */
  readonly label: string;
  fire(packet: Packet | undefined): void;
}

interface Entry {
  atMs: number;
  order: number;
  target: ClockTarget | undefined;
  packet: Packet | undefined;
}

/** Of an endless loop, this many events are counted by label for the report. */
const TALLY_EVENTS = 200;

const isBefore = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

export class VirtualClock {
  private now: number;
  private readonly heap: Entry[] = [];
  private readonly spare: Entry[] = [];
  private order = 0;
  private readonly eventsPerMsMax: number;
  private windowStartMs: number;
  private windowEvents = 0;
  private readonly tally = new Map<string, number>();

  /** @param eventsPerMsMax more events than this within one virtual millisecond are taken for an endless loop. */
  constructor(startMs: number, eventsPerMsMax: number) {
    this.now = startMs;
    this.windowStartMs = startMs;
    this.eventsPerMsMax = eventsPerMsMax;
  }

  get nowMs(): number {
    return this.now;
  }

  /** When the next event is due, in ms; Infinity when nothing is left to happen. */
  get nextMs(): number {
    return this.heap.length === 0 ? Number.POSITIVE_INFINITY : (this.heap[0] as Entry).atMs;
  }

  /** @param atMs not before now: time never goes back. */
  schedule(atMs: number, target: ClockTarget, packet?: Packet): void {
    assert(atMs >= this.now && atMs < Number.POSITIVE_INFINITY, `${target.label}: ${atMs} ms, now is ${this.now} ms`);
    const entry = this.spare.pop() ?? { atMs: 0, order: 0, target: undefined, packet: undefined };
    entry.atMs = atMs;
    entry.order = this.order++;
    entry.target = target;
    entry.packet = packet;
    this.heap.push(entry);
    this.siftUp(this.heap.length - 1);
  }

  /**
   * Lets the next event happen.
   * @throws SimulationError when events follow each other without time passing.
   */
  step(): void {
    const entry = this.pop();
    this.now = entry.atMs;
    const target = entry.target as ClockTarget;
    const packet = entry.packet;
    entry.target = undefined;
    entry.packet = undefined;
    this.spare.push(entry);
    this.guard(target);
    target.fire(packet);
  }

  /** Lets time pass up to `atMs`, before which nothing may be due. */
  advanceTo(atMs: number): void {
    assert(atMs >= this.now && atMs <= this.nextMs, `the clock cannot go from ${this.now} to ${atMs} ms`);
    this.now = atMs;
  }

  private guard(target: ClockTarget): void {
    if (this.now >= this.windowStartMs + 1) {
      this.windowStartMs = this.now;
      this.windowEvents = 0;
      this.tally.clear();
    }
    if (++this.windowEvents <= this.eventsPerMsMax) return;
    this.tally.set(target.label, (this.tally.get(target.label) ?? 0) + 1);
    if (this.windowEvents < this.eventsPerMsMax + TALLY_EVENTS) return;
    const culprits = [...this.tally].sort((a, b) => b[1] - a[1]).slice(0, 4);
    throw new SimulationError(
      `livelock: ${this.windowEvents} events within one virtual millisecond, at ${this.now} ms; ` +
        `of the last ${TALLY_EVENTS}: ${culprits.map(([label, count]) => `${label} (${count})`).join(", ")}`,
    );
  }

  private siftUp(from: number): void {
    const heap = this.heap;
    const entry = heap[from] as Entry;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!isBefore(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  private pop(): Entry {
    const heap = this.heap;
    const first = heap[0];
    assert(first !== undefined, "nothing is left to happen");
    const last = heap.pop() as Entry;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (!isBefore(heap[child] as Entry, last)) break;
      heap[at] = heap[child] as Entry;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
