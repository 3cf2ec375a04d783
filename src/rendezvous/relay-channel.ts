// Relay channels come in pairs: what arrives for one of the two goes out under the other. A channel belongs to a party,
// the agent that sends with it; only packets from the address of that agent's session are taken.

import type { DeadlineEntry } from "../base/deadline-heap.ts";
import { RELAY_BURST_BYTES, RELAY_UNANSWERED_BYTES } from "../base/limits.ts";
import type { Route } from "../base/route.ts";
import type { RelayRun } from "./relay-queue.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Which of the two agents owns the channel: the one that sent OPEN, or the one that it asked for. */
export type RelaySide = "opener" | "callee";

export class RelayChannel {
  /** The 64 random bits of the channel as two uint32. */
  readonly high: number;
  readonly low: number;
  readonly owner: RelayParty;
  readonly side: RelaySide;
  /** The channel under which the packets of this one go out. */
  other!: RelayChannel;
  /** False once the pair was closed: packets that still wait for it are dropped. */
  open = true;
  /** Whether its owner has ever sent on it. */
  used = false;
  /** What may still be sent to a callee that has not answered. */
  unansweredBytes = RELAY_UNANSWERED_BYTES;
  lastUsedMs: number;

  constructor(high: number, low: number, owner: RelayParty, side: RelaySide, nowMs: number) {
    this.high = high;
    this.low = low;
    this.owner = owner;
    this.side = side;
    this.lastUsedMs = nowMs;
  }

  /** The channel's 8 bytes as the messages carry them. */
  get id(): Uint8Array {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.high);
    view.setUint32(4, this.low);
    return bytes;
  }
}

/** What the relay keeps of an agent. */
export class RelayParty implements DeadlineEntry {
  /** Where the agent's session was last authenticated from; its packets come from there and go there. */
  route: Route | undefined;
  /** The stream that its session has left, on which some of its packets are still under way. */
  formerStream: Route | undefined;
  /** The hostKey that its channels are counted under. */
  readonly host: string;
  readonly bucket: TokenBucket;
  readonly channels = new Set<RelayChannel>();
  /** Its callee's channels on which it has not answered yet, the oldest first. */
  readonly unanswered = new Set<RelayChannel>();
  /** How many of its channels it opened itself. */
  outgoing = 0;
  /** From when on a packet of its from a strange address is worth a look again. */
  strayAtMs = Number.NEGATIVE_INFINITY;

  // What waits to be sent for it; RelayQueue alone touches these.
  head: RelayRun | undefined;
  tail: RelayRun | undefined;
  queuedBytes = 0;
  deficitBytes = 0;
  inTurn = false;
  next: RelayParty | undefined;
  heapIndex = -1;
  heapDeadlineMs = Number.POSITIVE_INFINITY;

  constructor(host: string, rateBytesPerSecond: number) {
    this.host = host;
    this.bucket = new TokenBucket(rateBytesPerSecond, RELAY_BURST_BYTES);
  }
}
