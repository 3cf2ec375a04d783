// How two sides go about a direct path, from the behaviour of both their NATs (RFC 4787's terms). Where one side's port cannot be
// known beforehand and the other side's filter asks for it, they meet by the birthday paradox: the side with the hard NAT opens many
// sockets, the other tries many ports, and of 65 thousand pairs one soon fits. Where a hard NAT gives its ports in sequence, a few
// that come next are tried instead. And where a router takes unsolicited packets in, which spoils its mapping towards their sender,
// the side behind it has to speak first; with two such routers the first packets have to cross each other.

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

/** How the ports that a hard NAT gives next help the two sides to meet. */
export type PredictionRole =
  /** Ours and theirs give ports in sequence: each side sends to one port that is still to come. */
  | "mutual"
  /** Ours does: the peer sends to what comes next. */
  | "predictable"
  /** Theirs does: we send to what comes next. */
  | "predicting"
  | "none";

const isPredictable = (nat: NatBehaviour): boolean => isHard(nat) && nat.portStride !== undefined;

export function predictionRole(ours: NatBehaviour, theirs: NatBehaviour): PredictionRole {
  if (isPredictable(ours) && isPredictable(theirs)) return "mutual";
  const role = punchRole(ours, theirs);
  if (role === "open-sockets" && isPredictable(ours)) return "predictable";
  if (role === "spray-ports" && isPredictable(theirs)) return "predicting";
  return "none";
}

/** Whether it is known how the NAT maps. */
export const isMeasured = (nat: NatBehaviour): boolean => nat.mapping !== "unknown";
const takesUnsolicited = (nat: NatBehaviour): boolean => nat.takesUnsolicited ?? false;

/**
 * Whether our probes wait until the peer's have left, because its router may be spoilt by what comes before. Who has not been measured
 * speaks first, and of two of these the responder: the initiator knows a round trip sooner where to probe, and would always be the one
 * that comes too early.
 */
export function waitsForPeer(ours: NatBehaviour, theirs: NatBehaviour, isInitiator: boolean): boolean {
  if (takesUnsolicited(ours)) return false;
  if (takesUnsolicited(theirs)) return true;
  return !isMeasured(theirs) && (isInitiator || isMeasured(ours));
}

/** Whether the first packets should cross each other: one router is spoilt by what comes too early, and the other is not known to be better. */
export function mustCross(ours: NatBehaviour, theirs: NatBehaviour): boolean {
  if (isHard(ours) || isHard(theirs)) return false;
  const isBad = (nat: NatBehaviour): boolean => takesUnsolicited(nat);
  return (isBad(ours) && (isBad(theirs) || !isMeasured(theirs))) || (isBad(theirs) && !isMeasured(ours));
}
