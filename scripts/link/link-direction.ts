// One direction of a link: what becomes of each packet, and when it arrives. It knows neither devices nor clocks, and is told the time.
//
// In the order in which they act, as in the simulated links of test/sim: MTU, queue limit (tail drop), serialization at the rate, loss
// (uniform, and in bursts as Gilbert and Elliott model them), duplication, delay with jitter (which keeps the order), reordering.

import { DeadlineHeap } from "../../src/base/deadline-heap.ts";
import { type LinkSettings, PERFECT_LINK } from "./link-settings.ts";
import type { LinkPacket, PacketPool } from "./packet-pool.ts";
import { QueueDelays, type QueueReport } from "./queue-delays.ts";

/** What became of the packets so far. */
export interface LinkCounters {
  /** Packets that came in, duplicates not counted. */
  offered: number;
  /** Packets that came out, duplicates counted. */
  delivered: number;
  deliveredBytes: number;
  lost: number;
  tooLong: number;
  /** Found the queue full, or the pool of packets empty. */
  noRoom: number;
  /** Delivered more than 1 ms after their time, because this machine was busy; and the most that it was late. */
  late: number;
  latestMs: number;
}

/** The counters, and what the queue did to the packets that it took. */
export interface DirectionReport extends LinkCounters {
  readonly queue: QueueReport;
}

const NO_COUNTERS: LinkCounters = {
  offered: 0,
  delivered: 0,
  deliveredBytes: 0,
  lost: 0,
  tooLong: 0,
  noRoom: 0,
  late: 0,
  latestMs: 0,
};

/** Two packets that are due at the same time stay in their order by this much. */
const ORDER_MS = 1e-6;
const LATE_MS = 1;
/** A megabit a second is so many bytes a millisecond. */
const BYTES_PER_MS = 125;

export class LinkDirection {
  settings: LinkSettings = PERFECT_LINK;
  readonly counters: LinkCounters = { ...NO_COUNTERS };
  private readonly queueDelays = new QueueDelays();
  private readonly pool: PacketPool;
  private readonly random: () => number;
  private readonly waiting = new DeadlineHeap<LinkPacket>();
  private busyUntilMs = 0;
  private lastArrivalMs = 0;
  private isBad = false;

  /** @param random draws from [0, 1). */
  constructor(pool: PacketPool, random: () => number) {
    this.pool = pool;
    this.random = random;
  }

  /** Changes some settings from now on; packets on their way are not touched. */
  change(settings: Partial<LinkSettings>): void {
    this.settings = { ...this.settings, ...settings };
  }

  report(): DirectionReport {
    return { ...this.counters, queue: this.queueDelays.report() };
  }

  /** Counts anew from here; packets on their way are not touched. */
  forget(): void {
    Object.assign(this.counters, NO_COUNTERS);
    this.queueDelays.forget();
  }

  /** When the next packet arrives, in ms; Infinity where none is on its way. */
  get nextArrivalMs(): number {
    return this.waiting.earliestMs;
  }

  /** Takes a packet in, and gives it back to the pool where it goes no further. */
  receive(nowMs: number, packet: LinkPacket): void {
    const { settings, counters } = this;
    counters.offered++;
    if (packet.lengthBytes > settings.mtuBytes) {
      counters.tooLong++;
      this.pool.give(packet);
      return;
    }
    const departureMs = this.serialize(nowMs, packet.lengthBytes);
    if (departureMs === undefined) {
      counters.noRoom++;
      this.pool.give(packet);
      return;
    }
    if (this.isLost()) {
      counters.lost++;
      this.pool.give(packet);
      return;
    }
    if (this.chance(settings.duplicateProbability)) this.duplicate(packet, departureMs);
    this.carry(packet, departureMs);
  }

  /** Counts a packet for which there was no memory. */
  refuse(): void {
    this.counters.offered++;
    this.counters.noRoom++;
  }

  /** @returns the next packet that has arrived, for the caller to deliver and to give back to the pool. */
  takeDue(nowMs: number): LinkPacket | undefined {
    const packet = this.waiting.first;
    if (packet === undefined || packet.heapDeadlineMs > nowMs) return undefined;
    this.waiting.delete(packet);
    const { counters } = this;
    counters.delivered++;
    counters.deliveredBytes += packet.lengthBytes;
    const lateMs = nowMs - packet.heapDeadlineMs;
    if (lateMs > LATE_MS) counters.late++;
    counters.latestMs = Math.max(counters.latestMs, lateMs);
    return packet;
  }

  private chance(probability: number): boolean {
    return probability > 0 && this.random() < probability;
  }

  /** @returns when the last bit has left, or undefined where the queue is full. */
  private serialize(nowMs: number, lengthBytes: number): number | undefined {
    const { rateMbps, queueBytes } = this.settings;
    if (rateMbps === Number.POSITIVE_INFINITY) return nowMs;
    const startMs = Math.max(nowMs, this.busyUntilMs);
    if ((startMs - nowMs) * rateMbps * BYTES_PER_MS + lengthBytes > queueBytes) return undefined;
    this.queueDelays.add(startMs - nowMs);
    this.busyUntilMs = startMs + lengthBytes / (rateMbps * BYTES_PER_MS);
    return this.busyUntilMs;
  }

  private isLost(): boolean {
    const { burstLoss, lossProbability } = this.settings;
    if (burstLoss !== undefined) {
      if (this.chance(this.isBad ? burstLoss.leaveProbability : burstLoss.enterProbability)) this.isBad = !this.isBad;
      if (this.isBad) return this.chance(burstLoss.lossProbability);
    }
    return this.chance(lossProbability);
  }

  private duplicate(packet: LinkPacket, departureMs: number): void {
    const copy = this.pool.take();
    if (copy === undefined) return;
    copy.bytes.set(packet.bytes);
    copy.lengthBytes = packet.lengthBytes;
    this.carry(copy, departureMs);
  }

  private carry(packet: LinkPacket, departureMs: number): void {
    const { delayMs, jitterMs, reorderProbability, reorderMs } = this.settings;
    let arrivalMs = departureMs + delayMs;
    if (jitterMs > 0) arrivalMs += this.random() * jitterMs;
    arrivalMs = Math.max(arrivalMs, this.lastArrivalMs + ORDER_MS);
    if (this.chance(reorderProbability)) arrivalMs += this.random() * reorderMs;
    else this.lastArrivalMs = arrivalMs;
    this.waiting.set(packet, arrivalMs);
  }
}
