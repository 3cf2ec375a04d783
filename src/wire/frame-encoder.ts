// Writes frames, one function each, onto the ByteWriter of the packet being built. Beside each stands how many bytes it
// will take, so that a packet builder asks first: running out of room is an assertion, not a result.
// STREAM and ACK are hot: nothing is allocated for them.

import { type SocketAddress, socketAddressBytes, writeSocketAddress } from "../base/address.ts";
import { assert } from "../base/assert.ts";
import { type ByteWriter, varintBytes } from "../base/byte-writer.ts";
import type { EcnCounts } from "../base/ecn.ts";
import { ACK_FRAME_RANGES_MAX, CLOSE_REASON_BYTES_MAX } from "../base/limits.ts";
import {
  ACK_ECN_BIT,
  frameType,
  PATH_TOKEN_BYTES,
  type PathStatus,
  STREAM_FIN_BIT,
  STREAM_LENGTH_BIT,
} from "./frame.ts";

/** PADDING: `lengthBytes` zeros. */
export function writePadding(writer: ByteWriter, lengthBytes: number): void {
  assert(lengthBytes <= writer.remainingBytes, "padding: out of room");
  writer.bytes.fill(frameType.padding, writer.offset, writer.offset + lengthBytes);
  writer.offset += lengthBytes;
}

/** Bytes of a PING. */
export const PING_BYTES = 1;

export function writePing(writer: ByteWriter): void {
  writer.uint8(frameType.ping);
}

/**
 * Bytes of an ACK with the first `rangeCount` of the ranges.
 * @param ranges pairs [largest, smallest], flattened, descending and never touching.
 * @param counts undefined where nothing came with an ECN codepoint.
 */
export function ackBytes(
  path: number,
  delayUs: number,
  ranges: Float64Array,
  rangeCount: number,
  counts: EcnCounts | undefined,
): number {
  let bytes = ackHeadBytes(path, delayUs, ranges) + varintBytes(rangeCount - 1) + ecnBytes(counts);
  for (let i = 1; i < rangeCount; i++) bytes += rangeBytes(ranges, i);
  return bytes;
}

/** How many of the ranges, the newest first, an ACK of at most `roomBytes` can hold; 0 where not even one fits. */
export function ackRangesThatFit(
  path: number,
  delayUs: number,
  ranges: Float64Array,
  rangeCount: number,
  counts: EcnCounts | undefined,
  roomBytes: number,
): number {
  let left = roomBytes - ackHeadBytes(path, delayUs, ranges) - ecnBytes(counts);
  if (left < 1) return 0;
  for (let i = 1; i < rangeCount; i++) {
    left -= rangeBytes(ranges, i);
    // The range count before this one is i - 1; with it, it is i.
    if (left < varintBytes(i)) return i;
  }
  return rangeCount;
}

/** Everything of an ACK but the range count, the ranges behind the first, and the ECN counts. */
function ackHeadBytes(path: number, delayUs: number, ranges: Float64Array): number {
  const largest = ranges[0] as number;
  return (
    1 + varintBytes(path) + varintBytes(largest) + varintBytes(delayUs) + varintBytes(largest - (ranges[1] as number))
  );
}

function ecnBytes(counts: EcnCounts | undefined): number {
  return counts === undefined ? 0 : varintBytes(counts.ect0) + varintBytes(counts.ect1) + varintBytes(counts.ce);
}

function rangeBytes(ranges: Float64Array, i: number): number {
  const largest = ranges[2 * i] as number;
  return (
    varintBytes((ranges[2 * i - 1] as number) - largest - 2) + varintBytes(largest - (ranges[2 * i + 1] as number))
  );
}

/**
 * @param path the number that the sender of the acknowledged packets gave the path.
 * @param delayUs a whole number of microseconds since the largest packet came.
 * @param ranges pairs [largest, smallest], flattened, descending and never touching.
 * @param rangeCount pairs to write, 1 to ACK_FRAME_RANGES_MAX.
 * @param counts undefined where nothing came with an ECN codepoint.
 */
export function writeAck(
  writer: ByteWriter,
  path: number,
  delayUs: number,
  ranges: Float64Array,
  rangeCount: number,
  counts: EcnCounts | undefined,
): void {
  assert(rangeCount >= 1 && rangeCount <= ACK_FRAME_RANGES_MAX, "an ACK has 1 to ACK_FRAME_RANGES_MAX ranges");
  writer.uint8(counts === undefined ? frameType.ack : frameType.ack | ACK_ECN_BIT);
  writer.varint(path);
  writer.varint(ranges[0] as number);
  writer.varint(delayUs);
  writer.varint(rangeCount - 1);
  writer.varint((ranges[0] as number) - (ranges[1] as number));
  for (let i = 1; i < rangeCount; i++) {
    writer.varint((ranges[2 * i - 1] as number) - (ranges[2 * i] as number) - 2);
    writer.varint((ranges[2 * i] as number) - (ranges[2 * i + 1] as number));
  }
  if (counts === undefined) return;
  writer.varint(counts.ect0);
  writer.varint(counts.ect1);
  writer.varint(counts.ce);
}

export function resetStreamBytes(id: number, code: number, finalSize: number): number {
  return 1 + varintBytes(id) + varintBytes(code) + varintBytes(finalSize);
}

export function writeResetStream(writer: ByteWriter, id: number, code: number, finalSize: number): void {
  writer.uint8(frameType.resetStream);
  writer.varint(id);
  writer.varint(code);
  writer.varint(finalSize);
}

export function stopSendingBytes(id: number, code: number): number {
  return 1 + varintBytes(id) + varintBytes(code);
}

export function writeStopSending(writer: ByteWriter, id: number, code: number): void {
  writer.uint8(frameType.stopSending);
  writer.varint(id);
  writer.varint(code);
}

/** The most that stands in front of data which reach to the packet's end: the type, an id and an offset. */
export const STREAM_HEADER_BYTES_MAX = 1 + 2 * 8;

/** Bytes in front of the data of a STREAM. @param lengthBytes undefined where the data reach to the packet's end. */
export function streamHeaderBytes(id: number, offset: number, lengthBytes: number | undefined): number {
  return 1 + varintBytes(id) + varintBytes(offset) + (lengthBytes === undefined ? 0 : varintBytes(lengthBytes));
}

/** Writes all of a STREAM but its data, which the caller puts behind it. */
export function writeStreamHeader(
  writer: ByteWriter,
  id: number,
  offset: number,
  lengthBytes: number | undefined,
  fin: boolean,
): void {
  writer.uint8(frameType.stream | (fin ? STREAM_FIN_BIT : 0) | (lengthBytes === undefined ? 0 : STREAM_LENGTH_BIT));
  writer.varint(id);
  writer.varint(offset);
  if (lengthBytes !== undefined) writer.varint(lengthBytes);
}

export function maxDataBytes(maxBytes: number): number {
  return 1 + varintBytes(maxBytes);
}

export function writeMaxData(writer: ByteWriter, maxBytes: number): void {
  writer.uint8(frameType.maxData);
  writer.varint(maxBytes);
}

export function maxStreamDataBytes(id: number, maxBytes: number): number {
  return 1 + varintBytes(id) + varintBytes(maxBytes);
}

export function writeMaxStreamData(writer: ByteWriter, id: number, maxBytes: number): void {
  writer.uint8(frameType.maxStreamData);
  writer.varint(id);
  writer.varint(maxBytes);
}

export function maxStreamsBytes(maxStreams: number): number {
  return 1 + varintBytes(maxStreams);
}

export function writeMaxStreams(writer: ByteWriter, maxStreams: number): void {
  writer.uint8(frameType.maxStreams);
  writer.varint(maxStreams);
}

/** Bytes of a PATH_CHALLENGE, and of a PATH_RESPONSE. */
export const PATH_CHALLENGE_BYTES = 1 + PATH_TOKEN_BYTES;

/** @param token 8 bytes. */
export function writePathChallenge(writer: ByteWriter, token: Uint8Array): void {
  assert(token.length === PATH_TOKEN_BYTES, "a path token has 8 bytes");
  writer.uint8(frameType.pathChallenge);
  writer.copy(token);
}

/** @param token the 8 bytes of the challenge. */
export function writePathResponse(writer: ByteWriter, token: Uint8Array): void {
  assert(token.length === PATH_TOKEN_BYTES, "a path token has 8 bytes");
  writer.uint8(frameType.pathResponse);
  writer.copy(token);
}

export function pathStatusBytes(path: number, sequence: number): number {
  return 2 + varintBytes(path) + varintBytes(sequence);
}

export function writePathStatus(writer: ByteWriter, path: number, sequence: number, status: PathStatus): void {
  writer.uint8(frameType.pathStatus);
  writer.varint(path);
  writer.varint(sequence);
  writer.uint8(status);
}

export function observedAddressBytes(sequence: number, address: SocketAddress): number {
  return 1 + varintBytes(sequence) + socketAddressBytes(address);
}

export function writeObservedAddress(writer: ByteWriter, sequence: number, address: SocketAddress): void {
  writer.uint8(frameType.observedAddress);
  writer.varint(sequence);
  writeSocketAddress(writer, address);
}

/** Bytes of a CANDIDATES or a PUNCH. @param bodyBytes length of its body. */
export function candidatesBytes(sequence: number, bodyBytes: number): number {
  return 1 + varintBytes(sequence) + varintBytes(bodyBytes) + bodyBytes;
}

export function writeCandidates(writer: ByteWriter, sequence: number, body: Uint8Array): void {
  writer.uint8(frameType.candidates);
  writer.varint(sequence);
  writer.varint(body.length);
  writer.copy(body);
}

/** Bytes of a PUNCH. @param bodyBytes length of its body. */
export function punchBytes(sequence: number, bodyBytes: number): number {
  return candidatesBytes(sequence, bodyBytes);
}

export function writePunch(writer: ByteWriter, sequence: number, body: Uint8Array): void {
  writer.uint8(frameType.punch);
  writer.varint(sequence);
  writer.varint(body.length);
  writer.copy(body);
}

export function datagramBytes(dataBytes: number): number {
  return 1 + varintBytes(dataBytes) + dataBytes;
}

export function writeDatagram(writer: ByteWriter, data: Uint8Array): void {
  writer.uint8(frameType.datagram);
  writer.varint(data.length);
  writer.copy(data);
}

/** The reason in UTF-8, cut at a character so that it has at most CLOSE_REASON_BYTES_MAX bytes. */
function reasonBytes(reason: string): Uint8Array {
  const bytes = new Uint8Array(CLOSE_REASON_BYTES_MAX);
  return bytes.subarray(0, new TextEncoder().encodeInto(reason, bytes).written);
}

export function closeBytes(code: number, reason: string): number {
  const lengthBytes = reasonBytes(reason).length;
  return 1 + varintBytes(code) + varintBytes(lengthBytes) + lengthBytes;
}

/** @param reason for people; what is longer than CLOSE_REASON_BYTES_MAX is cut. */
export function writeClose(writer: ByteWriter, code: number, reason: string): void {
  const bytes = reasonBytes(reason);
  writer.uint8(frameType.close);
  writer.varint(code);
  writer.varint(bytes.length);
  writer.copy(bytes);
}
