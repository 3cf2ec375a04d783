// Asks a rendezvous that is known by its address only for its public key (SPEC.md, "Identity of a rendezvous"). The question is
// repeated until somebody answers with its nonce.

import type { SocketAddress } from "../base/address.ts";
import { IDENTITY_RETRY_MAX_MS, IDENTITY_RETRY_MS } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import type { Route } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { equalBytes } from "../crypto/secret.ts";
import { decodeIdentityReply, encodeIdentityRequest, IDENTITY_NONCE_BYTES } from "../wire/identity-exchange.ts";

interface Question {
  readonly route: Route;
  readonly nonce: Uint8Array;
  readonly packet: Uint8Array;
}

export class IdentityInquiry {
  private readonly random: Random;
  private question: Question | undefined;
  private askAtMs = Number.POSITIVE_INFINITY;
  private retryMs = IDENTITY_RETRY_MS;

  constructor(random: Random) {
    this.random = random;
  }

  /** Begins to ask at `route`, in place of whomever was asked before. */
  start(nowMs: number, route: Route): void {
    const nonce = randomBytes(this.random, IDENTITY_NONCE_BYTES);
    this.question = { route, nonce, packet: encodeIdentityRequest(nonce) };
    this.askAtMs = nowMs;
    this.retryMs = IDENTITY_RETRY_MS;
  }

  stop(): void {
    this.question = undefined;
    this.askAtMs = Number.POSITIVE_INFINITY;
  }

  /** @returns the Ed25519 key that answers the question, which is then over; undefined for anything else. */
  handleReply(from: SocketAddress, packet: Uint8Array): Uint8Array | undefined {
    const asked = this.question;
    const reply = decodeIdentityReply(packet);
    if (asked === undefined || reply === undefined || !equalBytes(reply.nonce, asked.nonce)) return undefined;
    if (from.host !== asked.route.remote.host || from.port !== asked.route.remote.port) return undefined;
    this.stop();
    return reply.publicKey;
  }

  pollTimeout(): number {
    return this.askAtMs;
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    if (this.question === undefined || nowMs < this.askAtMs) return false;
    this.askAtMs = nowMs + this.retryMs;
    this.retryMs = Math.min(this.retryMs * 2, IDENTITY_RETRY_MAX_MS);
    out.single(this.question.route, this.question.packet);
    return true;
  }
}
