// What the rendezvous keeps of one agent: who it is, how to tell it something, what it registered and waits for, its side of the
// relay, and how much of everything it may still ask. A session outlives its connection when the same instance connects anew:
// channels and registration then go on.

import type { DeadlineEntry } from "../base/deadline-heap.ts";
import {
  INCOMINGS_BURST,
  INCOMINGS_PER_SECOND,
  MESSAGES_BURST,
  MESSAGES_PER_SECOND,
  OPENS_BURST,
  OPENS_PER_SECOND,
  REGISTERS_BURST,
  REGISTERS_PER_SECOND,
} from "../base/limits.ts";
import type { Connection } from "../transport/connection.ts";
import { byteKey } from "./byte-key.ts";
import type { MessageStream } from "./message-stream.ts";
import type { RegistryEntry } from "./registry.ts";
import { RelayParty } from "./relay-channel.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { Watch, Watcher } from "./watch-list.ts";

export class AgentSession implements RegistryEntry, Watcher, DeadlineEntry {
  /** Ed25519 public key, 32 bytes. */
  readonly identity: Uint8Array;
  readonly peerKey: string;
  readonly instanceKey: string;
  readonly party: RelayParty;
  /** Undefined while the instance changes from one connection to another. */
  connection: Connection | undefined;
  readonly selectors = new Set<string>();
  readonly watches = new Map<string, Watch>();
  /** Undefined until the agent has opened its stream. */
  messages: MessageStream | undefined;
  responsive = true;
  /** Its address changed while nothing could be sent to it. */
  owesObserved = false;

  // Until when it has to open its stream, or to connect anew; DeadlineHeap's own.
  heapIndex = -1;
  heapDeadlineMs = Number.POSITIVE_INFINITY;

  readonly messageBucket = new TokenBucket(MESSAGES_PER_SECOND, MESSAGES_BURST);
  readonly registerBucket = new TokenBucket(REGISTERS_PER_SECOND, REGISTERS_BURST);
  readonly openBucket = new TokenBucket(OPENS_PER_SECOND, OPENS_BURST);
  readonly incomingBucket = new TokenBucket(INCOMINGS_PER_SECOND, INCOMINGS_BURST);

  /** @param host the hostKey of its address. */
  constructor(identity: Uint8Array, instance: Uint8Array, host: string, relayRateBytesPerSecond: number) {
    this.identity = identity;
    this.peerKey = byteKey(identity);
    this.instanceKey = byteKey(instance);
    this.party = new RelayParty(host, relayRateBytesPerSecond);
  }

  /** Whether it takes messages that it did not ask for. */
  get takesMessages(): boolean {
    return this.messages !== undefined && !this.messages.isFull;
  }
}
