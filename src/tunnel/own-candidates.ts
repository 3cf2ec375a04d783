// Where a peer may find us: the body of CANDIDATES, made of all that the agent knows of its own side.

import type { SocketAddress } from "../base/address.ts";
import { CANDIDATES_MAX } from "../base/limits.ts";
import { gatherCandidates } from "../traversal/candidate-gathering.ts";
import { type Candidate, encodeCandidates } from "../wire/candidate.ts";
import type { OwnNetwork } from "./own-network.ts";

/**
 * @param byStream candidates of our stream carriers.
 * @param seenAt where the socket is seen that speaks for this peer alone, should there be one.
 */
export function ownCandidates(
  { hosts, mapped, observed, nat }: OwnNetwork,
  byStream: readonly Candidate[],
  seenAt?: SocketAddress,
): Uint8Array {
  const candidates = gatherCandidates(hosts, seenAt === undefined ? observed : [seenAt, ...observed], mapped);
  candidates.splice(CANDIDATES_MAX - byStream.length);
  return encodeCandidates({ nat, candidates: [...candidates, ...byStream] });
}
