// What the agent knows of its own side: its interfaces, what its routers map to it, where others have seen it, how its NAT behaves;
// and the one spray at a time that it allows itself, with so many new flows in its routers. What peers say of themselves decides what is
// sprayed at, and how often: without that bound an agent would be a tool against others, and its own router's table be full.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { OBSERVED_ADDRESSES_MAX, SEARCH_FLOWS_BURST, SEARCH_FLOWS_PER_SECOND } from "../base/limits.ts";
import { TokenBucket } from "../rendezvous/token-bucket.ts";
import type { NatBehaviour } from "../wire/candidate.ts";

/** Before anything was measured. */
export const UNKNOWN_NAT: NatBehaviour = { mapping: "unknown", filtering: "unknown", portsPreserved: false };

export class OwnNetwork {
  /** The socket's address on each interface. */
  hosts: readonly SocketAddress[] = [];
  /** What our routers map to the socket's port. */
  mapped: readonly SocketAddress[] = [];
  /** Where others have seen us, the latest first. */
  observed: readonly SocketAddress[] = [];
  nat = UNKNOWN_NAT;
  private readonly spray: boolean;
  private spraying: object | undefined;
  private readonly flows = new TokenBucket(SEARCH_FLOWS_PER_SECOND, SEARCH_FLOWS_BURST);

  /** @param spray whether sprays are allowed at all. */
  constructor(spray: boolean) {
    this.spray = spray;
  }

  /** Somebody sees us at `address`. @returns whether that is news. */
  onObserved(address: SocketAddress): boolean {
    const key = formatSocketAddress(address);
    const latest = this.observed.find(({ family }) => family === address.family);
    if (latest !== undefined && formatSocketAddress(latest) === key) return false;
    const others = this.observed.filter((other) => formatSocketAddress(other) !== key);
    this.observed = [address, ...others].slice(0, OBSERVED_ADDRESSES_MAX);
    return true;
  }

  /**
   * @param flows how many new ones it is going to open in our routers.
   * @returns whether this search may spray now; it may be the one that does so already.
   */
  beginSpray(nowMs: number, search: object, flows: number): boolean {
    if (!this.spray || (this.spraying !== undefined && this.spraying !== search)) return false;
    if (!this.flows.take(nowMs, flows)) return false;
    this.spraying = search;
    return true;
  }

  /** @param flowsLeft of those that it was going to open. */
  endSpray(search: object, flowsLeft = 0): void {
    if (this.spraying !== search) return;
    this.spraying = undefined;
    this.flows.give(flowsLeft);
  }
}
