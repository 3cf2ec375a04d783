// The router of an IPv6 home: it translates nothing, but lets packets in only where a packet of the same two endpoints went
// out before (RFC 6092, with endpoint-dependent filtering).

import { type Flow, FlowTable, type FlowTimeouts } from "./flow-table.ts";
import type { Packet } from "./packet.ts";
import { type Place, pairKey } from "./place.ts";
import type { Translator } from "./translator.ts";

export interface StatefulFirewallSettings extends FlowTimeouts {
  readonly flowsMax: number;
}

const DEFAULTS: StatefulFirewallSettings = { unrepliedMs: 30_000, repliedMs: 120_000, flowsMax: 65_536 };

interface Permit extends Flow {
  readonly key: number;
}

export class StatefulFirewall implements Translator {
  readonly hairpin = false;
  private readonly flows: FlowTable<Permit>;
  private readonly byPair = new Map<number, Permit>();

  constructor(settings: Partial<StatefulFirewallSettings>) {
    const { flowsMax, ...timeouts } = { ...DEFAULTS, ...settings };
    this.flows = new FlowTable(timeouts, flowsMax, (permit) => this.byPair.delete(permit.key));
  }

  get flowsPeak(): number {
    return this.flows.peak;
  }

  flowsAlive(nowMs: number): number {
    return this.flows.alive(nowMs);
  }

  reboot(): void {
    this.flows.clear();
    this.byPair.clear();
  }

  outbound(nowMs: number, packet: Packet): string | undefined {
    this.flows.sweep(nowMs);
    const key = pairKey(packet.source.id, packet.destination.id);
    const permit = this.byPair.get(key);
    if (permit !== undefined) {
      this.flows.refresh(permit, nowMs, true);
      return undefined;
    }
    if (this.flows.isFull(nowMs)) return "flow table is full";
    const fresh: Permit = { key, remote: packet.destination, opensOutbound: true, isReplied: false, expiresAtMs: 0 };
    this.flows.add(fresh, nowMs);
    this.byPair.set(key, fresh);
    return undefined;
  }

  inbound(nowMs: number, packet: Packet, isBlocked: (inside: Place) => boolean): string | undefined {
    this.flows.sweep(nowMs);
    const permit = this.byPair.get(pairKey(packet.destination.id, packet.source.id));
    if (permit === undefined) return "unsolicited";
    if (isBlocked(packet.destination)) return "firewall";
    this.flows.refresh(permit, nowMs, false);
    return undefined;
  }
}
