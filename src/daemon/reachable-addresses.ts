// Where this machine can be reached from outside: what its routers map for us, and what the user says with --address, whose names are
// looked up and may come to stand for other addresses. Peers that are introduced are told all of it, for they need not have our ticket.

import type { SocketAddress } from "../base/address.ts";
import type { HostAndPort } from "../crypto/rendezvous-address.ts";
import { PeerAddresses } from "./peer-addresses.ts";

export interface ReachableAddressesOptions {
  readonly announced: readonly HostAndPort[];
  readonly families: readonly (4 | 6)[];
  /** Called with all of them, whenever they have changed. */
  onChange(addresses: readonly SocketAddress[]): void;
  /** A name cannot be resolved; it is being tried again. */
  onUnknownHost(message: string): void;
}

export class ReachableAddresses {
  private readonly options: ReachableAddressesOptions;
  private readonly names: PeerAddresses;
  private mapped: readonly SocketAddress[] = [];
  private announced: readonly SocketAddress[] = [];

  constructor(options: ReachableAddressesOptions) {
    this.options = options;
    const { announced, families, onUnknownHost } = options;
    this.names = new PeerAddresses({
      addresses: announced,
      groups: [],
      families,
      onChange: (addresses) => {
        this.announced = addresses;
        this.tell();
      },
      onUnknownHost,
    });
  }

  start(): void {
    this.names.start();
  }

  onMapped(addresses: readonly SocketAddress[]): void {
    this.mapped = addresses;
    this.tell();
  }

  /** The network changed: names may stand for other addresses now. */
  refresh(): void {
    this.names.refresh();
  }

  stop(): void {
    this.names.stop();
  }

  private tell(): void {
    this.options.onChange([...this.announced, ...this.mapped]);
  }
}
