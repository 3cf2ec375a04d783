// The kinds of routers, and what does the work of each.

import { ConntrackNat, type ConntrackSettings } from "./conntrack-nat.ts";
import { Nat, type NatSettings } from "./nat.ts";
import type { AddressBook } from "./place.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { StatefulFirewall, type StatefulFirewallSettings } from "./stateful-firewall.ts";
import { type Translator, UdpBlock } from "./translator.ts";

/** What a router does: a NAT, Linux's kind of NAT, filtering without translation, or no UDP at all. */
export type RouterKind =
  | ({ readonly kind: "nat" } & Partial<NatSettings>)
  | ({ readonly kind: "conntrack" } & Partial<ConntrackSettings>)
  | ({ readonly kind: "firewall" } & Partial<StatefulFirewallSettings>)
  | { readonly kind: "udp-blocked" };

export function createTranslator(
  kind: RouterKind,
  book: AddressBook,
  random: SeededRandom,
  externalIp: string,
): Translator {
  switch (kind.kind) {
    case "nat":
      return new Nat(book, random, externalIp, kind);
    case "conntrack":
      return new ConntrackNat(book, random, externalIp, kind);
    case "firewall":
      return new StatefulFirewall(kind);
    case "udp-blocked":
      return new UdpBlock();
  }
}
