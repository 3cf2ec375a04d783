// The outermost layer of the wire: what kind a packet is, where it ends, and the headers in clear of data packets
// and of relayed ones. Kernels join received datagrams (GRO), so a datagram is walked packet by packet with
// `packetLength`. These functions run for every packet: they read by position, allocate nothing and throw nothing.

import { DATA_HEADER_BYTES, RELAY_HEADER_BYTES, TAG_BYTES } from "../base/limits.ts";

/** First byte of each packet of ours; STUN has 0 … 3 (RFC 7983). */
export const packetKind = {
  initiation: 0xc1,
  response: 0xc2,
  cookieReply: 0xc3,
  data: 0xc4,
  relayed: 0xc5,
  identityRequest: 0xc6,
  identityReply: 0xc7,
} as const;

/** An initiation: header 8, ephemeral 32, sealed static 48, sealed payload 128 + 16, two MACs. */
export const INITIATION_BYTES_MIN = 264;
/** A response: header 12, ephemeral 32, sealed payload 64 + 16, two MACs. */
export const RESPONSE_BYTES_MIN = 156;
/** A cookie reply has one size. */
export const COOKIE_REPLY_BYTES = 64;
/** A data packet with nothing in it. */
export const DATA_BYTES_MIN = DATA_HEADER_BYTES + TAG_BYTES;
/** Identity request and reply have one size, so that no answer is longer than its question. */
export const IDENTITY_EXCHANGE_BYTES = 44;

const STUN_HEADER_BYTES = 20;

function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Whether the packet at `offset` is STUN: leading bits zero and the magic cookie in its place (RFC 8489 §5). */
export function isStun(bytes: Uint8Array, offset: number): boolean {
  return (
    (bytes[offset] as number) < 4 &&
    bytes[offset + 4] === 0x21 &&
    bytes[offset + 5] === 0x12 &&
    bytes[offset + 6] === 0xa4 &&
    bytes[offset + 7] === 0x42
  );
}

/** Length of a packet c1 to c4 by its length field; 0 where that is impossible. */
function endToEndLength(bytes: Uint8Array, offset: number, end: number): number {
  if (end - offset < 4) return 0;
  const length = uint16At(bytes, offset + 2);
  if (length > end - offset) return 0;
  switch (bytes[offset]) {
    case packetKind.data:
      return length >= DATA_BYTES_MIN ? length : 0;
    case packetKind.initiation:
      return length >= INITIATION_BYTES_MIN ? length : 0;
    case packetKind.response:
      return length >= RESPONSE_BYTES_MIN ? length : 0;
    case packetKind.cookieReply:
      return length === COOKIE_REPLY_BYTES ? length : 0;
    default:
      return 0;
  }
}

/**
 * How long the packet at `offset` is, in bytes, the outer header of a relayed one included.
 * @param end where the datagram ends, exclusive.
 * @returns 0 where the packet is malformed, of an unknown kind, or reaches past `end`: drop it and all behind it.
 */
export function packetLength(bytes: Uint8Array, offset: number, end: number): number {
  if (offset >= end) return 0;
  const kind = bytes[offset] as number;
  if (kind === packetKind.relayed) {
    const inner = endToEndLength(bytes, offset + RELAY_HEADER_BYTES, end);
    return inner === 0 ? 0 : inner + RELAY_HEADER_BYTES;
  }
  if (kind === packetKind.identityRequest || kind === packetKind.identityReply) {
    if (end - offset < IDENTITY_EXCHANGE_BYTES) return 0;
    return uint16At(bytes, offset + 2) === IDENTITY_EXCHANGE_BYTES ? IDENTITY_EXCHANGE_BYTES : 0;
  }
  if (kind < 4) {
    if (end - offset < STUN_HEADER_BYTES || !isStun(bytes, offset)) return 0;
    const length = STUN_HEADER_BYTES + uint16At(bytes, offset + 2);
    return length <= end - offset ? length : 0;
  }
  return endToEndLength(bytes, offset, end);
}

/**
 * Writes the 16 bytes in clear of a data packet.
 * @param keyPhase 0 or 1.
 * @param lengthBytes of the whole packet, header and tag included.
 * @param session the receiver's session number.
 * @param path the sender's number of the path; 0 for the probing space.
 * @param packetNumber below 2^48.
 */
export function writeDataHeader(
  bytes: Uint8Array,
  at: number,
  keyPhase: number,
  lengthBytes: number,
  session: number,
  path: number,
  packetNumber: number,
): void {
  bytes[at] = packetKind.data;
  bytes[at + 1] = keyPhase;
  bytes[at + 2] = lengthBytes >>> 8;
  bytes[at + 3] = lengthBytes;
  writeUint32(bytes, at + 4, session);
  bytes[at + 8] = path >>> 8;
  bytes[at + 9] = path;
  const high = Math.floor(packetNumber / 0x1_0000_0000);
  bytes[at + 10] = high >>> 8;
  bytes[at + 11] = high;
  writeUint32(bytes, at + 12, packetNumber % 0x1_0000_0000);
}

/**
 * The first session number of the packet at `at`: the receiver's in data packets and cookie replies,
 * the sender's in an initiation and a response.
 */
export function readSession(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at + 4);
}

/** The path of the data packet at `at`. */
export function readPath(bytes: Uint8Array, at: number): number {
  return uint16At(bytes, at + 8);
}

/** The packet number of the data packet at `at`. */
export function readPacketNumber(bytes: Uint8Array, at: number): number {
  return uint16At(bytes, at + 10) * 0x1_0000_0000 + uint32At(bytes, at + 12);
}

/** The key phase of the data packet at `at`: 0 or 1. */
export function readKeyPhase(bytes: Uint8Array, at: number): number {
  return (bytes[at + 1] as number) & 1;
}

/** Writes the relay's outer header. @param channel 8 bytes. */
export function writeRelayHeader(bytes: Uint8Array, at: number, channel: Uint8Array): void {
  bytes[at] = packetKind.relayed;
  bytes[at + 1] = 0;
  bytes[at + 2] = 0;
  bytes[at + 3] = 0;
  bytes.set(channel, at + 4);
}

/** @param channel 8 bytes. @returns the 12 bytes of the outer header: the prefix of a relayed route. */
export function relayPrefix(channel: Uint8Array): Uint8Array {
  const prefix = new Uint8Array(RELAY_HEADER_BYTES);
  writeRelayHeader(prefix, 0, channel);
  return prefix;
}

/** The upper 32 bits of the channel of the relayed packet at `at`; two numbers, since a BigInt would be allocated. */
export function relayChannelHigh(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at + 4);
}

/** The lower 32 bits of the channel of the relayed packet at `at`. */
export function relayChannelLow(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at + 8);
}

/** Puts another channel into the relayed packet at `at`, in place: what the relay does with each. */
export function writeRelayChannel(bytes: Uint8Array, at: number, high: number, low: number): void {
  writeUint32(bytes, at + 4, high);
  writeUint32(bytes, at + 8, low);
}
