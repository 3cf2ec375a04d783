// The rendezvous of one agent process: their names resolved, their keys known or pinned. It keeps the agent's list up to date,
// and finds out why one does not answer.

import type { SocketAddress } from "../base/address.ts";
import { formatHostAndPort, type RendezvousAddress, type RendezvousPlace } from "../crypto/rendezvous-address.ts";
import { equalBytes } from "../crypto/secret.ts";
import { probeIdentity } from "../io/identity-probe.ts";
import { NameResolution } from "./name-resolution.ts";
import type { RendezvousPins } from "./rendezvous-pins.ts";
import type { OperatingError } from "./usage-error.ts";

/** One rendezvous as the agent takes it. */
export interface ResolvedRendezvous extends RendezvousAddress {
  readonly addresses: SocketAddress[];
  readonly byName: boolean;
}

export interface RendezvousDirectoryOptions {
  readonly rendezvous: readonly RendezvousAddress[];
  readonly pins: RendezvousPins;
  readonly families: readonly (4 | 6)[];
  nowMs(): number;
  /** The list has changed. */
  onChange(list: ResolvedRendezvous[]): void;
  /** A name cannot be resolved; it is being tried again. */
  onUnknownHost(message: string): void;
  /** Whether a host is reached through a proxy, which resolves its name. */
  isProxied(host: string): boolean;
  /** A rendezvous shows another key than the one that was pinned for it. It is not used. */
  onKeyChanged(error: OperatingError): void;
}

interface Entry {
  readonly place: RendezvousPlace;
  readonly resolution: NameResolution;
  /** From the address itself, or pinned. */
  publicKey: Uint8Array | undefined;
  readonly pinned: boolean;
  addresses: readonly SocketAddress[];
  /** Its name cannot be resolved here, and a proxy is to do it. */
  byName: boolean;
  probing: boolean;
}

export class RendezvousDirectory {
  private readonly options: RendezvousDirectoryOptions;
  private readonly entries = new Map<string, Entry>();

  /** @throws OperatingError where a pin cannot be read. */
  constructor(options: RendezvousDirectoryOptions) {
    this.options = options;
    for (const { publicKey, ...place } of options.rendezvous) this.add(place, publicKey);
  }

  private add(place: RendezvousPlace, publicKey: Uint8Array | undefined): void {
    const key = formatHostAndPort(place);
    const resolution = new NameResolution({
      ...place,
      families: this.options.families,
      onAddresses: (addresses) => this.onAddresses(key, addresses),
      onUnknown: (message) => this.onUnknown(key, message),
    });
    this.entries.set(key, {
      place,
      resolution,
      publicKey: publicKey ?? this.options.pins.get(place),
      pinned: publicKey === undefined,
      addresses: [],
      byName: false,
      probing: false,
    });
  }

  start(): void {
    for (const { resolution } of this.entries.values()) resolution.start();
  }

  stop(): void {
    for (const { resolution } of this.entries.values()) resolution.stop();
  }

  /** The network changed: names may stand for other addresses now. */
  refresh(): void {
    for (const { resolution } of this.entries.values()) resolution.refresh(this.options.nowMs());
  }

  /** The handshake with a rendezvous has proven its key: it is pinned where it was not known. @throws OperatingError */
  onConnected(place: RendezvousPlace, publicKey: Uint8Array): void {
    const entry = this.entries.get(formatHostAndPort(place));
    if (entry === undefined || entry.publicKey !== undefined) return;
    const holds = this.options.pins.pin(place, publicKey);
    entry.publicKey = holds;
    this.announce();
    // Another process met another key here a moment ago, and that one is pinned.
    if (!equalBytes(holds, publicKey)) throw this.options.pins.changed(place, holds, publicKey);
  }

  /** A rendezvous answers, perhaps again. */
  onAnswer(place: RendezvousPlace): void {
    this.entries.get(formatHostAndPort(place))?.resolution.setSilent(this.options.nowMs(), false);
  }

  /** A rendezvous does not answer: it may have moved, or may be another one than before. */
  async onSilent(place: RendezvousPlace): Promise<void> {
    const entry = this.entries.get(formatHostAndPort(place));
    entry?.resolution.setSilent(this.options.nowMs(), true);
    if (entry === undefined || entry.probing) return;
    const expected = entry.publicKey;
    if (!entry.pinned || expected === undefined) return;
    entry.probing = true;
    for (const address of entry.addresses) {
      const shown = await probeIdentity(address);
      if (shown === undefined) continue;
      if (!equalBytes(shown, expected)) this.options.onKeyChanged(this.options.pins.changed(place, expected, shown));
      break;
    }
    entry.probing = false;
  }

  /** @returns the rendezvous with all that is known of their keys: what a ticket names. */
  addresses(): readonly RendezvousAddress[] {
    return [...this.entries.values()].map(({ place, publicKey }) =>
      publicKey === undefined ? place : { publicKey, ...place },
    );
  }

  private onAddresses(key: string, addresses: readonly SocketAddress[]): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    entry.addresses = addresses;
    this.announce();
  }

  private onUnknown(key: string, message: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    entry.byName = this.options.isProxied(entry.place.host);
    if (entry.byName) this.announce();
    else this.options.onUnknownHost(message);
  }

  private announce(): void {
    const known = [...this.entries.values()].filter(({ addresses, byName }) => addresses.length > 0 || byName);
    this.options.onChange(
      known.map(({ place, publicKey, addresses, byName }) => ({
        ...place,
        byName,
        addresses: [...addresses],
        ...(publicKey === undefined ? {} : { publicKey }),
      })),
    );
  }
}
