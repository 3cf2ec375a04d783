// The NAT Port Mapping Protocol (RFC 6886), the older sibling of PCP on the same port: a request for the router's address outside,
// and one for a port of it.
//
//   address   00 00                                      answer  00 80 result(2) epoch(4) address(4)
//   map       00 01 zeros(2) internal port(2)            answer  00 81 result(2) epoch(4) internal port(2)
//             external port(2) lifetime(4)                       external port(2) lifetime(4)

import { formatIp } from "../base/address.ts";
import { ByteReader } from "../base/byte-reader.ts";
import { ByteWriter } from "../base/byte-writer.ts";

/** RFC 6886 §3.2, §3.3; mapping a TCP port would be 2. */
export const natPmpOpcode = { address: 0, mapUdp: 1 } as const;

/** RFC 6886 §3.5. */
export const natPmpResult = {
  success: 0,
  unsupportedVersion: 1,
  notAuthorized: 2,
  networkFailure: 3,
  outOfResources: 4,
  unsupportedOpcode: 5,
} as const;

const VERSION = 0;
const RESPONSE_BIT = 0x80;
const HEADER_BYTES = 8;
const ADDRESS_BYTES = 4;
const MAPPING_BYTES = 8;

/** A UDP port. */
export interface NatPmpMapping {
  readonly internalPort: number;
  /** 0 where none is suggested. */
  readonly externalPort: number;
  /** 0 gives the mapping back; the external port has to be 0 then (RFC 6886 §3.4). */
  readonly lifetimeSeconds: number;
}

export interface NatPmpResponse {
  readonly opcode: number;
  readonly result: number;
  /** For how long the router has known what it knows. */
  readonly epochSeconds: number;
  /** The router's address outside, where that was asked and the result is success. */
  readonly address: string | undefined;
  /** Where it was asked for and the result is success. */
  readonly mapping: NatPmpMapping | undefined;
}

export function encodeNatPmpAddressRequest(): Uint8Array {
  return Uint8Array.of(VERSION, natPmpOpcode.address);
}

export function encodeNatPmpMap(mapping: NatPmpMapping): Uint8Array {
  const writer = new ByteWriter(new Uint8Array(12));
  writer.uint8(VERSION);
  writer.uint8(natPmpOpcode.mapUdp);
  writer.uint16(0);
  writer.uint16(mapping.internalPort);
  writer.uint16(mapping.externalPort);
  writer.uint32(mapping.lifetimeSeconds);
  return writer.bytes;
}

/** @returns undefined where it is no response, or one that is cut off. */
export function decodeNatPmpResponse(bytes: Uint8Array): NatPmpResponse | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return undefined;
  const reader = new ByteReader(bytes, 1);
  const type = reader.uint8();
  if ((type & RESPONSE_BIT) === 0) return undefined;
  const opcode = type & ~RESPONSE_BIT;
  const result = reader.uint16();
  const epochSeconds = reader.uint32();
  const header = { opcode, result, epochSeconds, address: undefined, mapping: undefined };
  if (result !== natPmpResult.success) return header;
  if (opcode === natPmpOpcode.address) {
    return reader.remainingBytes < ADDRESS_BYTES ? undefined : { ...header, address: formatIp(reader.view(4)) };
  }
  if (opcode === natPmpOpcode.mapUdp) {
    return reader.remainingBytes < MAPPING_BYTES ? undefined : { ...header, mapping: readMapping(reader) };
  }
  return header;
}

function readMapping(reader: ByteReader): NatPmpMapping {
  const internalPort = reader.uint16();
  const externalPort = reader.uint16();
  return { internalPort, externalPort, lifetimeSeconds: reader.uint32() };
}
