// The question for the key of a rendezvous that is known by its address only, and the answer. Neither is authenticated:
// the answer is believed on first use and pinned, and the handshake that follows proves that the key is held.
// Both have one length, so that an answer never multiplies what a forged question cost.

import { assert } from "../base/assert.ts";
import { IDENTITY_EXCHANGE_BYTES, packetKind } from "./datagram.ts";

/** Bytes of the nonce, by which an answer is told from a forgery of somebody off the path. */
export const IDENTITY_NONCE_BYTES = 8;

/** What a rendezvous says of itself. */
export interface IdentityReply {
  /** The nonce of the request, 8 bytes. */
  readonly nonce: Uint8Array;
  /** Its Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
}

const NONCE_OFFSET = 4;
const KEY_OFFSET = NONCE_OFFSET + IDENTITY_NONCE_BYTES;

function exchange(kind: number, nonce: Uint8Array): Uint8Array {
  assert(nonce.length === IDENTITY_NONCE_BYTES, "the nonce of an identity request has 8 bytes");
  const packet = new Uint8Array(IDENTITY_EXCHANGE_BYTES);
  packet[0] = kind;
  packet[3] = IDENTITY_EXCHANGE_BYTES;
  packet.set(nonce, NONCE_OFFSET);
  return packet;
}

function isExchange(kind: number, packet: Uint8Array): boolean {
  return (
    packet.length === IDENTITY_EXCHANGE_BYTES &&
    packet[0] === kind &&
    packet[2] === 0 &&
    packet[3] === IDENTITY_EXCHANGE_BYTES
  );
}

/** @param nonce 8 random bytes. */
export function encodeIdentityRequest(nonce: Uint8Array): Uint8Array {
  return exchange(packetKind.identityRequest, nonce);
}

/** Of a Buffer, too, whose `slice` copies nothing. */
const copyOf = (packet: Uint8Array, start: number, end: number): Uint8Array =>
  new Uint8Array(packet.subarray(start, end));

/** @param packet exactly one packet. @returns a copy of the nonce, or undefined where it is no request. */
export function decodeIdentityRequest(packet: Uint8Array): Uint8Array | undefined {
  return isExchange(packetKind.identityRequest, packet) ? copyOf(packet, NONCE_OFFSET, KEY_OFFSET) : undefined;
}

export function encodeIdentityReply(reply: IdentityReply): Uint8Array {
  const packet = exchange(packetKind.identityReply, reply.nonce);
  assert(reply.publicKey.length === packet.length - KEY_OFFSET, "a public key has 32 bytes");
  packet.set(reply.publicKey, KEY_OFFSET);
  return packet;
}

/** @param packet exactly one packet. @returns copies of its fields, or undefined where it is no reply. */
export function decodeIdentityReply(packet: Uint8Array): IdentityReply | undefined {
  if (!isExchange(packetKind.identityReply, packet)) return undefined;
  return { nonce: copyOf(packet, NONCE_OFFSET, KEY_OFFSET), publicKey: copyOf(packet, KEY_OFFSET, packet.length) };
}
