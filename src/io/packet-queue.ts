// What waits for a stream carrier whose connection does not take more: batches of packets, bounded for each carrier and for all of
// them together. When room runs out whole packets go from the head, as a router's queue should: who is late anyhow learns of the
// loss early, and a sender behind a slow connection slows down.

import { STREAM_QUEUE_BYTES_MAX, STREAM_QUEUES_BYTES_MAX } from "../base/limits.ts";

/** What all the queues of a process hold. */
export class QueueBudget {
  readonly maxBytes: number;
  usedBytes = 0;

  constructor(maxBytes: number = STREAM_QUEUES_BYTES_MAX) {
    this.maxBytes = maxBytes;
  }
}

interface Batch {
  readonly bytes: Uint8Array;
  /** The size of every packet but the last. */
  readonly segmentBytes: number;
  /** Where what has not been dropped begins. */
  start: number;
}

export class PacketQueue {
  droppedPackets = 0;
  private readonly budget: QueueBudget;
  private readonly maxBytes: number;
  private batches: Batch[] = [];
  /** Waiting here, or handed out and not yet taken by the kernel. */
  private held = 0;
  private waiting = 0;

  constructor(budget: QueueBudget, maxBytes: number = STREAM_QUEUE_BYTES_MAX) {
    this.budget = budget;
    this.maxBytes = maxBytes;
  }

  /** Bytes that wait here, or were handed out and have not been taken. */
  get heldBytes(): number {
    return this.held;
  }

  get isEmpty(): boolean {
    return this.batches.length === 0;
  }

  /** Queues a batch, which belongs to the queue from now on; drops older packets, or the batch itself, where there is no room. */
  push(bytes: Uint8Array, segmentBytes: number): void {
    while (!this.fits(bytes.length) && this.waiting > 0) this.dropFirst();
    if (!this.fits(bytes.length)) {
      this.droppedPackets += Math.ceil(bytes.length / segmentBytes);
      return;
    }
    this.batches.push({ bytes, segmentBytes, start: 0 });
    this.waiting += bytes.length;
    this.hold(bytes.length);
  }

  /** @returns the next bytes to write, or undefined; `release` follows when the kernel has them. */
  shift(): Uint8Array | undefined {
    const batch = this.batches.shift();
    if (batch === undefined) return undefined;
    this.waiting -= batch.bytes.length - batch.start;
    return batch.start === 0 ? batch.bytes : batch.bytes.subarray(batch.start);
  }

  /** Bytes that were handed out are no longer held in this process. */
  release(lengthBytes: number): void {
    this.hold(-Math.min(lengthBytes, this.held));
  }

  /** The carrier is gone. */
  clear(): void {
    this.batches = [];
    this.waiting = 0;
    this.hold(-this.held);
  }

  /** Nobody may hold more than what is free at the moment: one greedy connection alone gets half the memory, two a third each. */
  private fits(lengthBytes: number): boolean {
    return this.held + lengthBytes <= Math.min(this.maxBytes, this.budget.maxBytes - this.budget.usedBytes);
  }

  private hold(lengthBytes: number): void {
    this.held += lengthBytes;
    this.budget.usedBytes += lengthBytes;
  }

  private dropFirst(): void {
    const batch = this.batches[0] as Batch;
    const lengthBytes = Math.min(batch.segmentBytes, batch.bytes.length - batch.start);
    batch.start += lengthBytes;
    this.waiting -= lengthBytes;
    this.hold(-lengthBytes);
    this.droppedPackets++;
    if (batch.start === batch.bytes.length) this.batches.shift();
  }
}
