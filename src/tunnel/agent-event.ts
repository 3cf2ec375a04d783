// What an agent has to say, pulled in order by whoever drives it.

import type { SocketAddress } from "../base/address.ts";
import type { Carrier, Via } from "../base/route.ts";
import type { Stream } from "../transport/stream.ts";
import type { CarrierGoal } from "./carrier-goal.ts";
import type { Dial } from "./dial.ts";
import type { Over } from "./own-streams.ts";
import type { Service } from "./service.ts";

/** Why a dial waits. */
export type WaitingReason =
  | "no-rendezvous"
  | "peer-absent"
  | "service-absent"
  | "no-answer"
  | "too-many-channels"
  /** It was connected, and nothing comes from it any more. */
  | "peer-silent";

export type AgentEvent =
  /** A peer's stream was admitted, its preamble is read: it is to be forwarded to the service's target. */
  | { readonly type: "stream"; readonly stream: Stream; readonly service: Service; readonly peer: Uint8Array }
  | { readonly type: "readable" | "writable" | "stream-closed"; readonly stream: Stream }
  | { readonly type: "stream-reset" | "stop-sending"; readonly stream: Stream; readonly code: number }
  /** openStream may succeed now. */
  | { readonly type: "dial-ready"; readonly dial: Dial }
  /** Said once for each reason until the dial is ready again, or works again. */
  | { readonly type: "dial-waiting"; readonly dial: Dial; readonly reason: WaitingReason; readonly message: string }
  /** The path that carries the data of a peer changed. `remote` is the relay's address where it is relayed. */
  | {
      readonly type: "path";
      readonly peer: Uint8Array;
      readonly via: Via;
      readonly remote: SocketAddress;
      readonly rttMs: number;
      /** What our packets go over: to the peer, or to the relay. */
      readonly over: Over;
    }
  /** Further UDP sockets are wanted, on ports of the driver's choice, under these numbers; or not any more. */
  | { readonly type: "open-udp-sockets" | "close-udp-sockets"; readonly carriers: readonly Carrier[] }
  /** UDP does not get there: streams are wanted. `Agent.onCarrierOpened` takes each that was opened; none may come of it. */
  | { readonly type: "carrier-wanted"; readonly goal: CarrierGoal }
  /** A stream is not needed, or not any more: it is to be closed. */
  | { readonly type: "carrier-unwanted"; readonly carrier: Carrier }
  | { readonly type: "peer-connected" | "peer-gone"; readonly peer: Uint8Array }
  /** unreachable: it has not answered yet; lost: it did, and does not any more. Said once a change. */
  | {
      readonly type: "rendezvous";
      readonly state: "connected" | "unreachable" | "lost";
      readonly host: string;
      readonly port: number;
      readonly publicKey?: Uint8Array;
      readonly message: string;
      /** What the session goes over, where there is one; a change of it is said, too. */
      readonly over?: Over;
    }
  /** The rendezvous at this place told its key, which was not known: to be pinned. */
  | {
      readonly type: "rendezvous-identity";
      readonly host: string;
      readonly port: number;
      readonly publicKey: Uint8Array;
    };
