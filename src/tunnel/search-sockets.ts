// The sockets that one search for a direct path has open beside the main one: opened, asked where others see them, and closed again when
// no path and no part of the search uses them.

import type { SocketAddress } from "../base/address.ts";
import { SOCKET_OPEN_MS } from "../base/limits.ts";
import type { Carrier } from "../base/route.ts";
import type { OwnSockets } from "./own-sockets.ts";

export interface SearchSocketsContext {
  readonly sockets: OwnSockets;
  /** Asks the rendezvous where the socket of this carrier is seen; `onMappedAddress` follows. */
  queryMappedAddress(nowMs: number, carrier: Carrier): void;
}

const NEVER = Number.POSITIVE_INFINITY;

export class SearchSockets {
  private readonly context: SearchSocketsContext;
  private readonly opened = new Set<Carrier>();
  private readonly addresses = new Map<Carrier, SocketAddress>();
  private unasked: readonly Carrier[] = [];
  private askAtMs = NEVER;
  private sweepAtMs = NEVER;

  constructor(context: SearchSocketsContext) {
    this.context = context;
  }

  get count(): number {
    return this.opened.size;
  }

  open(count: number): readonly Carrier[] {
    const carriers = this.context.sockets.open(count);
    for (const carrier of carriers) this.opened.add(carrier);
    return carriers;
  }

  /** Asks where these are seen, once they are open. */
  ask(nowMs: number, carriers: readonly Carrier[]): void {
    this.unasked = [...this.unasked, ...carriers];
    this.askAtMs = Math.min(this.askAtMs, nowMs + SOCKET_OPEN_MS);
  }

  /** Where a socket is seen, once that is known. */
  seenAt(carrier: Carrier): SocketAddress | undefined {
    return this.addresses.get(carrier);
  }

  /** @returns whether this is one of ours, and news. */
  onMappedAddress(carrier: Carrier, address: SocketAddress): boolean {
    if (!this.opened.has(carrier) || this.addresses.has(carrier)) return false;
    this.addresses.set(carrier, address);
    return true;
  }

  /** What is not used is closed then, or sooner where that has been said already. */
  sweepAt(atMs: number): void {
    this.sweepAtMs = Math.min(this.sweepAtMs, atMs);
  }

  pollTimeout(): number {
    return Math.min(this.askAtMs, this.sweepAtMs);
  }

  /** @param used tells which sockets stay. */
  handleTimeout(nowMs: number, used: () => ReadonlySet<Carrier>): void {
    if (nowMs >= this.askAtMs) {
      this.askAtMs = NEVER;
      for (const carrier of this.unasked) if (this.opened.has(carrier)) this.context.queryMappedAddress(nowMs, carrier);
      this.unasked = [];
    }
    if (nowMs < this.sweepAtMs) return;
    this.sweepAtMs = NEVER;
    const kept = used();
    this.close([...this.opened].filter((carrier) => !kept.has(carrier)));
  }

  close(carriers: readonly Carrier[]): void {
    for (const carrier of carriers) {
      this.opened.delete(carrier);
      this.addresses.delete(carrier);
    }
    this.context.sockets.close(carriers);
  }

  closeAll(): void {
    this.askAtMs = NEVER;
    this.sweepAtMs = NEVER;
    this.close([...this.opened]);
  }
}
