// STUN binding messages (RFC 8489) with the attributes of NAT behaviour discovery (RFC 5780). The rendezvous answers
// them on its one UDP port, and an agent asks any public server with them. Authentication is not done: a binding
// answer is a hint that a later challenge has to prove.

import type { SocketAddress } from "../base/address.ts";
import { assert } from "../base/assert.ts";
import { ByteReader } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { STUN_UNKNOWN_ATTRIBUTES_MAX } from "../base/limits.ts";
import { crc32 } from "./crc32.ts";
import { isStun } from "./datagram.ts";
import {
  decodeStunAddress,
  decodeStunChangeRequest,
  decodeStunError,
  decodeStunNumbers,
  decodeStunPort,
  decodeStunText,
  encodeStunAddress,
  encodeStunChangeRequest,
  encodeStunError,
  encodeStunNumbers,
  encodeStunPort,
  ignoredStunAttributes,
  type StunChangeRequest,
  type StunError,
  stunAttribute,
} from "./stun-attribute.ts";

/** Bytes of a transaction id. */
export const STUN_TRANSACTION_BYTES = 12;
/** What stands before the attributes. */
export const STUN_HEADER_BYTES = 20;

const MAGIC_COOKIE = 0x2112_a442;
const FINGERPRINT_BYTES = 8;
/** What the checksum is XORed with, so that it differs from one that another protocol left there (RFC 8489 §14.7). */
const FINGERPRINT_MASK = 0x5354_554e;
/** What a plain address attribute is XORed with. */
const NO_MASK = new Uint8Array(16);

const classes = ["request", "indication", "success", "error"] as const;
export type StunClass = (typeof classes)[number];
/** The method Binding with each class (RFC 8489 §5). */
const messageTypes: readonly number[] = [0x0001, 0x0011, 0x0101, 0x0111];

/** A binding message. An attribute that is undefined is not there. */
export interface StunMessage {
  readonly class: StunClass;
  /** 12 bytes. */
  readonly transactionId: Uint8Array;
  readonly mappedAddress?: SocketAddress | undefined;
  readonly xorMappedAddress?: SocketAddress | undefined;
  readonly errorCode?: StunError | undefined;
  /** What the sender of a 420 did not understand. */
  readonly unknownAttributes?: readonly number[] | undefined;
  readonly software?: string | undefined;
  readonly changeRequest?: StunChangeRequest | undefined;
  /** PADDING: how many bytes of it. */
  readonly paddingBytes?: number | undefined;
  readonly responsePort?: number | undefined;
  readonly responseOrigin?: SocketAddress | undefined;
  readonly otherAddress?: SocketAddress | undefined;
  /** Whether a FINGERPRINT is there; a wrong one is never let through. */
  readonly fingerprint: boolean;
}

/** A message as it came. */
export interface ReceivedStunMessage extends StunMessage {
  /**
   * Attributes in it that have to be understood and are not: a request with any is answered by a 420 that lists them, an
   * answer with any is dropped (RFC 8489 §6.3).
   */
  readonly unknownRequired: readonly number[];
}

/**
 * @param message its fields, of which `fingerprint` says whether a FINGERPRINT is appended.
 * @returns the whole message.
 */
export function encodeStun(message: StunMessage): Uint8Array {
  assert(message.transactionId.length === STUN_TRANSACTION_BYTES, "a STUN transaction id has 12 bytes");
  const attributes = encodeAttributes(message);
  let lengthBytes = STUN_HEADER_BYTES + (message.fingerprint ? FINGERPRINT_BYTES : 0);
  for (const [, value] of attributes) lengthBytes += 4 + paddedBytes(value.length);
  const writer = new ByteWriter(new Uint8Array(lengthBytes));
  writer.uint16(messageTypes[classes.indexOf(message.class)] as number);
  writer.uint16(lengthBytes - STUN_HEADER_BYTES);
  writer.uint32(MAGIC_COOKIE);
  writer.copy(message.transactionId);
  for (const [number, value] of attributes) {
    writer.uint16(number);
    writer.uint16(value.length);
    writer.copy(value);
    writer.offset += paddedBytes(value.length) - value.length;
  }
  if (message.fingerprint) {
    const checksum = fingerprintOf(writer.written());
    writer.uint16(stunAttribute.fingerprint);
    writer.uint16(4);
    writer.uint32(checksum);
  }
  return writer.bytes;
}

/** Attributes start at multiples of four bytes. */
function paddedBytes(lengthBytes: number): number {
  return (lengthBytes + 3) & ~3;
}

/** @param covered the message up to its FINGERPRINT, which the length in its header already includes. */
function fingerprintOf(covered: Uint8Array): number {
  return (crc32(covered) ^ FINGERPRINT_MASK) >>> 0;
}

function encodeAttributes(message: StunMessage): [number: number, value: Uint8Array][] {
  const attributes: [number, Uint8Array][] = [];
  const add = <Field>(number: number, field: Field | undefined, encode: (field: Field) => Uint8Array): void => {
    if (field !== undefined) attributes.push([number, encode(field)]);
  };
  const plain = (address: SocketAddress) => encodeStunAddress(address, NO_MASK);
  const mask = new ByteWriter(new Uint8Array(16));
  mask.uint32(MAGIC_COOKIE);
  mask.copy(message.transactionId);
  add(stunAttribute.xorMappedAddress, message.xorMappedAddress, (address) => encodeStunAddress(address, mask.bytes));
  add(stunAttribute.mappedAddress, message.mappedAddress, plain);
  add(stunAttribute.errorCode, message.errorCode, encodeStunError);
  add(stunAttribute.unknownAttributes, message.unknownAttributes, encodeStunNumbers);
  add(stunAttribute.changeRequest, message.changeRequest, encodeStunChangeRequest);
  add(stunAttribute.responsePort, message.responsePort, encodeStunPort);
  add(stunAttribute.responseOrigin, message.responseOrigin, plain);
  add(stunAttribute.otherAddress, message.otherAddress, plain);
  add(stunAttribute.software, message.software, (text) => new TextEncoder().encode(text));
  add(stunAttribute.padding, message.paddingBytes, (lengthBytes) => new Uint8Array(lengthBytes));
  return attributes;
}

/**
 * @param bytes exactly one message.
 * @returns undefined where it is no binding message, an attribute of ours is malformed, or its FINGERPRINT is wrong.
 */
export function decodeStun(bytes: Uint8Array): ReceivedStunMessage | undefined {
  if (bytes.length < STUN_HEADER_BYTES || bytes.length % 4 !== 0 || !isStun(bytes, 0)) return undefined;
  const reader = new ByteReader(bytes);
  const messageClass = classes[messageTypes.indexOf(reader.uint16())];
  if (messageClass === undefined || reader.uint16() !== bytes.length - STUN_HEADER_BYTES) return undefined;
  const mask = reader.copy(16);
  const received: Received = {
    class: messageClass,
    transactionId: mask.subarray(4),
    fingerprint: false,
    unknownRequired: [],
  };
  const seen = new Set<number>();
  let pastIntegrity = false;
  while (reader.remainingBytes > 0) {
    if (received.fingerprint) return undefined;
    const at = reader.offset;
    const number = reader.uint16();
    const lengthBytes = reader.uint16();
    if (paddedBytes(lengthBytes) > reader.remainingBytes) return undefined;
    const value = reader.view(lengthBytes);
    reader.skip(paddedBytes(lengthBytes) - lengthBytes);
    if (number === stunAttribute.fingerprint) {
      if (lengthBytes !== 4 || new ByteReader(value).uint32() !== fingerprintOf(bytes.subarray(0, at)))
        return undefined;
      received.fingerprint = true;
      continue;
    }
    // Of several attributes of one kind the first counts, and behind an integrity check none (RFC 8489 §14 and §14.5).
    if (seen.has(number) || pastIntegrity) continue;
    seen.add(number);
    if (number === stunAttribute.messageIntegrity || number === stunAttribute.messageIntegritySha256) {
      pastIntegrity = true;
    } else if (!readAttribute(received, number, value, mask)) {
      return undefined;
    }
  }
  return received;
}

type Received = { -readonly [Key in keyof ReceivedStunMessage]: ReceivedStunMessage[Key] } & {
  unknownRequired: number[];
};

/** Puts an attribute into the message. @returns false where its value is malformed. */
function readAttribute(message: Received, number: number, value: Uint8Array, mask: Uint8Array): boolean {
  switch (number) {
    case stunAttribute.xorMappedAddress:
      message.xorMappedAddress = decodeStunAddress(value, mask);
      return message.xorMappedAddress !== undefined;
    case stunAttribute.mappedAddress:
      message.mappedAddress = decodeStunAddress(value, NO_MASK);
      return message.mappedAddress !== undefined;
    case stunAttribute.errorCode:
      message.errorCode = decodeStunError(value);
      return message.errorCode !== undefined;
    case stunAttribute.unknownAttributes:
      message.unknownAttributes = decodeStunNumbers(value);
      return message.unknownAttributes !== undefined;
    case stunAttribute.changeRequest:
      message.changeRequest = decodeStunChangeRequest(value);
      return message.changeRequest !== undefined;
    case stunAttribute.responsePort:
      message.responsePort = decodeStunPort(value);
      return message.responsePort !== undefined;
    case stunAttribute.responseOrigin:
      message.responseOrigin = decodeStunAddress(value, NO_MASK);
      return message.responseOrigin !== undefined;
    case stunAttribute.otherAddress:
      message.otherAddress = decodeStunAddress(value, NO_MASK);
      return message.otherAddress !== undefined;
    case stunAttribute.software:
      message.software = decodeStunText(value);
      return true;
    case stunAttribute.padding:
      message.paddingBytes = value.length;
      return true;
    default:
      if (number < 0x8000 && !ignoredStunAttributes.has(number)) {
        if (message.unknownRequired.length < STUN_UNKNOWN_ATTRIBUTES_MAX) message.unknownRequired.push(number);
      }
      return true;
  }
}
