// What an endpoint is made of, and what it has to know of a peer to connect to it.

import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Route } from "../base/route.ts";
import type { Identity } from "../crypto/identity.ts";
import type { PacketCipherFactory } from "../crypto/packet-cipher.ts";
import type { Admit } from "./handshake-responder.ts";
import type { TransportSettings } from "./transport-settings.ts";

export interface EndpointConfig {
  readonly identity: Identity;
  /** Random per process, 8 bytes. */
  readonly instance: Uint8Array;
  readonly random: Random;
  readonly cipher: PacketCipherFactory;
  readonly log: Log;
  readonly admit: Admit;
  readonly settings?: Partial<TransportSettings>;
  /** The body of CANDIDATES that our responses bring along, so that the peer knows a round trip earlier where to find us. */
  readonly candidates?: () => Uint8Array;
}

export interface ConnectOptions {
  /** Ed25519 public key of the peer. */
  readonly remoteIdentity: Uint8Array;
  readonly psk: Uint8Array;
  readonly secretTag: Uint8Array;
  /** Where the initiation goes; it can also be fetched by `handshakePacket` for somebody else to carry. */
  readonly routes?: readonly Route[];
  /** Should the very instance answer that a stalled connection of ours leads to, that one is taken up again instead, once. */
  readonly resume?: boolean;
}
