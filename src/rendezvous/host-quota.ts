// How much one host may hold of something that is scarce for all: agents, relay channels. Identities cost nothing, addresses
// do; so the address is what is counted.

import { assert } from "../base/assert.ts";

export class HostQuota {
  private readonly held = new Map<string, number>();
  private readonly perHostMax: number;

  constructor(perHostMax: number) {
    this.perHostMax = perHostMax;
  }

  /** @returns whether `host` (a hostKey) may hold one more. */
  hasRoom(host: string): boolean {
    return (this.held.get(host) ?? 0) < this.perHostMax;
  }

  /** Counts one more for `host`, which has room. */
  take(host: string): void {
    assert(this.hasRoom(host), "host quota: no room");
    this.held.set(host, (this.held.get(host) ?? 0) + 1);
  }

  /** Gives one back. */
  giveBack(host: string): void {
    const count = this.held.get(host);
    assert(count !== undefined, "host quota: given back what nobody took");
    if (count > 1) this.held.set(host, count - 1);
    else this.held.delete(host);
  }
}
