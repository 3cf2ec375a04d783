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
  readonly routes: Route[];
  readonly nonce: Uint8Array;
  readonly packet: Uint8Array;
}

export class IdentityInquiry {
  private readonly random: Random;
  private question: Question | undefined;
  private askAtMs = Number.POSITIVE_INFINITY;
  /** Routes that the present transmission has not gone to yet. */
  private due: Route[] = [];
  private retryMs = IDENTITY_RETRY_MS;

  constructor(random: Random) {
    this.random = random;
  }

  /** Begins to ask over these routes, in place of whomever was asked before. */
  start(nowMs: number, ...routes: Route[]): void {
    const nonce = randomBytes(this.random, IDENTITY_NONCE_BYTES);
    this.question = { routes, nonce, packet: encodeIdentityRequest(nonce) };
    this.due = [];
    this.askAtMs = nowMs;
    this.retryMs = IDENTITY_RETRY_MS;
  }

  get isAsking(): boolean {
    return this.question !== undefined;
  }

  /** There is another way to ask the same. */
  addRoute(route: Route): void {
    this.question?.routes.push(route);
    this.due.push(route);
  }

  stop(): void {
    this.question = undefined;
    this.due = [];
    this.askAtMs = Number.POSITIVE_INFINITY;
  }

  /** @returns the Ed25519 key that answers the question, which is then over; undefined for anything else. */
  handleReply(from: SocketAddress, packet: Uint8Array): Uint8Array | undefined {
    const asked = this.question;
    const reply = decodeIdentityReply(packet);
    if (asked === undefined || reply === undefined || !equalBytes(reply.nonce, asked.nonce)) return undefined;
    if (!asked.routes.some(({ remote }) => from.host === remote.host && from.port === remote.port)) return undefined;
    this.stop();
    return reply.publicKey;
  }

  pollTimeout(): number {
    return this.askAtMs;
  }

  pollTransmit(nowMs: number, out: Transmit): boolean {
    if (this.question === undefined) return false;
    if (nowMs >= this.askAtMs) {
      this.askAtMs = nowMs + this.retryMs;
      this.retryMs = Math.min(this.retryMs * 2, IDENTITY_RETRY_MAX_MS);
      this.due = [...this.question.routes];
    }
    const route = this.due.pop();
    if (route === undefined) return false;
    out.single(route, this.question.packet);
    return true;
  }
}
