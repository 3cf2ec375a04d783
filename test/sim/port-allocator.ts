// How a NAT chooses an external port (RFC 4787 §4.2): the inside port where it is free, a random one, or the next one.

import type { SeededRandom } from "./seeded-random.ts";

export type PortAllocation = "preserve" | "random" | "sequential";

const PORT_MIN = 1024;
const PORT_MAX = 65_535;
const PORTS = PORT_MAX - PORT_MIN + 1;

export class PortAllocator {
  private readonly allocation: PortAllocation;
  private readonly random: SeededRandom;
  private readonly isFree: (port: number) => boolean;
  private next: number;

  constructor(allocation: PortAllocation, random: SeededRandom, isFree: (port: number) => boolean) {
    this.allocation = allocation;
    this.random = random;
    this.isFree = isFree;
    this.next = random.integer(PORT_MIN, PORT_MAX);
  }

  /** @returns a free port, or undefined when all are taken. Where the preserved port is taken, a random one is used. */
  allocate(insidePort: number): number | undefined {
    if (this.allocation === "preserve" && this.isFree(insidePort)) return insidePort;
    if (this.allocation !== "sequential") this.next = this.random.integer(PORT_MIN, PORT_MAX);
    for (let i = 0; i < PORTS; i++) {
      const port = this.next;
      this.next = port === PORT_MAX ? PORT_MIN : port + 1;
      if (this.isFree(port)) return port;
    }
    return undefined;
  }
}
