// How a NAT chooses an external port (RFC 4787 §4.2): the inside port where it is free, a random one, the next one, or
// one a little further on, as it looks behind a NAT with other hosts.

import type { SeededRandom } from "./seeded-random.ts";

export type PortAllocation = "preserve" | "random" | "sequential" | "striding";

const PORT_MIN = 1024;
const PORT_MAX = 65_535;
/** A striding allocation leaves out so many ports at most. */
const LEFT_OUT_MAX = 2;
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
    if (this.allocation === "preserve" || this.allocation === "random") {
      this.next = this.random.integer(PORT_MIN, PORT_MAX);
    } else if (this.allocation === "striding") {
      this.next = PORT_MIN + ((this.next - PORT_MIN + this.random.integer(0, LEFT_OUT_MAX)) % PORTS);
    }
    for (let i = 0; i < PORTS; i++) {
      const port = this.next;
      this.next = port === PORT_MAX ? PORT_MIN : port + 1;
      if (this.isFree(port)) return port;
    }
    return undefined;
  }
}
