// Transport parameters: what a side accepts at first, carried inside the handshake (after RFC 9000 §18).
// A list of id, length, value; unknown ids are passed over, so that later versions can add to it.

import { ByteReader, OutOfBounds } from "../base/byte-reader.ts";
import { type ByteWriter, varintBytes } from "../base/byte-writer.ts";
import { DATAGRAM_BYTES_MIN } from "../base/limits.ts";

/** What the sender of the list accepts. */
export interface TransportParameters {
  /** Bytes on the whole connection at first. */
  readonly maxDataBytes: number;
  /** Bytes on each stream at first. */
  readonly maxStreamDataBytes: number;
  /** Streams that the other side may open at first. */
  readonly maxStreams: number;
  /** Silence after which it gives the connection up; 0 is never. */
  readonly idleTimeoutMs: number;
  /** The largest UDP payload it takes; never below 1200 (RFC 9000 §18.2). */
  readonly maxDatagramBytes: number;
  /** Of a responder, as in QUIC's preferred_address (RFC 9000 §9.6): the body of CANDIDATES, ahead of the first such frame. */
  readonly candidates?: Uint8Array;
}

type NumberName = Exclude<keyof TransportParameters, "candidates">;

/** What holds where a list does not say otherwise. */
export const defaultTransportParameters: TransportParameters = {
  maxDataBytes: 0,
  maxStreamDataBytes: 0,
  maxStreams: 0,
  idleTimeoutMs: 0,
  maxDatagramBytes: 65_507,
};

/** Ids on the wire, in the order they are written. */
const idOf: Readonly<Record<NumberName, number>> = {
  maxDataBytes: 1,
  maxStreamDataBytes: 2,
  maxStreams: 3,
  idleTimeoutMs: 4,
  maxDatagramBytes: 5,
};
const entries = Object.entries(idOf) as [NumberName, number][];
const nameOf = new Map(entries.map(([name, id]) => [id, name]));
const CANDIDATES_ID = 6;

/** A longer body of CANDIDATES is left out: so many bytes there are room for in a response, which is never longer than an initiation. */
export const CANDIDATES_PARAMETER_BYTES_MAX = 96;
/** The most bytes that writeTransportParameters writes: five times id, length and an 8-byte varint; id, length and candidates. */
export const TRANSPORT_PARAMETERS_BYTES_MAX = 50 + 3 + CANDIDATES_PARAMETER_BYTES_MAX;

/** Writes the list without the closing id 0, which the padding of the payload brings. */
export function writeTransportParameters(writer: ByteWriter, parameters: TransportParameters): void {
  for (const [name, id] of entries) {
    writer.varint(id);
    writer.varint(varintBytes(parameters[name]));
    writer.varint(parameters[name]);
  }
  const { candidates } = parameters;
  if (candidates === undefined || candidates.length > CANDIDATES_PARAMETER_BYTES_MAX) return;
  writer.varint(CANDIDATES_ID);
  writer.varint(candidates.length);
  writer.copy(candidates);
}

/** @param bytes the list, up to id 0 or its end. @returns undefined where it cannot be read; what is in it is a copy. */
export function decodeTransportParameters(bytes: Uint8Array): TransportParameters | undefined {
  const parameters = { ...defaultTransportParameters } as Record<NumberName, number>;
  let candidates: Uint8Array | undefined;
  const seen = new Set<number>();
  const reader = new ByteReader(bytes);
  try {
    while (reader.remainingBytes > 0) {
      const id = reader.varint();
      if (id === 0) break;
      const value = new ByteReader(reader.view(reader.varint()));
      const name = nameOf.get(id);
      if (name === undefined && id !== CANDIDATES_ID) continue;
      if (seen.has(id)) return undefined;
      seen.add(id);
      if (name === undefined) {
        candidates = value.copy(value.remainingBytes);
        continue;
      }
      parameters[name] = value.varint();
      if (value.remainingBytes > 0) return undefined;
    }
  } catch (error) {
    if (error instanceof OutOfBounds) return undefined;
    throw error;
  }
  if (parameters.maxDatagramBytes < DATAGRAM_BYTES_MIN) return undefined;
  return candidates === undefined ? parameters : { ...parameters, candidates };
}
