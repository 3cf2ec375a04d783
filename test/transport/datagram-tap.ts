// Takes the datagrams that a machine wants sent into the hands of a test, which delivers, changes, repeats or keeps them.

import assert from "node:assert/strict";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import type { Route } from "../../src/base/route.ts";
import { Transmit } from "../../src/base/transmit.ts";
import type { EndpointMachine } from "./endpoint-machine.ts";

export interface TappedDatagram {
  readonly route: Route;
  readonly bytes: Uint8Array;
}

const out = new Transmit();

export function addressOf(ip: string, port = 4000): SocketAddress {
  return socketAddress(ip, port) ?? assert.fail(`${ip} is no address`);
}

/** @returns everything that the machine wants sent now, one datagram each, having let it handle its events. */
export function take(machine: EndpointMachine, nowMs: number): TappedDatagram[] {
  const taken: TappedDatagram[] = [];
  for (let before = -1; before < taken.length; ) {
    before = taken.length;
    while (machine.pollTransmit(nowMs, out)) {
      for (let start = 0; start < out.lengthBytes; start += out.segmentBytes) {
        const end = Math.min(start + out.segmentBytes, out.lengthBytes);
        taken.push({ route: out.route as Route, bytes: out.buffer.slice(start, end) });
      }
    }
    machine.pump(nowMs);
  }
  return taken;
}

/** Delivers datagrams as if they came from `from`. */
export function give(
  machine: EndpointMachine,
  nowMs: number,
  from: SocketAddress,
  datagrams: readonly TappedDatagram[],
): void {
  for (const { bytes } of datagrams) machine.handleDatagram(nowMs, from, new Uint8Array(bytes));
}

/** Two machines whose datagrams reach each other at once. */
export class Tap {
  nowMs = 1_000;
  readonly a: EndpointMachine;
  readonly b: EndpointMachine;
  readonly addressA = addressOf("198.51.100.1");
  readonly addressB = addressOf("198.51.100.2");

  constructor(a: EndpointMachine, b: EndpointMachine) {
    this.a = a;
    this.b = b;
  }

  /** Carries datagrams to and fro until both are silent. @returns how many datagrams each sent. */
  settle(): { a: number; b: number } {
    const sent = { a: 0, b: 0 };
    for (let round = 0; round < 1_000; round++) {
      const fromA = take(this.a, this.nowMs);
      give(this.b, this.nowMs, this.addressA, fromA);
      const fromB = take(this.b, this.nowMs);
      give(this.a, this.nowMs, this.addressB, fromB);
      sent.a += fromA.length;
      sent.b += fromB.length;
      if (fromA.length + fromB.length === 0) return sent;
    }
    return assert.fail("the two never fall silent");
  }

  /** Lets time pass with timers firing and datagrams arriving at once. */
  pass(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (;;) {
      this.settle();
      const next = Math.min(this.a.pollTimeout(), this.b.pollTimeout());
      if (next > endMs) break;
      this.nowMs = Math.max(this.nowMs, next);
      this.a.handleTimeout(this.nowMs);
      this.b.handleTimeout(this.nowMs);
    }
    this.nowMs = endMs;
  }
}
