// A host and its router in virtual time: the machine that asks for a mapping, drained as base/machine.ts prescribes, and a fake
// router a few milliseconds away.

import type { SocketAddress } from "../../src/base/address.ts";
import { Transmit } from "../../src/base/transmit.ts";
import { PortMapping, type PortMappingEvent } from "../../src/traversal/port-mapping.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import type { FakeRouter } from "./fake-router.ts";

export const gateway: SocketAddress = { family: 4, host: "192.168.1.1", port: 5351 };
export const internal: SocketAddress = { family: 4, host: "192.168.1.10", port: 41_000 };

const ONE_WAY_MS = 2;

export class MappingClock {
  nowMs = 1_000_000;
  readonly machine: PortMapping;
  readonly events: PortMappingEvent[] = [];
  /** When each event came. */
  readonly eventAtMs: number[] = [];
  /** Requests that still are to be lost. */
  losses = 0;
  /** When each request was sent. */
  readonly requestAtMs: number[] = [];
  lastRequest: Uint8Array = new Uint8Array(0);
  private readonly router: FakeRouter;
  private readonly onTheWay: { atMs: number; bytes: Uint8Array }[] = [];
  private readonly out = new Transmit();

  constructor(router: FakeRouter, seed = 1) {
    this.router = router;
    this.machine = new PortMapping({ gateway, internal, random: new SeededRandom(seed) });
  }

  /** Calls the machine, and drains it. */
  input(act: (nowMs: number) => void): void {
    act(this.nowMs);
    while (this.machine.pollTransmit(this.nowMs, this.out)) this.ask(this.out.buffer.slice(0, this.out.lengthBytes));
    for (let event = this.machine.pollEvent(); event !== undefined; event = this.machine.pollEvent()) {
      this.events.push(event);
      this.eventAtMs.push(this.nowMs);
    }
  }

  private ask(request: Uint8Array): void {
    this.lastRequest = request;
    this.requestAtMs.push(this.nowMs);
    if (this.losses > 0) {
      this.losses--;
      this.router.requests.push("lost");
      return;
    }
    const atMs = this.nowMs + 2 * ONE_WAY_MS;
    const bytes = this.router.answer(this.nowMs + ONE_WAY_MS, request);
    if (bytes !== undefined) this.onTheWay.push({ atMs, bytes });
  }

  /** Lets that much time pass. */
  run(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (;;) {
      const arrival = this.onTheWay[0];
      const nextMs = Math.min(arrival?.atMs ?? Number.POSITIVE_INFINITY, this.machine.pollTimeout());
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (arrival !== undefined && arrival.atMs <= this.nowMs) {
        this.onTheWay.shift();
        this.input((nowMs) => this.machine.handleDatagram(nowMs, gateway, arrival.bytes));
      } else {
        this.input((nowMs) => this.machine.handleTimeout(nowMs));
      }
    }
    this.nowMs = endMs;
  }

  start(): void {
    this.input((nowMs) => this.machine.start(nowMs));
  }

  get types(): string[] {
    return this.events.map((event) => event.type);
  }
}
