// The initiator's half of the handshake: one initiation, sent again until the response comes, with a cookie when one was
// asked for. The bytes stay the same for the whole attempt (but for mac2), so a responder that has answered answers again.

import { isMulticast } from "../base/address.ts";
import { HANDSHAKE_RETRY_MAX_MS, HANDSHAKE_RETRY_MS } from "../base/limits.ts";
import { type Random, randomFraction } from "../base/random.ts";
import type { Route } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { mac1KeyOf, mac1Of, openCookie, writeMac1, writeMac2 } from "../crypto/handshake-mac.ts";
import type { Identity } from "../crypto/identity.ts";
import { NoiseInitiator, type SessionKeys } from "../crypto/noise.ts";
import {
  assembleInitiation,
  cookieReplyBox,
  cookieReplyNonce,
  decodeResponsePayload,
  encodeInitiationPayload,
  type InitiationPayload,
  type ResponsePayload,
  responseNoiseMessage,
} from "../wire/handshake-packet.ts";

export interface HandshakeResult {
  readonly keys: SessionKeys;
  readonly payload: ResponsePayload;
}

export class HandshakeInitiator {
  private readonly remoteDhPublicKey: Uint8Array;
  private readonly psk: Uint8Array;
  private readonly random: Random;
  private readonly noise: NoiseInitiator;
  private readonly packet: Uint8Array;
  private tries = 0;
  private retryAtMs = Number.POSITIVE_INFINITY;
  private cookieAtMs = Number.NEGATIVE_INFINITY;
  private isCarried = false;
  /** A group was asked, whose members answer from addresses of their own. */
  private asksGroup = false;
  private readonly routes: Route[] = [];
  /** Routes that the present transmission has not gone to yet. */
  private due: Route[] = [];
  /** When the initiation went out last: a response to the first transmission is an RTT sample. */
  lastSentAtMs = 0;

  constructor(
    local: Identity,
    remoteDhPublicKey: Uint8Array,
    psk: Uint8Array,
    session: number,
    payload: InitiationPayload,
    random: Random,
  ) {
    this.remoteDhPublicKey = remoteDhPublicKey;
    this.psk = psk;
    this.random = random;
    this.noise = new NoiseInitiator(local, remoteDhPublicKey, random);
    this.packet = assembleInitiation(session, this.noise.writeInitiation(encodeInitiationPayload(payload)));
    writeMac1(mac1KeyOf(remoteDhPublicKey), this.packet, 0, this.packet.length);
  }

  get timesSent(): number {
    return this.tries;
  }

  get deadlineMs(): number {
    return this.retryAtMs;
  }

  /** The initiation goes there too, from its next transmission on. */
  addRoute(route: Route): void {
    if (this.routes.includes(route)) return;
    this.routes.push(route);
    if (isMulticast(route.remote)) this.asksGroup = true;
  }

  /** The initiation goes there at once, and with every further transmission. */
  sendTo(route: Route): void {
    this.addRoute(route);
    this.due.push(route);
  }

  /** Whether a response over this route answers something that went there; what somebody else carried comes back by a relay. */
  wentTo(route: Route): boolean {
    if (this.routes.includes(route) || this.routes.length === 0) return true;
    return route.via === "relay" ? this.isCarried : this.asksGroup;
  }

  get firstRoute(): Route | undefined {
    return this.routes[0];
  }

  /** Transmits to every route, and arms the next retransmission. */
  start(nowMs: number): void {
    const backoffMs = Math.min(HANDSHAKE_RETRY_MS * 2 ** Math.min(this.tries, 10), HANDSHAKE_RETRY_MAX_MS);
    this.tries++;
    this.lastSentAtMs = nowMs;
    this.retryAtMs = nowMs + backoffMs * (0.9 + 0.2 * randomFraction(this.random));
    this.due = [...this.routes];
  }

  /** @returns the initiation for somebody else to carry; the routes, should there be any, get it as well. */
  forCarrier(nowMs: number): Uint8Array {
    if (this.lastSentAtMs !== nowMs || this.tries === 0) this.start(nowMs);
    this.isCarried = true;
    return this.packet.slice();
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.retryAtMs) this.start(nowMs);
  }

  /** Fills `out` with the initiation for the next route that it has to go to. */
  pollTransmit(out: Transmit): boolean {
    const route = this.due.pop();
    if (route === undefined) return false;
    out.prefixed(route, this.packet);
    return true;
  }

  /** @param packet a whole response. @returns undefined where it is not the authentic answer. */
  readResponse(packet: Uint8Array): HandshakeResult | undefined {
    const bytes = this.noise.readResponse(responseNoiseMessage(packet), this.psk);
    const payload = bytes && decodeResponsePayload(bytes);
    return payload && { keys: this.noise.sessionKeys(), payload };
  }

  /**
   * @param packet a whole cookie reply.
   * @returns whether the initiation goes again at once: the cookie is authentic, and the first for a while. Whoever is sent
   * one cookie after another waits for its next retransmission with the latest.
   */
  readCookie(nowMs: number, packet: Uint8Array): boolean {
    const mac1 = mac1Of(this.packet, this.packet.length);
    const cookie = openCookie(this.remoteDhPublicKey, mac1, cookieReplyNonce(packet), cookieReplyBox(packet));
    if (cookie === undefined) return false;
    writeMac2(cookie, this.packet, 0, this.packet.length);
    if (nowMs - this.cookieAtMs < HANDSHAKE_RETRY_MS) return false;
    this.cookieAtMs = nowMs;
    this.due = [...this.routes];
    return true;
  }
}
