// Notices that the network changed: other interface addresses, or a machine that slept and woke up who knows where.
// Node has no notification for either, so both are looked at every few seconds, which costs some 50 µs.

import { NETWORK_POLL_MS, SLEEP_JUMP_MS } from "../base/limits.ts";
import { monotonicNowMs } from "./monotonic-clock.ts";

export type NetworkChange = "addresses" | "woke";

export interface NetworkWatchOptions {
  /** @returns the addresses as they are now, in a stable order. */
  read(): readonly string[];
  onChange(change: NetworkChange, addresses: readonly string[]): void;
  /** Replaced in tests. */
  readonly wallNowMs?: () => number;
  readonly monotonicNowMs?: () => number;
}

export class NetworkWatch {
  private readonly options: NetworkWatchOptions;
  private readonly wallNowMs: () => number;
  private readonly monotonicNowMs: () => number;
  private lastAddresses: string;
  private lastAheadMs: number;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: NetworkWatchOptions) {
    this.options = options;
    this.wallNowMs = options.wallNowMs ?? Date.now;
    this.monotonicNowMs = options.monotonicNowMs ?? monotonicNowMs;
    this.lastAddresses = options.read().join(" ");
    this.lastAheadMs = this.aheadMs();
  }

  start(): void {
    this.timer = setInterval(() => this.poll(), NETWORK_POLL_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Looks once. */
  poll(): void {
    const aheadMs = this.aheadMs();
    // The monotonic clock stands still while the machine sleeps. A wall clock that was set forward looks the same, and
    // announcing the same addresses again does no harm.
    const woke = aheadMs - this.lastAheadMs > SLEEP_JUMP_MS;
    this.lastAheadMs = aheadMs;
    const addresses = this.options.read();
    const text = addresses.join(" ");
    const changed = text !== this.lastAddresses;
    this.lastAddresses = text;
    if (woke) this.options.onChange("woke", addresses);
    else if (changed) this.options.onChange("addresses", addresses);
  }

  private aheadMs(): number {
    return this.wallNowMs() - this.monotonicNowMs();
  }
}
