// What a connection is made of, and the states that it goes through.

import type { Random } from "../base/random.ts";
import type { PacketCipherFactory } from "../crypto/packet-cipher.ts";
import type { BufferMemory } from "./buffer-memory.ts";
import type { ConnectionEvent } from "./connection-event.ts";
import type { TransportSettings } from "./transport-settings.ts";

export type ConnectionState = "handshaking" | "connected" | "closing" | "closed";

export interface ConnectionConfig {
  readonly role: "initiator" | "responder";
  /** Ed25519 public key of the peer. */
  readonly remoteIdentity: Uint8Array;
  /** The number by which the peer addresses this connection. */
  readonly localSession: number;
  readonly settings: TransportSettings;
  readonly memory: BufferMemory;
  readonly cipher: PacketCipherFactory;
  readonly random: Random;
  readonly emit: (event: ConnectionEvent) => void;
  /** The connection may have something to send, or another deadline. */
  readonly touch: () => void;
}
