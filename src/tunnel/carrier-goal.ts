// What the agent wants a stream carrier for, where UDP does not get through, and what its driver has opened for it. The object of a
// goal tells requests apart: the driver hands it back.

import type { SocketAddress } from "../base/address.ts";
import type { Carrier } from "../base/route.ts";

/** To the rendezvous, by every way that there is: TCP, WebSocket, each through a proxy. */
export interface RendezvousGoal {
  readonly to: "rendezvous";
  readonly host: string;
  /** Of TCP, the same as of UDP. */
  readonly port: number;
  readonly websocketPort: number;
  /** The host's, as far as they are known. */
  readonly addresses: readonly SocketAddress[];
}

/** To a peer that connects to us at the same moment (RFC 9293 §3.5). */
export interface PeerGoal {
  readonly to: "peer";
  readonly remote: SocketAddress;
  /** From the local port of this carrier, a TCP connection to the rendezvous. */
  readonly beside: Carrier;
}

export type CarrierGoal = RendezvousGoal | PeerGoal;

export interface OpenedCarrier {
  readonly carrier: Carrier;
  /** Where its packets come from and go to. */
  readonly remote: SocketAddress;
  readonly kind: "tcp" | "websocket";
  readonly byProxy: boolean;
}
