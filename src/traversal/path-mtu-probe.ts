// The largest IP packet that gets to a STUN server and back without being cut: requests with PADDING (RFC 5780 §7.6), to which ours answers
// with as many bytes. The sockets have to forbid fragmentation, or everything passes. All sizes are asked for at a time,
// the largest first; where one is answered, smaller ones are of no interest any more.

import type { SocketAddress } from "../base/address.ts";
import { MTU_PROBE_INTERVAL_MS, MTU_PROBE_IP_BYTES, MTU_PROBE_REQUESTS_MAX, STUN_RTO_MIN_MS } from "../base/limits.ts";
import type { Carrier } from "../base/route.ts";
import { STUN_HEADER_BYTES } from "../wire/stun.ts";
import { STUN_ATTRIBUTE_HEADER_BYTES } from "../wire/stun-attribute.ts";
import { type Finding, known, unknown } from "./nat-report.ts";
import type { StunTransaction, StunTransactions } from "./stun-transactions.ts";

/** IP and UDP headers (RFC 791 or RFC 8200, and RFC 768). */
const HEADER_BYTES = { 4: 28, 6: 48 } as const;

export interface PathMtuProbeOptions {
  readonly transactions: StunTransactions;
  readonly carrier: Carrier;
  readonly server: SocketAddress;
  readonly rttMs: number;
}

export class PathMtuProbe {
  private readonly options: PathMtuProbeOptions;
  /** One for each of MTU_PROBE_IP_BYTES, in their order. */
  private readonly asked: StunTransaction[] = [];
  private nextAtMs: number;

  constructor(nowMs: number, options: PathMtuProbeOptions) {
    this.options = options;
    this.nextAtMs = nowMs;
  }

  /** The largest IP packet that passes both ways, in bytes; undefined while that is not known. */
  get finding(): Finding<number> | undefined {
    for (const [i, { state, question, paddingBytes = 0 }] of this.asked.entries()) {
      if (state === "waiting") return undefined;
      if (state !== "answered") continue;
      // Without padding in the answer nothing is known of the way back; with more of it than was asked for, it may have been cut.
      const isMirrored = paddingBytes > 0 && paddingBytes <= (question.paddingBytes ?? 0);
      return isMirrored ? known(sizeAt(i)) : unknown("the server does not answer with as many bytes as it is sent");
    }
    return this.wantsMore ? undefined : unknown(`not even ${sizeAt(this.asked.length - 1)} bytes came back`);
  }

  private get wantsMore(): boolean {
    return this.asked.length < MTU_PROBE_IP_BYTES.length;
  }

  pollTimeout(): number {
    return this.wantsMore && this.finding === undefined ? this.nextAtMs : Number.POSITIVE_INFINITY;
  }

  /** To be called after every input. */
  advance(nowMs: number): void {
    if (!this.wantsMore || this.finding !== undefined || nowMs < this.nextAtMs) return;
    const { transactions, carrier, server, rttMs } = this.options;
    const datagramBytes = sizeAt(this.asked.length) - HEADER_BYTES[server.family];
    const paddingBytes = datagramBytes - STUN_HEADER_BYTES - STUN_ATTRIBUTE_HEADER_BYTES;
    const schedule = { rtoMs: Math.max(STUN_RTO_MIN_MS, 2 * rttMs), requestsMax: MTU_PROBE_REQUESTS_MAX };
    this.asked.push(transactions.ask(nowMs, { to: server, carrier, paddingBytes }, schedule));
    this.nextAtMs = nowMs + MTU_PROBE_INTERVAL_MS;
  }
}

const sizeAt = (i: number): number => MTU_PROBE_IP_BYTES[i] as number;
