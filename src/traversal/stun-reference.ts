// The server that the tests of RFC 5780 are run with: of those that answered, the one that offers the most alternates to ask, and to be
// answered from.

import type { SocketAddress } from "../base/address.ts";
import { STUN_RTO_MS } from "../base/limits.ts";
import type { StunTransaction } from "./stun-transactions.ts";

export interface StunReference {
  readonly server: SocketAddress;
  /** Where it sees our socket. */
  readonly mapped: SocketAddress;
  /** Its other port, on another address or on the same; undefined where it has none. */
  readonly other: SocketAddress | undefined;
  readonly rttMs: number;
}

/** A server with a second address is worth more than one with a second port alone, and that more than one with neither. */
export function chooseReference(asked: readonly StunTransaction[]): StunReference | undefined {
  const offers = asked.flatMap((transaction): StunReference[] => {
    const { state, mapped, question, rttMs = STUN_RTO_MS / 2 } = transaction;
    if (state !== "answered" || mapped === undefined) return [];
    return [{ server: question.to, mapped, other: alternateOf(transaction), rttMs }];
  });
  return offers.find(hasSecondAddress) ?? offers.find(({ other }) => other !== undefined) ?? offers[0];
}

export const hasSecondAddress = ({ server, other }: Pick<StunReference, "server" | "other">): boolean =>
  other !== undefined && other.host !== server.host;

/** @returns the alternate that a server names (OTHER-ADDRESS), if it is one that can be spoken to. */
export function alternateOf({ question, origin, other }: StunTransaction): SocketAddress | undefined {
  const server = question.to;
  if (other === undefined || other.family !== server.family || other.port === server.port) return undefined;
  // A server behind a NAT of its own tells the addresses that it has inside; another port of the same one is to be had all the same.
  return origin !== undefined && origin.host === other.host ? { ...server, port: other.port } : other;
}
