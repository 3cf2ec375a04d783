// Which rendezvous an agent is to hold a session with.

import type { SocketAddress } from "../base/address.ts";

/** Which rendezvous. */
export interface RendezvousTarget {
  readonly address: SocketAddress;
  /** Further addresses of the same one, of the other family say; attempts go through all of them in turn. */
  readonly alternatives?: readonly SocketAddress[];
  /** Ed25519. Without it the first answer is believed, and told by "identity". */
  readonly publicKey?: Uint8Array;
}

/** One whose name cannot be resolved here: only streams may lead there, through a proxy that knows better. */
export type UnresolvedTarget = Pick<RendezvousTarget, "publicKey">;
