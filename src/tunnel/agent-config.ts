// What an agent is made of.

import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Identity } from "../crypto/identity.ts";
import type { PacketCipherFactory } from "../crypto/packet-cipher.ts";
import type { TransportSettings } from "../transport/transport-settings.ts";

export interface AgentSettings {
  /** Direct paths are not looked for before a connection is this old; for measuring the relay. */
  readonly directAfterMs: number;
  /** Whether many ports or sockets may be tried where a NAT asks for it; true unless told. */
  readonly spray: boolean;
  readonly transport: Partial<TransportSettings>;
}

export interface AgentConfig {
  readonly identity: Identity;
  /** Random per process, 8 bytes. */
  readonly instance: Uint8Array;
  readonly random: Random;
  readonly cipher: PacketCipherFactory;
  readonly log: Log;
  readonly settings?: Partial<AgentSettings>;
}
