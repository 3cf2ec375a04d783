// Where a peer can be reached without an introduction, as it changes: names are resolved, and tried again for ever; groups on the
// local network are there from the start.

import type { SocketAddress } from "../base/address.ts";
import type { HostAndPort } from "../crypto/rendezvous-address.ts";
import { monotonicNowMs } from "../io/monotonic-clock.ts";
import { NameResolution } from "./name-resolution.ts";

export interface PeerAddressesOptions {
  readonly addresses: readonly HostAndPort[];
  /** Taken as they are. */
  readonly groups: readonly SocketAddress[];
  readonly families: readonly (4 | 6)[];
  /** Called with all that are known, whenever they have changed. */
  onChange(addresses: readonly SocketAddress[]): void;
  /** A name cannot be resolved; it is being tried again. */
  onUnknownHost(message: string): void;
}

export class PeerAddresses {
  private readonly options: PeerAddressesOptions;
  private readonly resolutions: readonly NameResolution[];
  /** By the place in the list of names. */
  private readonly known: (readonly SocketAddress[])[];

  constructor(options: PeerAddressesOptions) {
    this.options = options;
    this.known = options.addresses.map(() => []);
    this.resolutions = options.addresses.map(
      ({ host, port }, index) =>
        new NameResolution({
          host,
          port,
          families: options.families,
          onAddresses: (addresses) => {
            this.known[index] = addresses;
            this.tell();
          },
          onUnknown: options.onUnknownHost,
        }),
    );
  }

  start(): void {
    if (this.options.groups.length > 0) this.tell();
    for (const resolution of this.resolutions) resolution.start();
  }

  /** The network changed, or the peer does not answer: names may stand for other addresses now. */
  refresh(): void {
    for (const resolution of this.resolutions) resolution.refresh(monotonicNowMs());
  }

  stop(): void {
    for (const resolution of this.resolutions) resolution.stop();
  }

  private tell(): void {
    this.options.onChange([...this.options.groups, ...this.known.flat()]);
  }
}
