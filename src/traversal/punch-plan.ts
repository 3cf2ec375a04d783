// How two sides go about a direct path, from the behaviour of both their NATs (RFC 4787's terms). Where one side's port cannot be
// known beforehand and the other side's filter asks for it, they meet by the birthday paradox: the side with the hard NAT opens many
// sockets, the other tries many ports, and of 65 thousand pairs one soon fits.

import type { NatBehaviour } from "../wire/candidate.ts";

/** What this side does. */
export type PunchRole =
  /** Challenges to every candidate from the main socket, both sides at once. */
  | "simultaneous"
  /** Ours is the hard NAT: besides, many sockets towards the peer's one address. */
  | "open-sockets"
  /** Theirs is the hard NAT: besides, many ports of the peer's address. */
  | "spray-ports"
  /** Both are hard: the relay, at once. Candidates are tried all the same, for the two may share a network. */
  | "relay";

const isHard = (nat: NatBehaviour): boolean =>
  nat.mapping === "address-dependent" || nat.mapping === "address-and-port-dependent";

/** Whether a probe from a port that was never spoken to is kept out. Unknown is taken for the usual home router's. */
const filtersPorts = (nat: NatBehaviour): boolean =>
  nat.filtering === "address-and-port-dependent" || nat.filtering === "unknown";

/** A behaviour that is unknown is taken for the usual one: easy to map, filtering by port. */
export function punchRole(ours: NatBehaviour, theirs: NatBehaviour): PunchRole {
  if (isHard(ours) && isHard(theirs)) return "relay";
  if (isHard(ours)) return filtersPorts(theirs) ? "open-sockets" : "simultaneous";
  if (isHard(theirs)) return filtersPorts(ours) ? "spray-ports" : "simultaneous";
  return "simultaneous";
}
