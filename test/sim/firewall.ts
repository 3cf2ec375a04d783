// Rules that drop packets between chosen hosts, whatever lies between them: how a test cuts a path in mid-run, or lets
// small packets pass and large ones not. A packet is judged by the host that sent it, not by the address that a NAT gave it.
// The rules act in front of the receiving host and of its router's connection tracking, so that a cut path keeps no mapping alive.

import type { Host } from "./host.ts";
import type { Packet } from "./packet.ts";
import { pairKey } from "./place.ts";

/** Every condition that is there has to hold for a packet to be dropped. */
export interface FirewallRule {
  readonly from?: Host;
  readonly to?: Host;
  /** Of the address that the packet is for. */
  readonly family?: 4 | 6;
  /** Drops datagrams with more payload than this. */
  readonly longerThanBytes?: number;
  readonly matches?: (payload: Uint8Array) => boolean;
}

export class Firewall {
  private readonly cuts = new Set<number>();
  private readonly rules = new Set<FirewallRule>();

  /** Nothing passes between two hosts any more, in either direction. */
  cut(a: Host, b: Host): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  cutOneWay(from: Host, to: Host): void {
    this.cuts.add(pairKey(from.index, to.index));
  }

  /** Takes back `cut` and `cutOneWay`. */
  heal(a: Host, b: Host): void {
    this.cuts.delete(pairKey(a.index, b.index));
    this.cuts.delete(pairKey(b.index, a.index));
  }

  /** @returns the rule, by which it can be removed. */
  add(rule: FirewallRule): FirewallRule {
    this.rules.add(rule);
    return rule;
  }

  remove(rule: FirewallRule): void {
    this.rules.delete(rule);
  }

  /** Takes back every cut and every rule: the network is fair again. */
  clear(): void {
    this.cuts.clear();
    this.rules.clear();
  }

  drops(packet: Packet, to: Host): boolean {
    if (this.cuts.size > 0 && this.cuts.has(pairKey(packet.origin.index, to.index))) return true;
    if (this.rules.size === 0) return false;
    for (const rule of this.rules) {
      if (rule.from !== undefined && rule.from !== packet.origin) continue;
      if (rule.to !== undefined && rule.to !== to) continue;
      if (rule.family !== undefined && rule.family !== packet.destination.address.family) continue;
      if (rule.longerThanBytes !== undefined && packet.lengthBytes <= rule.longerThanBytes) continue;
      if (rule.matches !== undefined && !rule.matches(packet.payload())) continue;
      return true;
    }
    return false;
  }
}
