// The packets of the handshake and what is inside them: where each field lies, the payloads that Noise seals, the
// assembly of whole packets. Noise itself and the MACs are in `src/crypto`; here are bytes and offsets only.
// The framing is WireGuard's (whitepaper §5.4): session numbers in front, mac1 and mac2 behind.

import { assert } from "../base/assert.ts";
import { ByteReader } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { COOKIE_REPLY_BYTES, INITIATION_BYTES_MIN, packetKind, RESPONSE_BYTES_MIN } from "./datagram.ts";
import {
  decodeTransportParameters,
  type TransportParameters,
  writeTransportParameters,
} from "./transport-parameters.ts";

/** Version of the protocol, the first byte of both payloads. */
const PROTOCOL_VERSION = 1;
/** Where the Noise message of an initiation begins. */
const INITIATION_NOISE_OFFSET = 8;
/** Where the Noise message of a response begins. */
const RESPONSE_NOISE_OFFSET = 12;
/** Length of mac1, and of mac2 behind it. */
export const MAC_BYTES = 16;
/** The payload of an initiation is padded to this, so that its length tells nothing and a response is never longer. */
export const INITIATION_PAYLOAD_BYTES = 128;
/** The payload of a response is padded to this, which leaves it 4 bytes shorter than an initiation. */
export const RESPONSE_PAYLOAD_BYTES = 168;
/** The nonce of a cookie reply (XSalsa20). */
export const COOKIE_NONCE_BYTES = 24;
/** The sealed cookie of a cookie reply. */
export const COOKIE_BOX_BYTES = 32;

const IDENTITY_BYTES = 32;
const INSTANCE_BYTES = 8;
const SECRET_TAG_BYTES = 16;
const INITIATION_FIXED_BYTES = 1 + IDENTITY_BYTES + INSTANCE_BYTES + SECRET_TAG_BYTES;
const RESPONSE_FIXED_BYTES = 1 + INSTANCE_BYTES;

/** What an initiation tells its addressee alone. */
export interface InitiationPayload {
  /** The sender's Ed25519 public key, 32 bytes. */
  readonly identity: Uint8Array;
  /** The sender's instance id, 8 bytes. */
  readonly instance: Uint8Array;
  /** Names the secret that the handshake is keyed with; 16 zeros for none. */
  readonly secretTag: Uint8Array;
  readonly parameters: TransportParameters;
}

/** What a response tells. */
export interface ResponsePayload {
  /** The sender's instance id, 8 bytes. */
  readonly instance: Uint8Array;
  readonly parameters: TransportParameters;
}

/** @returns 128 bytes, ready to be sealed. */
export function encodeInitiationPayload(payload: InitiationPayload): Uint8Array {
  assert(payload.identity.length === IDENTITY_BYTES, "an identity has 32 bytes");
  assert(payload.instance.length === INSTANCE_BYTES, "an instance id has 8 bytes");
  assert(payload.secretTag.length === SECRET_TAG_BYTES, "a secret tag has 16 bytes");
  const bytes = new Uint8Array(INITIATION_PAYLOAD_BYTES);
  const writer = new ByteWriter(bytes);
  writer.uint8(PROTOCOL_VERSION);
  writer.copy(payload.identity);
  writer.copy(payload.instance);
  writer.copy(payload.secretTag);
  writeTransportParameters(writer, payload.parameters);
  return bytes;
}

/** @returns undefined where the payload is malformed or of another version; the fields are copies. */
export function decodeInitiationPayload(bytes: Uint8Array): InitiationPayload | undefined {
  if (bytes.length < INITIATION_FIXED_BYTES || bytes[0] !== PROTOCOL_VERSION) return undefined;
  const reader = new ByteReader(bytes, 1);
  const identity = reader.copy(IDENTITY_BYTES);
  const instance = reader.copy(INSTANCE_BYTES);
  const secretTag = reader.copy(SECRET_TAG_BYTES);
  const parameters = decodeTransportParameters(bytes.subarray(reader.offset));
  return parameters && { identity, instance, secretTag, parameters };
}

/** @returns 168 bytes, ready to be sealed. */
export function encodeResponsePayload(payload: ResponsePayload): Uint8Array {
  assert(payload.instance.length === INSTANCE_BYTES, "an instance id has 8 bytes");
  const bytes = new Uint8Array(RESPONSE_PAYLOAD_BYTES);
  const writer = new ByteWriter(bytes);
  writer.uint8(PROTOCOL_VERSION);
  writer.copy(payload.instance);
  writeTransportParameters(writer, payload.parameters);
  return bytes;
}

/** @returns undefined where the payload is malformed or of another version; the fields are copies. */
export function decodeResponsePayload(bytes: Uint8Array): ResponsePayload | undefined {
  if (bytes.length < RESPONSE_FIXED_BYTES || bytes[0] !== PROTOCOL_VERSION) return undefined;
  const instance = new Uint8Array(bytes.subarray(1, RESPONSE_FIXED_BYTES));
  const parameters = decodeTransportParameters(bytes.subarray(RESPONSE_FIXED_BYTES));
  return parameters && { instance, parameters };
}

/**
 * @param senderSession the number by which the sender wants to be addressed; not 0.
 * @param noiseMessage ephemeral key, sealed static key, sealed payload.
 * @returns the whole initiation with both MACs zero, to be filled in from the front.
 */
export function assembleInitiation(senderSession: number, noiseMessage: Uint8Array): Uint8Array {
  const packet = new Uint8Array(INITIATION_NOISE_OFFSET + noiseMessage.length + 2 * MAC_BYTES);
  assert(packet.length >= INITIATION_BYTES_MIN, "the Noise message of an initiation is too short");
  const writer = new ByteWriter(packet);
  writer.uint8(packetKind.initiation);
  writer.uint8(0);
  writer.uint16(packet.length);
  writer.uint32(senderSession);
  writer.copy(noiseMessage);
  return packet;
}

/**
 * @param receiverSession the session number that the initiation brought.
 * @param noiseMessage ephemeral key, sealed payload.
 * @returns the whole response with both MACs zero, to be filled in from the front.
 */
export function assembleResponse(senderSession: number, receiverSession: number, noiseMessage: Uint8Array): Uint8Array {
  const packet = new Uint8Array(RESPONSE_NOISE_OFFSET + noiseMessage.length + 2 * MAC_BYTES);
  assert(packet.length >= RESPONSE_BYTES_MIN, "the Noise message of a response is too short");
  const writer = new ByteWriter(packet);
  writer.uint8(packetKind.response);
  writer.uint8(0);
  writer.uint16(packet.length);
  writer.uint32(senderSession);
  writer.uint32(receiverSession);
  writer.copy(noiseMessage);
  return packet;
}

/** The Noise message inside an initiation. @param packet exactly one packet, whose length packetLength has checked. */
export function initiationNoiseMessage(packet: Uint8Array): Uint8Array {
  return packet.subarray(INITIATION_NOISE_OFFSET, mac1Offset(packet));
}

/** The Noise message inside a response. @param packet exactly one packet, whose length packetLength has checked. */
export function responseNoiseMessage(packet: Uint8Array): Uint8Array {
  return packet.subarray(RESPONSE_NOISE_OFFSET, mac1Offset(packet));
}

/** The receiver's session number in a response; its sender's is read by readSession. */
export function responseReceiverSession(packet: Uint8Array): number {
  return new ByteReader(packet, 8).uint32();
}

/** Where mac1 of an initiation or a response begins: it covers everything before. */
export function mac1Offset(packet: Uint8Array): number {
  return packet.length - 2 * MAC_BYTES;
}

/** Where mac2 begins: it covers everything before, mac1 included. */
export function mac2Offset(packet: Uint8Array): number {
  return packet.length - MAC_BYTES;
}

/** @param nonce 24 bytes. @param box 32 bytes: the sealed cookie. */
export function encodeCookieReply(receiverSession: number, nonce: Uint8Array, box: Uint8Array): Uint8Array {
  assert(nonce.length === COOKIE_NONCE_BYTES && box.length === COOKIE_BOX_BYTES, "a cookie reply has 24 + 32 bytes");
  const packet = new Uint8Array(COOKIE_REPLY_BYTES);
  const writer = new ByteWriter(packet);
  writer.uint8(packetKind.cookieReply);
  writer.uint8(0);
  writer.uint16(COOKIE_REPLY_BYTES);
  writer.uint32(receiverSession);
  writer.copy(nonce);
  writer.copy(box);
  return packet;
}

/** The nonce of a cookie reply, as a view. @param packet exactly one packet, whose length packetLength has checked. */
export function cookieReplyNonce(packet: Uint8Array): Uint8Array {
  return packet.subarray(8, 8 + COOKIE_NONCE_BYTES);
}

/** The sealed cookie of a cookie reply, as a view. */
export function cookieReplyBox(packet: Uint8Array): Uint8Array {
  return packet.subarray(8 + COOKIE_NONCE_BYTES, COOKIE_REPLY_BYTES);
}
