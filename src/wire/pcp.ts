// The Port Control Protocol (RFC 6887): how a host asks its router, or its carrier, for a port of the address outside. Two of its
// opcodes are needed: MAP, and ANNOUNCE, by which either side finds out whether the other still knows of what was agreed.
//
//   request   version(1) = 2, opcode(1), zeros(2), lifetime(4), the host's own address(16)
//   response  version(1) = 2, 0x80 | opcode(1), zero(1), result(1), lifetime(4), epoch(4), zeros(12)
//   of MAP, behind either: nonce(12), protocol(1), zeros(3), internal port(2), external port(2), external address(16)

import { formatIp, parseIp } from "../base/address.ts";
import { assert } from "../base/assert.ts";
import { ByteReader } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";
import { PCP_MESSAGE_BYTES_MAX } from "../base/limits.ts";

/** Version of the protocol; NAT-PMP is version 0 of it. */
const PCP_VERSION = 2;
/** Bytes of the nonce by which a mapping is known to be the host's. */
export const PCP_NONCE_BYTES = 12;

/** RFC 6887 §19.2. */
export const pcpOpcode = { announce: 0, map: 1 } as const;

/** RFC 6887 §7.4. */
export const pcpResult = {
  success: 0,
  unsupportedVersion: 1,
  notAuthorized: 2,
  malformedRequest: 3,
  unsupportedOpcode: 4,
  unsupportedOption: 5,
  malformedOption: 6,
  networkFailure: 7,
  noResources: 8,
  unsupportedProtocol: 9,
  quotaExceeded: 10,
  cannotProvideExternal: 11,
  addressMismatch: 12,
  excessiveRemotePeers: 13,
} as const;

const HEADER_BYTES = 24;
const MAP_BYTES = 36;
const RESPONSE_BIT = 0x80;
const PROTOCOL_UDP = 17;

/** What MAP is about: a UDP port. */
export interface PcpMapping {
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  readonly internalPort: number;
  /** 0 where none is suggested, or none was given. */
  readonly externalPort: number;
  /** An IP address, "0.0.0.0" or "::" where none is suggested, or none was given. */
  readonly externalHost: string;
}

export interface PcpResponse {
  readonly opcode: number;
  readonly result: number;
  /** Of the mapping, or of the error. */
  readonly lifetimeSeconds: number;
  /** For how long the server has known what it knows. */
  readonly epochSeconds: number;
  /** In a response to MAP for UDP. */
  readonly mapping: PcpMapping | undefined;
}

/** IPv4 addresses stand as IPv4-mapped ones (RFC 6887 §5). */
function writeIp(writer: ByteWriter, host: string): void {
  const ip = parseIp(host);
  assert(ip !== undefined, `${host} is no IP address`);
  if (ip.length === 4) {
    writer.copy(new Uint8Array(10));
    writer.uint16(0xffff);
  }
  writer.copy(ip);
}

function requestWriter(lengthBytes: number, opcode: number, lifetimeSeconds: number, client: string): ByteWriter {
  const writer = new ByteWriter(new Uint8Array(lengthBytes));
  writer.uint8(PCP_VERSION);
  writer.uint8(opcode);
  writer.uint16(0);
  writer.uint32(lifetimeSeconds);
  writeIp(writer, client);
  return writer;
}

/**
 * @param client the IP address that the request is sent from.
 * @param lifetimeSeconds 0 gives the mapping back.
 */
export function encodePcpMap(client: string, mapping: PcpMapping, lifetimeSeconds: number): Uint8Array {
  assert(mapping.nonce.length === PCP_NONCE_BYTES, "the nonce has 12 bytes");
  const writer = requestWriter(HEADER_BYTES + MAP_BYTES, pcpOpcode.map, lifetimeSeconds, client);
  writer.copy(mapping.nonce);
  writer.uint32(PROTOCOL_UDP * 0x1000000);
  writer.uint16(mapping.internalPort);
  writer.uint16(mapping.externalPort);
  writeIp(writer, mapping.externalHost);
  return writer.bytes;
}

/** Asks for nothing but an answer. @param client the IP address that the request is sent from. */
export function encodePcpAnnounce(client: string): Uint8Array {
  return requestWriter(HEADER_BYTES, pcpOpcode.announce, 0, client).bytes;
}

/** @returns whether this response, of whatever version, says that its sender does not know the version of the request (§9). */
export function isPcpVersionRefused(bytes: Uint8Array): boolean {
  const isResponse = bytes.length >= 4 && ((bytes[1] as number) & RESPONSE_BIT) !== 0;
  // A result has two bytes in NAT-PMP (RFC 6886 §3.5), where PCP has a reserved one and the result.
  return isResponse && bytes[3] === pcpResult.unsupportedVersion && (bytes[0] !== 0 || bytes[2] === 0);
}

/** @returns undefined where it is no response of version 2. */
export function decodePcpResponse(bytes: Uint8Array): PcpResponse | undefined {
  const isWhole = bytes.length >= HEADER_BYTES && bytes.length <= PCP_MESSAGE_BYTES_MAX && bytes.length % 4 === 0;
  if (!isWhole || bytes[0] !== PCP_VERSION || ((bytes[1] as number) & RESPONSE_BIT) === 0) return undefined;
  const opcode = (bytes[1] as number) & ~RESPONSE_BIT;
  const reader = new ByteReader(bytes, 3);
  const result = reader.uint8();
  const lifetimeSeconds = reader.uint32();
  const epochSeconds = reader.uint32();
  reader.skip(12);
  const mapping = opcode === pcpOpcode.map ? readMapping(reader) : undefined;
  return { opcode, result, lifetimeSeconds, epochSeconds, mapping };
}

function readMapping(reader: ByteReader): PcpMapping | undefined {
  if (reader.remainingBytes < MAP_BYTES) return undefined;
  const nonce = reader.copy(PCP_NONCE_BYTES);
  if (reader.uint8() !== PROTOCOL_UDP) return undefined;
  reader.skip(3);
  const internalPort = reader.uint16();
  const externalPort = reader.uint16();
  return { nonce, internalPort, externalPort, externalHost: formatIp(reader.view(16)) };
}
