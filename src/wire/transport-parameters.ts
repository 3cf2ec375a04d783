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
}

/** What holds where a list does not say otherwise. */
export const defaultTransportParameters: TransportParameters = {
  maxDataBytes: 0,
  maxStreamDataBytes: 0,
  maxStreams: 0,
  idleTimeoutMs: 0,
  maxDatagramBytes: 65_507,
};

/** Ids on the wire, in the order they are written. */
const idOf: Readonly<Record<keyof TransportParameters, number>> = {
  maxDataBytes: 1,
  maxStreamDataBytes: 2,
  maxStreams: 3,
  idleTimeoutMs: 4,
  maxDatagramBytes: 5,
};
const entries = Object.entries(idOf) as [keyof TransportParameters, number][];
const nameOf = new Map(entries.map(([name, id]) => [id, name]));

/** The most bytes that writeTransportParameters writes: five times id, length and an 8-byte varint. */
export const TRANSPORT_PARAMETERS_BYTES_MAX = 50;

/** Writes the list without the closing id 0, which the padding of the payload brings. */
export function writeTransportParameters(writer: ByteWriter, parameters: TransportParameters): void {
  for (const [name, id] of entries) {
    writer.varint(id);
    writer.varint(varintBytes(parameters[name]));
    writer.varint(parameters[name]);
  }
}

/** @param bytes the list, up to id 0 or its end. @returns undefined where it cannot be read. */
export function decodeTransportParameters(bytes: Uint8Array): TransportParameters | undefined {
  const parameters: Record<keyof TransportParameters, number> = { ...defaultTransportParameters };
  const seen = new Set<string>();
  const reader = new ByteReader(bytes);
  try {
    while (reader.remainingBytes > 0) {
      const id = reader.varint();
      if (id === 0) break;
      const value = new ByteReader(reader.view(reader.varint()));
      const name = nameOf.get(id);
      if (name === undefined) continue;
      if (seen.has(name)) return undefined;
      seen.add(name);
      parameters[name] = value.varint();
      if (value.remainingBytes > 0) return undefined;
    }
  } catch (error) {
    if (error instanceof OutOfBounds) return undefined;
    throw error;
  }
  return parameters.maxDatagramBytes < DATAGRAM_BYTES_MIN ? undefined : parameters;
}
