// The addresses of one rendezvous, which get their turns one after the other: often one family does not work at all. There is none
// where a name cannot be resolved, and a proxy may know better.

import type { SocketAddress } from "../base/address.ts";
import { RENDEZVOUS_ATTEMPT_MS, RENDEZVOUS_ATTEMPT_SHORT_MS } from "../base/limits.ts";

export class AddressRotation {
  readonly all: readonly SocketAddress[];
  private turns = 0;

  constructor(all: readonly SocketAddress[]) {
    this.all = all;
  }

  /** Whose turn it is. */
  get current(): SocketAddress | undefined {
    return this.all[this.turns % this.all.length];
  }

  /** How long an attempt may take. With further addresses to try, the first round does not wait as long. */
  get attemptMs(): number {
    return this.all.length > 1 && this.turns < this.all.length ? RENDEZVOUS_ATTEMPT_SHORT_MS : RENDEZVOUS_ATTEMPT_MS;
  }

  has({ host, port }: SocketAddress): boolean {
    return this.all.some((address) => address.host === host && address.port === port);
  }

  /** The attempt has failed. @returns whether all have had their turn now. */
  next(): boolean {
    this.turns++;
    return this.all.length === 0 || this.turns % this.all.length === 0;
  }

  /** The attempt has succeeded: later ones begin in a hurry, and with this address. */
  keep(): void {
    this.turns %= Math.max(1, this.all.length);
  }
}
