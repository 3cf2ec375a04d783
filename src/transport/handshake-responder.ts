// The responder's half: who knocks with the right mac1 is read, asked after, and answered; everybody else meets silence.
// Answers are remembered for a moment, so that a retransmitted initiation costs no new handshake. Under load a cookie is asked for first.

import { HALF_OPEN_LIFE_MS, HALF_OPEN_MAX, INITIATIONS_PER_SECOND_MAX } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import type { Route } from "../base/route.ts";
import { CookieJar, checkMac1, checkMac2, mac1KeyOf, mac1Of, sealCookie, writeMac1 } from "../crypto/handshake-mac.ts";
import { dhPublicKeyOf, type Identity } from "../crypto/identity.ts";
import { NoiseResponder, type SessionKeys } from "../crypto/noise.ts";
import { equalBytes } from "../crypto/secret.ts";
import { readSession } from "../wire/datagram.ts";
import {
  assembleResponse,
  COOKIE_NONCE_BYTES,
  decodeInitiationPayload,
  encodeCookieReply,
  encodeResponsePayload,
  type InitiationPayload,
  initiationNoiseMessage,
} from "../wire/handshake-packet.ts";
import type { TransportParameters } from "../wire/transport-parameters.ts";
import type { Connection } from "./connection.ts";
import { InitiationLimiter } from "./initiation-limiter.ts";

/** Whether and with which key a peer may connect; undefined is silence. */
export type Admit = (request: {
  /** Ed25519 public key of who knocks. */
  readonly identity: Uint8Array;
  readonly instance: Uint8Array;
  readonly secretTag: Uint8Array;
  readonly route: Route;
}) => { readonly psk: Uint8Array } | undefined;

/** An initiation that was admitted, before it is answered. */
export interface Admitted {
  readonly noise: NoiseResponder;
  readonly payload: InitiationPayload;
  readonly psk: Uint8Array;
  readonly remoteSession: number;
  readonly remoteDhPublicKey: Uint8Array;
}

/** What an admitted initiation is answered with, but for our number. */
export interface Answer {
  readonly message: Uint8Array;
  readonly remoteSession: number;
  readonly mac1Key: Uint8Array;
}

export interface HalfOpen {
  readonly answer: Answer;
  readonly connection: Connection;
  readonly untilMs: number;
}

export class HandshakeResponder {
  private readonly identity: Identity;
  private readonly random: Random;
  private readonly admit: Admit;
  private readonly mac1Key: Uint8Array;
  private readonly cookies: CookieJar;
  /** By the initiation's session and ephemeral key. */
  private readonly halfOpen = new Map<string, HalfOpen>();
  private secondStartMs = 0;
  private initiationsInSecond = 0;
  /** Made when there is load for the first time. */
  private limiter: InitiationLimiter | undefined;
  /** Initiations that met silence, by reason; for the log and the tests. */
  readonly refused = { mac1: 0, unreadable: 0, notAdmitted: 0, cookieAsked: 0, tooMany: 0 };

  constructor(identity: Identity, random: Random, admit: Admit) {
    this.identity = identity;
    this.random = random;
    this.admit = admit;
    this.mac1Key = mac1KeyOf(identity.dhPublicKey);
    this.cookies = new CookieJar(random);
  }

  /** Whether mac1 says that the packet is for us; also used for responses and cookie replies' counterparts. */
  isForUs(packet: Uint8Array): boolean {
    const right = checkMac1(this.mac1Key, packet, 0, packet.length);
    if (!right) this.refused.mac1++;
    return right;
  }

  /** Names an initiation by its sender's session and ephemeral key. */
  keyOf(packet: Uint8Array): string {
    return String.fromCharCode(...packet.subarray(4, 40));
  }

  /** @returns the answer that this very initiation was given before, and the connection that it began. */
  earlierResponse(nowMs: number, packet: Uint8Array): HalfOpen | undefined {
    const key = this.keyOf(packet);
    const known = this.halfOpen.get(key);
    if (known === undefined || nowMs >= known.untilMs) return undefined;
    if (known.connection.state === "handshaking") {
      // Its sender still waits for the answer: both are remembered for as long again.
      this.halfOpen.delete(key);
      this.halfOpen.set(key, { ...known, untilMs: nowMs + HALF_OPEN_LIFE_MS });
    }
    return known;
  }

  /** @returns a cookie reply when we are under load and the initiation shows no cookie, "silence" when its source asks too often. */
  askForCookie(nowMs: number, route: Route, packet: Uint8Array): Uint8Array | "silence" | undefined {
    if (nowMs - this.secondStartMs >= 1000) {
      this.secondStartMs = nowMs;
      this.initiationsInSecond = 0;
    }
    if (++this.initiationsInSecond <= INITIATIONS_PER_SECOND_MAX) return undefined;
    const cookie = this.cookies.cookieFor(nowMs, route.key);
    if (checkMac2(cookie, packet, 0, packet.length)) {
      this.limiter ??= new InitiationLimiter(this.random);
      if (this.limiter.take(nowMs, route)) return undefined;
      this.refused.tooMany++;
      return "silence";
    }
    this.refused.cookieAsked++;
    const nonce = randomBytes(this.random, COOKIE_NONCE_BYTES);
    const box = sealCookie(this.identity.dhPublicKey, mac1Of(packet, packet.length), nonce, cookie);
    return encodeCookieReply(readSession(packet, 0), nonce, box);
  }

  /** Reads an initiation and asks whether its sender may connect. @returns undefined for silence. */
  read(route: Route, packet: Uint8Array): Admitted | undefined {
    const noise = new NoiseResponder(this.identity, this.random);
    const read = noise.readInitiation(initiationNoiseMessage(packet));
    const payload = read && decodeInitiationPayload(read.payload);
    if (read === undefined || payload === undefined) {
      this.refused.unreadable++;
      return undefined;
    }
    // The handshake proves the X25519 key; the identity in the payload has to be the same person.
    const claimed = dhPublicKeyOf(payload.identity);
    if (claimed === undefined || !equalBytes(claimed, read.remoteDhPublicKey)) {
      this.refused.unreadable++;
      return undefined;
    }
    const { identity, instance, secretTag } = payload;
    const admission = this.admit({ identity, instance, secretTag, route });
    if (admission === undefined) {
      this.refused.notAdmitted++;
      return undefined;
    }
    return { noise, payload, psk: admission.psk, remoteSession: readSession(packet, 0), remoteDhPublicKey: claimed };
  }

  /** Answers. @returns the answer and the keys of the connection to be. */
  respond(
    admitted: Admitted,
    instance: Uint8Array,
    parameters: TransportParameters,
  ): { answer: Answer; keys: SessionKeys } {
    const message = admitted.noise.writeResponse(admitted.psk, encodeResponsePayload({ instance, parameters }));
    const mac1Key = mac1KeyOf(admitted.remoteDhPublicKey);
    return { answer: { message, remoteSession: admitted.remoteSession, mac1Key }, keys: admitted.noise.sessionKeys() };
  }

  /** @param session our number, by which whoever receives this will address us. @returns the whole response. */
  responseFrom({ message, remoteSession, mac1Key }: Answer, session: number): Uint8Array {
    const response = assembleResponse(session, remoteSession, message);
    writeMac1(mac1Key, response, 0, response.length);
    return response;
  }

  /** Remembers an answer. @returns half-open connections that have to make room. */
  remember(nowMs: number, packet: Uint8Array, answer: Answer, connection: Connection): Connection[] {
    this.halfOpen.set(this.keyOf(packet), { answer, connection, untilMs: nowMs + HALF_OPEN_LIFE_MS });
    const evicted = this.expire(nowMs);
    while (this.halfOpen.size > HALF_OPEN_MAX) {
      const [key, oldest] = this.halfOpen.entries().next().value as [string, HalfOpen];
      this.halfOpen.delete(key);
      evicted.push(oldest.connection);
    }
    return evicted;
  }

  /** @returns connections whose time to be confirmed is over. */
  private expire(nowMs: number): Connection[] {
    const expired: Connection[] = [];
    for (const [key, entry] of this.halfOpen) {
      if (nowMs < entry.untilMs) break;
      this.halfOpen.delete(key);
      expired.push(entry.connection);
    }
    return expired;
  }
}
