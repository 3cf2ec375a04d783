// How many connections others may have to us. Whoever is admitted may come as any number of processes and, with a ticket, under any
// number of identities, and each connection takes memory for as long as it could still wake up: without a bound one peer could
// fill a small machine. One that is alive is never thrown out by another identity's; those that are silent make room.

import { PEER_SILENT_MS, PEERS_MAX, PEERS_PER_IDENTITY_MAX } from "../base/limits.ts";
import { closeCode } from "../base/protocol-error.ts";
import { equalBytes } from "../crypto/secret.ts";
import type { Connection } from "../transport/connection.ts";

/** What is looked at of a connection. */
export type CountedConnection = Pick<Connection, "role" | "remoteIdentity" | "heardAtMs" | "close">;

export class PeerLimit {
  private readonly peersMax: number;
  private readonly perIdentityMax: number;

  constructor(peersMax = PEERS_MAX, perIdentityMax = PEERS_PER_IDENTITY_MAX) {
    this.peersMax = peersMax;
    this.perIdentityMax = perIdentityMax;
  }

  /**
   * A connection has come up. Where there are too many that others have made, one of them is ended.
   * @param others those that there are.
   * @returns false where it is the new one that had to end.
   */
  makeRoom<C extends CountedConnection>(nowMs: number, newcomer: C, others: Iterable<C>): boolean {
    if (newcomer.role !== "responder") return true;
    const toEnd = this.toEnd(nowMs, newcomer, others);
    toEnd?.close(nowMs, closeCode.goingAway, "the other side has no room for so many connections");
    return toEnd !== newcomer;
  }

  private toEnd<C extends CountedConnection>(nowMs: number, newcomer: C, others: Iterable<C>): C | undefined {
    let all = 0;
    let ofIdentity = 0;
    let silent = newcomer;
    let silentOfIdentity: C | undefined;
    for (const other of others) {
      if (other.role !== "responder" || other === newcomer) continue;
      all++;
      if (other.heardAtMs < silent.heardAtMs) silent = other;
      if (!equalBytes(other.remoteIdentity, newcomer.remoteIdentity)) continue;
      ofIdentity++;
      if (silentOfIdentity === undefined || other.heardAtMs < silentOfIdentity.heardAtMs) silentOfIdentity = other;
    }
    if (ofIdentity >= this.perIdentityMax) return silentOfIdentity;
    if (all < this.peersMax) return undefined;
    return nowMs - silent.heardAtMs > PEER_SILENT_MS ? silent : newcomer;
  }
}
