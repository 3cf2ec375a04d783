// UDP sockets that the agent asks its driver for, beside the main one: for a spray, or for a fresh start where a mapping is poisoned.
// The agent numbers them itself, so a probe may follow its request at once; the driver opens them on ports of its choice.

import { OWN_CARRIER_MIN } from "../base/limits.ts";
import type { Carrier } from "../base/route.ts";
import type { AgentEvent } from "./agent-event.ts";

export class OwnSockets {
  private readonly emit: (event: AgentEvent) => void;
  private next = OWN_CARRIER_MIN;

  constructor(emit: (event: AgentEvent) => void) {
    this.emit = emit;
  }

  /** @returns the numbers of `count` new sockets; none is ever given twice. */
  open(count: number): Carrier[] {
    const carriers = Array.from({ length: count }, () => this.next++);
    this.emit({ type: "open-udp-sockets", carriers });
    return carriers;
  }

  close(carriers: readonly Carrier[]): void {
    if (carriers.length > 0) this.emit({ type: "close-udp-sockets", carriers });
  }
}
