// A NAT by RFC 4787: mapping (§4.1) and filtering (§5) are each endpoint-independent, address-dependent or
// address-and-port-dependent, and ports are preserved, random or sequential. Every external port belongs to one mapping.
// A mapping lives as long as any of its flows. What Linux does beyond this is in conntrack-nat.ts.

import { assert } from "../../src/base/assert.ts";
import { type Flow, FlowTable } from "./flow-table.ts";
import type { Packet } from "./packet.ts";
import { type AddressBook, type Place, pairKey } from "./place.ts";
import { type PortAllocation, PortAllocator } from "./port-allocator.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Translator } from "./translator.ts";

export type NatBehaviour = "endpoint-independent" | "address-dependent" | "address-and-port-dependent";

export interface NatSettings {
  readonly mapping: NatBehaviour;
  readonly filtering: NatBehaviour;
  readonly ports: PortAllocation;
  /** Whether an inside host reaches another one by its external address (REQ-9). */
  readonly hairpin: boolean;
  /** Whether packets from the outside prolong a flow, too (REQ-6 leaves it open). */
  readonly isRefreshedInbound: boolean;
  readonly unrepliedMs: number;
  readonly repliedMs: number;
  /** Flows that the table holds; a packet that would need one more is dropped. */
  readonly flowsMax: number;
}

/** A home router of the usual kind. */
export const NAT_DEFAULTS: NatSettings = {
  mapping: "endpoint-independent",
  filtering: "address-and-port-dependent",
  ports: "preserve",
  hairpin: false,
  isRefreshedInbound: true,
  unrepliedMs: 30_000,
  repliedMs: 120_000,
  flowsMax: 2_048,
};

interface NatFlow extends Flow {
  readonly mapping: Mapping;
}

interface Mapping {
  readonly key: number;
  readonly internal: Place;
  readonly external: Place;
  readonly flows: Map<number, NatFlow>;
  /** Until when packets are let in, by what the filtering looks at. */
  readonly admittedUntilMs: Map<number, number>;
  /** A port that was mapped on request (PCP, UPnP): it never expires and everybody may come in. */
  readonly isPermanent: boolean;
}

/** @returns the part of a remote address that a behaviour depends on. */
function dependence(behaviour: NatBehaviour, remote: Place): number {
  if (behaviour === "endpoint-independent") return 0;
  return behaviour === "address-dependent" ? remote.ipId : remote.id;
}

export class Nat implements Translator {
  readonly settings: NatSettings;
  readonly hairpin: boolean;
  private readonly book: AddressBook;
  private readonly allocator: PortAllocator;
  private readonly flows: FlowTable<NatFlow>;
  private readonly byPair = new Map<number, NatFlow>();
  private readonly byInternal = new Map<number, Mapping>();
  private readonly byExternal = new Map<number, Mapping>();
  private externalIp: string;

  constructor(book: AddressBook, random: SeededRandom, externalIp: string, settings: Partial<NatSettings>) {
    this.settings = { ...NAT_DEFAULTS, ...settings };
    this.hairpin = this.settings.hairpin;
    this.book = book;
    this.externalIp = externalIp;
    this.allocator = new PortAllocator(this.settings.ports, random, (port) => this.isFree(port));
    this.flows = new FlowTable(this.settings, this.settings.flowsMax, (flow) => this.forget(flow));
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
    this.byPair.clear();
    this.byInternal.clear();
    this.byExternal.clear();
  }

  /** Opens a port as PCP or UPnP would: for everybody, for ever. @returns the external address. */
  mapPort(internal: Place, externalPort: number): Place {
    const external = this.book.place(this.externalIp, externalPort);
    assert(!this.byExternal.has(external.id), `port ${externalPort} is taken`);
    // With endpoint-independent mapping this one replaces what the inside address had; otherwise only answers leave by it.
    const mapping = this.insert(pairKey(internal.id, 0), internal, external, true);
    mapping.admittedUntilMs.set(0, Number.POSITIVE_INFINITY);
    return external;
  }

  outbound(nowMs: number, packet: Packet): string | undefined {
    this.flows.sweep(nowMs);
    const remote = packet.destination;
    let flow = this.byPair.get(pairKey(packet.source.id, remote.id));
    if (flow !== undefined) {
      this.flows.refresh(flow, nowMs, true);
    } else {
      if (this.flows.isFull(nowMs)) return "NAT table is full";
      const key = pairKey(packet.source.id, dependence(this.settings.mapping, remote));
      const mapping = this.byInternal.get(key) ?? this.newMapping(key, packet.source);
      if (mapping === undefined) return "NAT has no free port";
      flow = this.newFlow(mapping, remote, nowMs, true);
    }
    this.admit(flow);
    packet.source = flow.mapping.external;
    return undefined;
  }

  inbound(nowMs: number, packet: Packet, isBlocked: (inside: Place) => boolean): string | undefined {
    this.flows.sweep(nowMs);
    const remote = packet.source;
    const mapping = this.byExternal.get(packet.destination.id);
    if (mapping === undefined) return "NAT has no mapping";
    const filter = mapping.isPermanent ? 0 : dependence(this.settings.filtering, remote);
    if ((mapping.admittedUntilMs.get(filter) ?? Number.NEGATIVE_INFINITY) <= nowMs) return "NAT filters it";
    if (isBlocked(mapping.internal)) return "firewall";
    const flow = mapping.flows.get(remote.id);
    if (flow === undefined) {
      if (this.flows.isFull(nowMs)) return "NAT table is full";
      this.admit(this.newFlow(mapping, remote, nowMs, false));
    } else if (this.settings.isRefreshedInbound) {
      this.flows.refresh(flow, nowMs, false);
      this.admit(flow);
    } else if (flow.opensOutbound) {
      this.flows.markReplied(flow);
    }
    packet.destination = mapping.internal;
    return undefined;
  }

  private isFree(port: number): boolean {
    return !this.byExternal.has(this.book.place(this.externalIp, port).id);
  }

  private newMapping(key: number, internal: Place): Mapping | undefined {
    const port = this.allocator.allocate(internal.address.port);
    if (port === undefined) return undefined;
    return this.insert(key, internal, this.book.place(this.externalIp, port), false);
  }

  private insert(key: number, internal: Place, external: Place, isPermanent: boolean): Mapping {
    const mapping: Mapping = { key, internal, external, flows: new Map(), admittedUntilMs: new Map(), isPermanent };
    this.byInternal.set(key, mapping);
    this.byExternal.set(external.id, mapping);
    return mapping;
  }

  private newFlow(mapping: Mapping, remote: Place, nowMs: number, opensOutbound: boolean): NatFlow {
    const flow: NatFlow = { mapping, remote, opensOutbound, isReplied: false, expiresAtMs: 0 };
    this.flows.add(flow, nowMs);
    mapping.flows.set(remote.id, flow);
    this.byPair.set(pairKey(mapping.internal.id, remote.id), flow);
    return flow;
  }

  private admit(flow: NatFlow): void {
    const filter = dependence(this.settings.filtering, flow.remote);
    const untilMs = flow.mapping.admittedUntilMs.get(filter) ?? Number.NEGATIVE_INFINITY;
    if (flow.expiresAtMs > untilMs) flow.mapping.admittedUntilMs.set(filter, flow.expiresAtMs);
  }

  private forget(flow: NatFlow): void {
    const { mapping } = flow;
    mapping.flows.delete(flow.remote.id);
    const pair = pairKey(mapping.internal.id, flow.remote.id);
    if (this.byPair.get(pair) === flow) this.byPair.delete(pair);
    if (mapping.flows.size > 0 || mapping.isPermanent) return;
    if (this.byInternal.get(mapping.key) === mapping) this.byInternal.delete(mapping.key);
    this.byExternal.delete(mapping.external.id);
  }
}
