// What the two sides of a hole punch tell each other: the bodies of the frames CANDIDATES and PUNCH.
// Candidates are addresses at which a side may be reached (types as in RFC 8445 §5.1.1, and port mappings); the behaviour
// of its NAT, in the terms of RFC 4787 §4.1 and §5, decides how the other side goes about it.

import { readSocketAddress, type SocketAddress, socketAddressBytes, writeSocketAddress } from "../base/address.ts";
import { assert } from "../base/assert.ts";
import { ByteReader, OutOfBounds } from "../base/byte-reader.ts";
import { ByteWriter, varintBytes } from "../base/byte-writer.ts";
import { CANDIDATES_MAX, PUNCH_ADDRESSES_MAX } from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";

/** Where a candidate was learnt. The index in the list is the byte on the wire minus one. */
const candidateTypes = ["host", "server-reflexive", "peer-reflexive", "port-mapped"] as const;
export type CandidateType = (typeof candidateTypes)[number];

/** An address at which a side may be reached. */
export interface Candidate {
  readonly type: CandidateType;
  /** By TCP simultaneous open, where it is there; by UDP otherwise. */
  readonly transport?: "tcp";
  readonly address: SocketAddress;
}

/** On what a mapping or a filter depends. The index in the list is the byte on the wire. */
const natDependences = ["unknown", "endpoint-independent", "address-dependent", "address-and-port-dependent"] as const;
export type NatDependence = (typeof natDependences)[number];

/** How a side's NAT was measured to behave. */
export interface NatBehaviour {
  readonly mapping: NatDependence;
  readonly filtering: NatDependence;
  /** Whether the port outside is the one inside. */
  readonly portsPreserved: boolean;
  /** Whether the router takes packets in that nobody asked for, and so loses the mapping towards their sender; undefined where unknown. */
  readonly takesUnsolicited?: boolean;
  /** How much higher each new mapping's port is than the one before, 1 to 255, where ports are given in sequence. */
  readonly portStride?: number;
}

/** The body of a CANDIDATES frame. */
export interface CandidatesBody {
  readonly nat: NatBehaviour;
  readonly candidates: readonly Candidate[];
}

/** What a side has done, or is about to do. The index in the list is the byte on the wire minus one. */
const punchSteps = ["spoken", "spray", "crossing", "prediction"] as const;
export type PunchStep = (typeof punchSteps)[number];

/** The body of a PUNCH frame. */
export interface PunchBody {
  /**
   * spoken: the sender's probes to the receiver's candidates have left, and now the receiver's may come. spray: the sender's half of a
   * spray begins now. crossing: the sender's sockets for packets that are to cross each other. prediction: the sender's newest mapping.
   */
  readonly step: PunchStep;
  readonly round: number;
  /** Where the sender's sockets for this step are seen; none where it needs none. */
  readonly addresses: readonly SocketAddress[];
}

const PORTS_PRESERVED_BIT = 0x01;
const TAKES_UNSOLICITED_BIT = 0x02;
/** It was measured, and the router does no such thing. */
const TAKES_NONE_UNSOLICITED_BIT = 0x04;
/** The largest that its byte holds. */
const PORT_STRIDE_MAX = 0xff;
/** Of a candidate's type. */
const TCP_BIT = 0x80;

/** @returns the body of a CANDIDATES frame; at most CANDIDATES_MAX candidates. */
export function encodeCandidates(body: CandidatesBody): Uint8Array {
  const { nat, candidates } = body;
  assert(candidates.length <= CANDIDATES_MAX, "too many candidates");
  const { portStride = 0 } = nat;
  assert(portStride >= 0 && portStride <= PORT_STRIDE_MAX, "stride of ports out of range");
  let lengthBytes = 4 + varintBytes(candidates.length);
  for (const { address } of candidates) lengthBytes += 1 + socketAddressBytes(address);
  const writer = new ByteWriter(new Uint8Array(lengthBytes));
  writer.uint8(natDependences.indexOf(nat.mapping));
  writer.uint8(natDependences.indexOf(nat.filtering));
  writer.uint8(flagsOf(nat));
  writer.uint8(portStride);
  writer.varint(candidates.length);
  for (const { type, transport, address } of candidates) {
    writer.uint8((candidateTypes.indexOf(type) + 1) | (transport === "tcp" ? TCP_BIT : 0));
    writeSocketAddress(writer, address);
  }
  return writer.bytes;
}

function flagsOf({ portsPreserved, takesUnsolicited }: NatBehaviour): number {
  const ports = portsPreserved ? PORTS_PRESERVED_BIT : 0;
  if (takesUnsolicited === undefined) return ports;
  return ports | (takesUnsolicited ? TAKES_UNSOLICITED_BIT : TAKES_NONE_UNSOLICITED_BIT);
}

/** @throws ProtocolError with frameEncoding where the body cannot be read. */
export function decodeCandidates(bytes: Uint8Array): CandidatesBody {
  return whole("CANDIDATES", bytes, (reader) => {
    const mapping = readDependence(reader);
    const filtering = readDependence(reader);
    const flags = reader.uint8();
    const portStride = reader.uint8();
    const candidates: Candidate[] = [];
    for (let left = readCount(reader, CANDIDATES_MAX); left > 0; left--) {
      const byte = reader.uint8();
      const type = candidateTypes[(byte & ~TCP_BIT) - 1];
      if (type === undefined) throw new OutOfBounds("unknown type of candidate");
      const address = readSocketAddress(reader);
      candidates.push((byte & TCP_BIT) === 0 ? { type, address } : { type, transport: "tcp", address });
    }
    const portsPreserved = (flags & PORTS_PRESERVED_BIT) !== 0;
    const nat: NatBehaviour = {
      mapping,
      filtering,
      portsPreserved,
      ...((flags & TAKES_NONE_UNSOLICITED_BIT) === 0 ? {} : { takesUnsolicited: false }),
      ...((flags & TAKES_UNSOLICITED_BIT) === 0 ? {} : { takesUnsolicited: true }),
      ...(portStride === 0 ? {} : { portStride }),
    };
    return { nat, candidates };
  });
}

/** @returns the body of a PUNCH frame; at most PUNCH_ADDRESSES_MAX addresses. */
export function encodePunch(body: PunchBody): Uint8Array {
  const { step, round, addresses } = body;
  assert(addresses.length <= PUNCH_ADDRESSES_MAX, "too many addresses in a PUNCH");
  let lengthBytes = 1 + varintBytes(round) + varintBytes(addresses.length);
  for (const address of addresses) lengthBytes += socketAddressBytes(address);
  const writer = new ByteWriter(new Uint8Array(lengthBytes));
  writer.uint8(punchSteps.indexOf(step) + 1);
  writer.varint(round);
  writer.varint(addresses.length);
  for (const address of addresses) writeSocketAddress(writer, address);
  return writer.bytes;
}

/** @throws ProtocolError with frameEncoding where the body cannot be read. */
export function decodePunch(bytes: Uint8Array): PunchBody {
  return whole("PUNCH", bytes, (reader) => {
    const step = punchSteps[reader.uint8() - 1];
    if (step === undefined) throw new OutOfBounds("unknown step of a punch");
    const round = reader.varint();
    const addresses: SocketAddress[] = [];
    for (let left = readCount(reader, PUNCH_ADDRESSES_MAX); left > 0; left--) addresses.push(readSocketAddress(reader));
    return { step, round, addresses };
  });
}

/** Runs `read` over the whole of `bytes`. @throws ProtocolError where it runs out of them or leaves some. */
function whole<T>(name: string, bytes: Uint8Array, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(bytes);
  try {
    const body = read(reader);
    if (reader.remainingBytes > 0) throw new OutOfBounds(`${reader.remainingBytes} bytes behind the body`);
    return body;
  } catch (error) {
    if (!(error instanceof OutOfBounds)) throw error;
    throw new ProtocolError(closeCode.frameEncoding, `${name}: ${error.message}`);
  }
}

function readDependence(reader: ByteReader): NatDependence {
  const dependence = natDependences[reader.uint8()];
  if (dependence === undefined) throw new OutOfBounds("unknown behaviour of a NAT");
  return dependence;
}

function readCount(reader: ByteReader, countMax: number): number {
  const count = reader.varint();
  if (count > countMax) throw new OutOfBounds(`${count} entries, at most ${countMax}`);
  return count;
}
