// What a connection has to say. Events are pulled from the endpoint in order; "readable" and "writable" are
// edge-triggered: they come once, until the reader has read to the end or the writer has been told to pause again.

import type { SocketAddress } from "../base/address.ts";
import type { CloseCode } from "../base/protocol-error.ts";
import type { Route } from "../base/route.ts";
import type { PathSummary } from "./path-summary.ts";
import type { Stream } from "./stream.ts";

export type ConnectionEvent =
  /** The handshake is confirmed: at the responder by the first packet under its keys. */
  | { readonly type: "connected" }
  /** The end. Streams that were open have had their "stream-reset" before. */
  | { readonly type: "closed"; readonly code: CloseCode; readonly reason: string; readonly byPeer: boolean }
  /** The peer opened a stream. */
  | { readonly type: "stream"; readonly stream: Stream }
  /** openStream had been refused and may succeed now. */
  | { readonly type: "streams-available" }
  | { readonly type: "readable"; readonly stream: Stream }
  | { readonly type: "writable"; readonly stream: Stream }
  /** The peer ended its sending half at once. */
  | { readonly type: "stream-reset"; readonly stream: Stream; readonly code: number }
  /** The peer wants no more of what we send; our half has been reset. */
  | { readonly type: "stop-sending"; readonly stream: Stream; readonly code: number }
  /** Both halves are done and acknowledged. */
  | { readonly type: "stream-closed"; readonly stream: Stream }
  /** Data go over another path now. */
  | { readonly type: "active-path"; readonly path: PathSummary }
  /** A challenge came back: the path is open. */
  | { readonly type: "path-validated"; readonly path: PathSummary }
  /** A probe timeout has passed on a path that had answered until then. */
  | { readonly type: "path-doubted"; readonly path: PathSummary }
  /** A path stopped working and was given up. */
  | { readonly type: "path-failed"; readonly path: PathSummary }
  /** An authenticated challenge came from a route that is no path yet. */
  | { readonly type: "challenged"; readonly route: Route }
  /** No path works. */
  | { readonly type: "stalled" }
  /** One works again. */
  | { readonly type: "recovered" }
  /** Where the peer sees our packets come from that go over this route. */
  | { readonly type: "observed-address"; readonly route: Route; readonly address: SocketAddress }
  | { readonly type: "candidates"; readonly body: Uint8Array }
  | { readonly type: "punch"; readonly body: Uint8Array }
  | { readonly type: "datagram"; readonly data: Uint8Array };
