// What was found out about the NAT, or the firewall, in front of a socket, in the terms of RFC 4787: each property with its value, or
// without one and with the reason why it is not known. What is likely is told apart from what is known.

import type { SocketAddress } from "../base/address.ts";
import type { NatBehaviour, NatDependence } from "../wire/candidate.ts";

export type KnownDependence = Exclude<NatDependence, "unknown">;

/** A measured property. `value` is undefined where it is not known; `note` says why, or what restricts the value. */
export interface Finding<T> {
  readonly value: T | undefined;
  readonly note?: string;
  /** Where the value is not known: the one that all that was seen agrees with, and that others are rare beside. */
  readonly likely?: T;
}

/** One of the servers that were asked. */
export interface StunServerReport {
  readonly server: SocketAddress;
  readonly answered: boolean;
  /** The shortest round trip to it, in ms. */
  readonly rttMs?: number;
  /** Where it sees our socket. */
  readonly mapped?: SocketAddress;
  /** The alternate that it names (RFC 5780). */
  readonly other?: SocketAddress;
}

/** One family's findings. */
export interface NatReport {
  readonly servers: readonly StunServerReport[];
  /** Whether any server answered. */
  readonly udp: boolean;
  /** Whether the address outside is another one than inside; undefined where no server answered. */
  readonly translated: boolean | undefined;
  readonly mapping: Finding<KnownDependence>;
  readonly filtering: Finding<KnownDependence>;
  readonly portsPreserved: Finding<boolean>;
  /** Whether two sockets behind the NAT reach each other by their addresses outside. */
  readonly hairpin: Finding<boolean>;
  /** Whether a packet that nobody asked for changes the mapping towards its sender. */
  readonly takesUnsolicited: Finding<boolean>;
  /** By how much the port of each new mapping is higher than the one before, where each mapping gets another one. */
  readonly portStride: Finding<number>;
}

export function known<T>(value: T, note?: string): Finding<T> {
  return note === undefined ? { value } : { value, note };
}

/** @param note a half-sentence for a person. */
export function unknown(note: string): Finding<never> {
  return { value: undefined, note };
}

/** Not known, and most probably so. @param note as of `unknown`. */
export function likely<T>(value: T, note: string): Finding<T> {
  return { value: undefined, note, likely: value };
}

/** @returns what to go by. */
export const probable = <T>({ value, likely: guess }: Finding<T>): T | undefined => value ?? guess;

/** What a peer is told of it. */
export function natBehaviourOf(report: NatReport): NatBehaviour {
  return {
    // Hole punching tries what is likely; to wait for more, which may never be known, would cost a spray seconds.
    mapping: probable(report.mapping) ?? "unknown",
    filtering: report.filtering.value ?? "unknown",
    portsPreserved: report.portsPreserved.value ?? false,
    ...(report.takesUnsolicited.value === undefined ? {} : { takesUnsolicited: report.takesUnsolicited.value }),
    ...(report.portStride.value === undefined ? {} : { portStride: report.portStride.value }),
  };
}
