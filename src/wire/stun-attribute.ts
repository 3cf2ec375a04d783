// The attributes of STUN messages that we read or write: their numbers, and the bytes of their values.
// RFC 8489 §14, and RFC 5780 §7 for those that discover how a NAT behaves.

import { formatIp, parseIp, type SocketAddress, socketAddress } from "../base/address.ts";
import { ByteReader } from "../base/byte-reader.ts";

/** Numbers of the attributes; below 0x8000 a receiver has to know them or refuse the message. */
export const stunAttribute = {
  mappedAddress: 0x0001,
  changeRequest: 0x0003,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  messageIntegritySha256: 0x001c,
  xorMappedAddress: 0x0020,
  padding: 0x0026,
  responsePort: 0x0027,
  software: 0x8022,
  fingerprint: 0x8028,
  responseOrigin: 0x802b,
  otherAddress: 0x802c,
} as const;

/** Number and length, before each value. */
export const STUN_ATTRIBUTE_HEADER_BYTES = 4;

/**
 * Attributes that are known and mean nothing to us: those of authentication, which a server without credentials does not
 * ask for (RFC 8489 §9), and SOURCE-ADDRESS and CHANGED-ADDRESS, which servers of RFC 3489's time still send along.
 */
export const ignoredStunAttributes: ReadonlySet<number> = new Set([
  0x0004, // SOURCE-ADDRESS
  0x0005, // CHANGED-ADDRESS
  0x0006, // USERNAME
  0x0014, // REALM
  0x0015, // NONCE
  0x001d, // PASSWORD-ALGORITHM
  0x001e, // USERHASH
]);

const FAMILY_IPV4 = 1;
const FAMILY_IPV6 = 2;

/**
 * The value of an address attribute (RFC 8489 §14.1 and §14.2).
 * @param mask the 16 bytes of magic cookie and transaction id for an XOR attribute, 16 zeros for a plain one.
 */
export function encodeStunAddress(address: SocketAddress, mask: Uint8Array): Uint8Array {
  const ip = parseIp(address.host) as Uint8Array;
  const value = new Uint8Array(4 + ip.length);
  value[1] = ip.length === 4 ? FAMILY_IPV4 : FAMILY_IPV6;
  value[2] = (address.port >>> 8) ^ (mask[0] as number);
  value[3] = address.port ^ (mask[1] as number);
  for (let i = 0; i < ip.length; i++) value[4 + i] = (ip[i] as number) ^ (mask[i] as number);
  return value;
}

/** The inverse of encodeStunAddress. @returns undefined where the value is no address, or has port 0. */
export function decodeStunAddress(value: Uint8Array, mask: Uint8Array): SocketAddress | undefined {
  const family = value[1];
  if (!((family === FAMILY_IPV4 && value.length === 8) || (family === FAMILY_IPV6 && value.length === 20))) {
    return undefined;
  }
  const port = (((value[2] as number) ^ (mask[0] as number)) << 8) | ((value[3] as number) ^ (mask[1] as number));
  // A packet may be read more than once, and is a Buffer perhaps, whose `slice` copies nothing.
  const ip = Uint8Array.from(value.subarray(4), (byte, i) => byte ^ (mask[i] as number));
  return socketAddress(formatIp(ip), port);
}

/** ERROR-CODE (RFC 8489 §14.8). */
export interface StunError {
  /** 300 to 699. */
  readonly code: number;
  readonly reason: string;
}

export function encodeStunError(error: StunError): Uint8Array {
  const reason = new TextEncoder().encode(error.reason);
  const value = new Uint8Array(4 + reason.length);
  value[2] = Math.floor(error.code / 100);
  value[3] = error.code % 100;
  value.set(reason, 4);
  return value;
}

/** @returns undefined where class or number are out of range. */
export function decodeStunError(value: Uint8Array): StunError | undefined {
  if (value.length < 4) return undefined;
  const hundreds = (value[2] as number) & 0x07;
  const number = value[3] as number;
  if (hundreds < 3 || hundreds > 6 || number > 99) return undefined;
  return { code: hundreds * 100 + number, reason: decodeStunText(value.subarray(4)) };
}

const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Text that is shown to people only: what is no UTF-8 in it becomes the replacement character. */
export function decodeStunText(value: Uint8Array): string {
  return textDecoder.decode(value);
}

/** CHANGE-REQUEST (RFC 5780 §7.2): from where the answer is to come. */
export interface StunChangeRequest {
  readonly changeAddress: boolean;
  readonly changePort: boolean;
}

const CHANGE_ADDRESS_BIT = 0x04;
const CHANGE_PORT_BIT = 0x02;

export function encodeStunChangeRequest(request: StunChangeRequest): Uint8Array {
  const flags = (request.changeAddress ? CHANGE_ADDRESS_BIT : 0) | (request.changePort ? CHANGE_PORT_BIT : 0);
  return Uint8Array.of(0, 0, 0, flags);
}

/** @returns undefined where the value has the wrong length. */
export function decodeStunChangeRequest(value: Uint8Array): StunChangeRequest | undefined {
  if (value.length !== 4) return undefined;
  const flags = value[3] as number;
  return { changeAddress: (flags & CHANGE_ADDRESS_BIT) !== 0, changePort: (flags & CHANGE_PORT_BIT) !== 0 };
}

/** RESPONSE-PORT (RFC 5780 §7.5): the port and two bytes of nothing. */
export function encodeStunPort(port: number): Uint8Array {
  return Uint8Array.of(port >>> 8, port, 0, 0);
}

/** Implementations differ on whether the two bytes of nothing count. @returns undefined for another length or port 0. */
export function decodeStunPort(value: Uint8Array): number | undefined {
  if (value.length !== 2 && value.length !== 4) return undefined;
  const port = new ByteReader(value).uint16();
  return port === 0 ? undefined : port;
}

/** UNKNOWN-ATTRIBUTES (RFC 8489 §14.9): the numbers, two bytes each. */
export function encodeStunNumbers(numbers: readonly number[]): Uint8Array {
  return Uint8Array.from(numbers.flatMap((number) => [number >>> 8, number & 0xff]));
}

/** @returns undefined where the value has an odd length. */
export function decodeStunNumbers(value: Uint8Array): number[] | undefined {
  if (value.length % 2 !== 0) return undefined;
  const reader = new ByteReader(value);
  return Array.from({ length: value.length / 2 }, () => reader.uint16());
}
