// The two MACs at the end of every handshake packet, after WireGuard (§5.3, §5.4.7 of its paper). mac1 shows that the
// sender knows whom it is talking to, so that a scan of the network meets silence. mac2 shows under load that the
// sender receives at the address it claims: it is keyed with a cookie that was sent there.

import { assert } from "../base/assert.ts";
import { COOKIE_LIFE_MS, KEY_BYTES, MAC_BYTES } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import { blake2s, hmacBlake2s } from "./blake2s.ts";
import { equalBytes } from "./secret.ts";
import { tweetnacl } from "./tweetnacl.ts";

/** Bytes of a sealed cookie: the cookie and Poly1305's tag. */
const COOKIE_BOX_BYTES = MAC_BYTES + 16;
/** Bytes of the nonce of a cookie reply. */
export const COOKIE_NONCE_BYTES = 24;

/** @param receiver the receiver's X25519 public key. @returns the key for writeMac1 and checkMac1; worth keeping. */
export function mac1KeyOf(receiver: Uint8Array): Uint8Array {
  return blake2s("tunnel mac1", receiver);
}

const mac1At = (end: number): number => end - 2 * MAC_BYTES;
const mac2At = (end: number): number => end - MAC_BYTES;

const macOf = (key: Uint8Array, bytes: Uint8Array, start: number, end: number): Uint8Array =>
  hmacBlake2s(key, bytes.subarray(start, end)).subarray(0, MAC_BYTES);

/** Writes mac1 into the packet that lies at start … end of `bytes` with both MACs counted. */
export function writeMac1(mac1Key: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
  bytes.set(macOf(mac1Key, bytes, start, mac1At(end)), mac1At(end));
}

/** @returns whether mac1 of the packet at start … end is right. */
export function checkMac1(mac1Key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2 * MAC_BYTES) return false;
  return equalBytes(macOf(mac1Key, bytes, start, mac1At(end)), bytes.subarray(mac1At(end), mac2At(end)));
}

/** Writes mac2, behind mac1, which it covers. */
export function writeMac2(cookie: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
  bytes.set(macOf(cookie, bytes, start, mac2At(end)), mac2At(end));
}

/** @returns whether mac2 of the packet at start … end was made with `cookie`. */
export function checkMac2(cookie: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2 * MAC_BYTES) return false;
  return equalBytes(macOf(cookie, bytes, start, mac2At(end)), bytes.subarray(mac2At(end), end));
}

/** @returns a copy of mac1 of the packet that ends at `end`: what a cookie reply is bound to. */
export function mac1Of(bytes: Uint8Array, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(mac1At(end), mac2At(end)));
}

/** The responder's cookies. Each is made from its route and a secret that changes, so none has to be kept. */
export class CookieJar {
  private readonly random: Random;
  private secret: Uint8Array | undefined;
  private secretUntilMs = Number.NEGATIVE_INFINITY;

  constructor(random: Random) {
    this.random = random;
  }

  /**
   * @param nowMs the monotonic clock.
   * @param routeKey where the initiation came from.
   * @returns the 16 bytes that mac2 has to be keyed with now. Who holds an older cookie is sent this one.
   */
  cookieFor(nowMs: number, routeKey: string): Uint8Array {
    if (this.secret === undefined || nowMs >= this.secretUntilMs) {
      this.secret = randomBytes(this.random, KEY_BYTES);
      this.secretUntilMs = nowMs + COOKIE_LIFE_MS;
    }
    return hmacBlake2s(this.secret, routeKey).slice(0, MAC_BYTES);
  }
}

const cookieBoxKey = (responder: Uint8Array, mac1: Uint8Array): Uint8Array => blake2s("tunnel cookie", responder, mac1);

/**
 * @param responder its X25519 public key.
 * @param mac1 of the initiation that is answered: only who saw it can read the reply.
 * @param nonce 24 random bytes.
 * @returns the box of a cookie reply, 32 bytes.
 */
export function sealCookie(responder: Uint8Array, mac1: Uint8Array, nonce: Uint8Array, cookie: Uint8Array): Uint8Array {
  assert(
    nonce.length === COOKIE_NONCE_BYTES && cookie.length === MAC_BYTES,
    "a cookie and its nonce have their length",
  );
  return tweetnacl().secretbox(cookie, nonce, cookieBoxKey(responder, mac1));
}

/** @param mac1 of the initiation that was sent. @returns the cookie, or undefined where the box is not authentic. */
export function openCookie(
  responder: Uint8Array,
  mac1: Uint8Array,
  nonce: Uint8Array,
  box: Uint8Array,
): Uint8Array | undefined {
  if (nonce.length !== COOKIE_NONCE_BYTES || box.length !== COOKIE_BOX_BYTES) return undefined;
  return tweetnacl().secretbox.open(box, nonce, cookieBoxKey(responder, mac1)) ?? undefined;
}
