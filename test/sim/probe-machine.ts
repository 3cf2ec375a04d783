// The smallest machine that can try a world out: it sends what the test tells it, remembers what came, and echoes it if asked to.

import type { SocketAddress } from "../../src/base/address.ts";
import type { Machine } from "../../src/base/machine.ts";
import { type Carrier, MAIN_CARRIER, type Route, RouteTable } from "../../src/base/route.ts";
import type { Transmit } from "../../src/base/transmit.ts";

export interface Received {
  readonly atMs: number;
  readonly from: SocketAddress;
  readonly bytes: Uint8Array;
  /** The socket that it came to. */
  readonly carrier: Carrier;
}

interface Batch {
  readonly route: Route;
  readonly bytes: Uint8Array;
  readonly segmentBytes: number;
  readonly hopLimit: number | undefined;
}

/** Sends on demand, by batches, and wakes up when told. */
export class ProbeMachine implements Machine {
  readonly received: Received[] = [];
  /** Whether it sends everything back to where it came from. */
  readonly echoes: boolean;
  /** When it was woken. */
  readonly wokenAtMs: number[] = [];
  timeoutMs = Number.POSITIVE_INFINITY;
  private readonly queue: Batch[] = [];
  private readonly routes = new RouteTable();

  constructor(echoes = false) {
    this.echoes = echoes;
  }

  /** Queues a batch that is cut into datagrams of `segmentBytes`; one datagram unless told. */
  send(
    to: SocketAddress,
    bytes: Uint8Array,
    segmentBytes = bytes.length,
    carrier: Carrier = MAIN_CARRIER,
    hopLimit?: number,
  ): void {
    this.queue.push({ route: this.routes.direct(to, carrier), bytes, segmentBytes, hopLimit });
  }

  /** The latest datagram that came. */
  get last(): Received | undefined {
    return this.received.at(-1);
  }

  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, carrier: Carrier = MAIN_CARRIER): void {
    this.received.push({ atMs: nowMs, from, bytes: new Uint8Array(bytes), carrier });
    if (this.echoes) this.send(from, new Uint8Array(bytes), bytes.length, carrier);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.timeoutMs) return;
    this.wokenAtMs.push(nowMs);
    this.timeoutMs = Number.POSITIVE_INFINITY;
  }

  pollTimeout(): number {
    return this.timeoutMs;
  }

  pollTransmit(_nowMs: number, out: Transmit): boolean {
    const batch = this.queue.shift();
    if (batch === undefined) return false;
    out.begin(batch.route);
    out.buffer.set(batch.bytes, 0);
    out.lengthBytes = batch.bytes.length;
    out.segmentBytes = batch.segmentBytes;
    out.hopLimit = batch.hopLimit;
    return true;
  }
}
