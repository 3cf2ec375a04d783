// Answers to senders that nobody has authenticated: STUN and the identity of the rendezvous. Their addresses may be forged, so each
// host has a rate, and so have all together; no answer is worth a route's place in a table.

import type { SocketAddress } from "../base/address.ts";
import {
  ANSWERS_PER_HOST_BURST,
  ANSWERS_PER_HOST_PER_SECOND,
  ANSWERS_PER_SECOND,
  ANSWERS_WAITING_MAX,
} from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { Carrier } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { HostRateLimiter } from "./host-rate-limiter.ts";
import { TokenBucket } from "./token-bucket.ts";

const NO_PREFIX = new Uint8Array(0);

interface Answer {
  readonly carrier: Carrier;
  readonly to: SocketAddress;
  readonly bytes: Uint8Array;
}

export class AnswerQueue {
  private readonly perHost: HostRateLimiter;
  private readonly total = new TokenBucket(ANSWERS_PER_SECOND, ANSWERS_PER_SECOND);
  private readonly answers: Answer[] = [];

  constructor(random: Random) {
    this.perHost = new HostRateLimiter(random, ANSWERS_PER_HOST_PER_SECOND, ANSWERS_PER_HOST_BURST);
  }

  /** Asked before any work is done for an answer. @returns whether `from` may have one. */
  admits(nowMs: number, from: SocketAddress): boolean {
    return this.answers.length < ANSWERS_WAITING_MAX && this.perHost.take(nowMs, from) && this.total.take(nowMs, 1);
  }

  /** @param carrier the socket that it leaves from. */
  push(carrier: Carrier, to: SocketAddress, bytes: Uint8Array): void {
    this.answers.push({ carrier, to, bytes });
  }

  /** Fills `out` with the next answer. @returns false when there is none. */
  pollTransmit(out: Transmit): boolean {
    const answer = this.answers.shift();
    if (answer === undefined) return false;
    const { carrier, to, bytes } = answer;
    out.single({ key: "", via: "direct", remote: to, carrier, prefix: NO_PREFIX }, bytes);
    return true;
  }
}
