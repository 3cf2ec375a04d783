// A NAT as Linux does it, by whole tuples: a flow keeps its port when no other flow has the same external port and the same
// remote address, so that one port serves many remotes. Where the router takes in unsolicited packets, each of them makes an
// entry for the router itself; the entry holds the very tuple that an inside host needs towards that remote, and the host's
// own packets then leave from another port. Every further packet from outside keeps the entry alive. What an inside socket sends to
// remotes that are new leaves from the port of its newest flow (the kernel's find_appropriate_src): once it has got another port
// towards one remote, it has that one towards all who come later.

import { type Flow, FlowTable } from "./flow-table.ts";
import type { Packet } from "./packet.ts";
import { type AddressBook, type Place, pairKey } from "./place.ts";
import { type PortAllocation, PortAllocator } from "./port-allocator.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Translator } from "./translator.ts";

export interface ConntrackSettings {
  /** Whether packets that nobody asked for are taken in by the router itself, as no decent one does. */
  readonly takesUnsolicited: boolean;
  /** Random ones, another for each flow, are `masquerade fully-random`: a hard NAT. */
  readonly ports: PortAllocation;
  readonly hairpin: boolean;
  readonly unrepliedMs: number;
  readonly repliedMs: number;
  readonly flowsMax: number;
}

export const CONNTRACK_DEFAULTS: ConntrackSettings = {
  takesUnsolicited: false,
  ports: "preserve",
  hairpin: false,
  unrepliedMs: 30_000,
  repliedMs: 120_000,
  flowsMax: 2_048,
};

interface ConntrackEntry extends Flow {
  /** Undefined where the router itself is meant. */
  readonly internal: Place | undefined;
  readonly external: Place;
}

export class ConntrackNat implements Translator {
  readonly settings: ConntrackSettings;
  readonly hairpin: boolean;
  private readonly book: AddressBook;
  private readonly allocator: PortAllocator;
  private readonly flows: FlowTable<ConntrackEntry>;
  private readonly byInternal = new Map<number, ConntrackEntry>();
  private readonly byExternal = new Map<number, ConntrackEntry>();
  /** The flows of each inside socket, the newest last. */
  private readonly bySource = new Map<number, Set<ConntrackEntry>>();
  private externalIp: string;
  /** The remote that a port is being sought for. */
  private remoteId = 0;

  constructor(book: AddressBook, random: SeededRandom, externalIp: string, settings: Partial<ConntrackSettings>) {
    this.settings = { ...CONNTRACK_DEFAULTS, ...settings };
    this.hairpin = this.settings.hairpin;
    this.book = book;
    this.externalIp = externalIp;
    this.allocator = new PortAllocator(
      this.settings.ports,
      random,
      (port) => !this.byExternal.has(pairKey(this.book.place(this.externalIp, port).id, this.remoteId)),
    );
    this.flows = new FlowTable(this.settings, this.settings.flowsMax, (entry) => this.forget(entry));
  }

  get flowsPeak(): number {
    return this.flows.peak;
  }

  flowsAlive(nowMs: number): number {
    return this.flows.alive(nowMs);
  }

  reboot(externalIp: string): void {
    this.externalIp = externalIp;
    this.flows.clear();
    this.byInternal.clear();
    this.byExternal.clear();
    this.bySource.clear();
  }

  outbound(nowMs: number, packet: Packet): string | undefined {
    this.flows.sweep(nowMs);
    const remote = packet.destination;
    let entry = this.byInternal.get(pairKey(packet.source.id, remote.id));
    if (entry === undefined) {
      if (this.flows.isFull(nowMs)) return "NAT table is full";
      this.remoteId = remote.id;
      const port = this.allocator.allocate(this.wantedPort(packet.source));
      if (port === undefined) return "NAT has no free port";
      entry = this.insert(packet.source, this.book.place(this.externalIp, port), remote, nowMs);
    } else {
      this.flows.refresh(entry, nowMs, true);
    }
    packet.source = entry.external;
    return undefined;
  }

  inbound(nowMs: number, packet: Packet, isBlocked: (inside: Place) => boolean): string | undefined {
    this.flows.sweep(nowMs);
    const entry = this.byExternal.get(pairKey(packet.destination.id, packet.source.id));
    if (entry === undefined) {
      if (!this.settings.takesUnsolicited || this.flows.isFull(nowMs)) return "NAT has no mapping";
      this.insert(undefined, packet.destination, packet.source, nowMs);
      return "router takes it for itself";
    }
    if (entry.internal !== undefined && isBlocked(entry.internal)) return "firewall";
    this.flows.refresh(entry, nowMs, false);
    if (entry.internal === undefined) return "router takes it for itself";
    packet.destination = entry.internal;
    return undefined;
  }

  /** That of the newest flow where that is free towards the remote, else the inside port. */
  private wantedPort(source: Place): number {
    const ownPort = source.address.port;
    if (this.settings.ports !== "preserve") return ownPort;
    const newest = [...(this.bySource.get(source.id) ?? [])].at(-1);
    return newest === undefined || this.byExternal.has(pairKey(newest.external.id, this.remoteId))
      ? ownPort
      : newest.external.address.port;
  }

  private insert(internal: Place | undefined, external: Place, remote: Place, nowMs: number): ConntrackEntry {
    const opensOutbound = internal !== undefined;
    const entry: ConntrackEntry = { internal, external, remote, opensOutbound, isReplied: false, expiresAtMs: 0 };
    this.flows.add(entry, nowMs);
    this.byExternal.set(pairKey(external.id, remote.id), entry);
    if (internal === undefined) return entry;
    this.byInternal.set(pairKey(internal.id, remote.id), entry);
    this.bySource.set(internal.id, (this.bySource.get(internal.id) ?? new Set()).add(entry));
    return entry;
  }

  private forget(entry: ConntrackEntry): void {
    this.byExternal.delete(pairKey(entry.external.id, entry.remote.id));
    const { internal } = entry;
    if (internal === undefined) return;
    this.byInternal.delete(pairKey(internal.id, entry.remote.id));
    const ofSource = this.bySource.get(internal.id);
    ofSource?.delete(entry);
    if (ofSource?.size === 0) this.bySource.delete(internal.id);
  }
}
