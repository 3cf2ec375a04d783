// What an agent hears from its rendezvous.

import type { SocketAddress } from "../base/address.ts";
import type { Carrier, Route } from "../base/route.ts";
import { channelClosedReason, openFailedReason } from "../wire/rendezvous-message.ts";

/** Why an OPEN failed. After the last three it is worth to ask again soon; after the first two PRESENT tells when. */
export type OpenFailure =
  | "peer-absent"
  | "selector-absent"
  | "too-many-channels"
  /** There is no session with the rendezvous at the moment. */
  | "not-connected"
  /** The session ended before the answer came, or the answer never came. */
  | "no-answer";

/** Why a relay channel is of no use any more. */
export type ChannelEnd = "closed-by-peer" | "peer-gone" | "idle" | "rendezvous-lost";

export type RendezvousEvent =
  /** There is a session; all that was asked for is in force. */
  | { readonly type: "connected"; readonly address: SocketAddress; readonly publicKey: Uint8Array }
  /** The session goes another way, over a stream or over UDP again. */
  | { readonly type: "moved"; readonly address: SocketAddress }
  /** There is none any more; a new one is being tried for. `message` is a sentence for people. */
  | { readonly type: "lost"; readonly message: string }
  /** An attempt has failed; the next follows by itself. */
  | { readonly type: "unreachable"; readonly address: SocketAddress | undefined; readonly message: string }
  /** The registration is in force; `address` is where the rendezvous sees this agent. */
  | { readonly type: "registered"; readonly address: SocketAddress; readonly carrier: Carrier }
  /** `carrier` is the one that the session goes by. */
  | { readonly type: "observed"; readonly address: SocketAddress; readonly carrier: Carrier }
  /** Who answers at this address says that this is its key: to be pinned. */
  | { readonly type: "identity"; readonly address: SocketAddress; readonly publicKey: Uint8Array }
  | { readonly type: "opened"; readonly request: number; readonly route: Route }
  | { readonly type: "open-failed"; readonly request: number; readonly reason: OpenFailure }
  /** Somebody was introduced to us; `packet` is the first one from it, or empty. */
  | { readonly type: "incoming"; readonly route: Route; readonly packet: Uint8Array }
  | { readonly type: "channel-closed"; readonly route: Route; readonly reason: ChannelEnd }
  /** A channel of ours is reached by another route now: the session with the rendezvous went over to it. */
  | { readonly type: "channel-moved"; readonly from: Route; readonly to: Route }
  /** UDP has not been answered: streams to the rendezvous are wanted. */
  | { readonly type: "streams-wanted" }
  /** A stream is of no use, or not any more. */
  | { readonly type: "stream-unwanted"; readonly carrier: Carrier }
  /** A peer has come for which an OPEN failed. */
  | { readonly type: "present"; readonly peer: Uint8Array; readonly selector: Uint8Array };

/** Names the reason of an OPEN_FAILED; one that a later version may have is as good as no answer. */
export function openFailureOf(reason: number): OpenFailure {
  switch (reason) {
    case openFailedReason.peerAbsent:
      return "peer-absent";
    case openFailedReason.selectorAbsent:
      return "selector-absent";
    case openFailedReason.tooManyChannels:
      return "too-many-channels";
    default:
      return "no-answer";
  }
}

/** Names the reason of a CHANNEL_CLOSED. */
export function channelEndOf(reason: number): ChannelEnd {
  switch (reason) {
    case channelClosedReason.closedByPeer:
      return "closed-by-peer";
    case channelClosedReason.idle:
      return "idle";
    default:
      return "peer-gone";
  }
}
