// A visitor that keeps what it is shown as plain values, and the way back: writing such a value as a frame.

import type { SocketAddress } from "../../src/base/address.ts";
import type { ByteWriter } from "../../src/base/byte-writer.ts";
import type { EcnCounts } from "../../src/base/ecn.ts";
import type { PathStatus } from "../../src/wire/frame.ts";
import { FrameDecoder, type FrameVisitor } from "../../src/wire/frame-decoder.ts";
import * as encoder from "../../src/wire/frame-encoder.ts";

/** One frame. Ranges are pairs [largest, smallest], flattened; bytes are copies. */
export type Frame =
  | { readonly type: "ping" }
  | {
      readonly type: "ack";
      readonly path: number;
      readonly delayUs: number;
      readonly ranges: readonly number[];
      readonly counts?: EcnCounts;
    }
  | { readonly type: "reset-stream"; readonly id: number; readonly code: number; readonly finalSize: number }
  | { readonly type: "stop-sending"; readonly id: number; readonly code: number }
  | {
      readonly type: "stream";
      readonly id: number;
      readonly offset: number;
      readonly fin: boolean;
      readonly data: Uint8Array;
    }
  | { readonly type: "max-data"; readonly max: number }
  | { readonly type: "max-stream-data"; readonly id: number; readonly max: number }
  | { readonly type: "max-streams"; readonly max: number }
  | { readonly type: "path-challenge" | "path-response"; readonly token: Uint8Array }
  | { readonly type: "path-status"; readonly path: number; readonly sequence: number; readonly status: PathStatus }
  | { readonly type: "observed-address"; readonly sequence: number; readonly address: SocketAddress }
  | { readonly type: "candidates" | "punch"; readonly sequence: number; readonly body: Uint8Array }
  | { readonly type: "datagram"; readonly data: Uint8Array }
  | { readonly type: "close"; readonly code: number; readonly reason: string };

export class FrameRecorder implements FrameVisitor {
  readonly frames: Frame[] = [];

  onPing(): void {
    this.frames.push({ type: "ping" });
  }
  onAck(path: number, delayUs: number, list: Float64Array, rangeCount: number, counts: EcnCounts | undefined): void {
    const ranges = Array.from(list.subarray(0, 2 * rangeCount));
    this.frames.push({ type: "ack", path, delayUs, ranges, ...(counts && { counts: { ...counts } }) });
  }
  onResetStream(id: number, code: number, finalSize: number): void {
    this.frames.push({ type: "reset-stream", id, code, finalSize });
  }
  onStopSending(id: number, code: number): void {
    this.frames.push({ type: "stop-sending", id, code });
  }
  onStream(id: number, offset: number, fin: boolean, bytes: Uint8Array, start: number, end: number): void {
    this.frames.push({ type: "stream", id, offset, fin, data: bytes.slice(start, end) });
  }
  onMaxData(max: number): void {
    this.frames.push({ type: "max-data", max });
  }
  onMaxStreamData(id: number, max: number): void {
    this.frames.push({ type: "max-stream-data", id, max });
  }
  onMaxStreams(max: number): void {
    this.frames.push({ type: "max-streams", max });
  }
  onPathChallenge(token: Uint8Array): void {
    this.frames.push({ type: "path-challenge", token: token.slice() });
  }
  onPathResponse(token: Uint8Array): void {
    this.frames.push({ type: "path-response", token: token.slice() });
  }
  onPathStatus(path: number, sequence: number, status: PathStatus): void {
    this.frames.push({ type: "path-status", path, sequence, status });
  }
  onObservedAddress(sequence: number, address: SocketAddress): void {
    this.frames.push({ type: "observed-address", sequence, address });
  }
  onCandidates(sequence: number, body: Uint8Array): void {
    this.frames.push({ type: "candidates", sequence, body: body.slice() });
  }
  onPunch(sequence: number, body: Uint8Array): void {
    this.frames.push({ type: "punch", sequence, body: body.slice() });
  }
  onDatagram(data: Uint8Array): void {
    this.frames.push({ type: "datagram", data: data.slice() });
  }
  onClose(code: number, reason: string): void {
    this.frames.push({ type: "close", code, reason });
  }
}

/** @returns the frames in all of `bytes`, and whether they ask for an acknowledgement. */
export function decodeFrames(bytes: Uint8Array): { frames: Frame[]; eliciting: boolean } {
  const recorder = new FrameRecorder();
  const eliciting = new FrameDecoder().decode(bytes, 0, bytes.length, recorder);
  return { frames: recorder.frames, eliciting };
}

type AckFields = [number, number, Float64Array, number, EcnCounts | undefined];

const ackFields = ({ path, delayUs, ranges, counts }: Extract<Frame, { type: "ack" }>): AckFields => [
  path,
  delayUs,
  Float64Array.from(ranges),
  ranges.length / 2,
  counts,
];

/** Writes `frame`; a STREAM with its length. */
export function writeFrame(writer: ByteWriter, frame: Frame): void {
  switch (frame.type) {
    case "ping":
      encoder.writePing(writer);
      break;
    case "ack":
      encoder.writeAck(writer, ...ackFields(frame));
      break;
    case "reset-stream":
      encoder.writeResetStream(writer, frame.id, frame.code, frame.finalSize);
      break;
    case "stop-sending":
      encoder.writeStopSending(writer, frame.id, frame.code);
      break;
    case "stream":
      encoder.writeStreamHeader(writer, frame.id, frame.offset, frame.data.length, frame.fin);
      writer.copy(frame.data);
      break;
    case "max-data":
      encoder.writeMaxData(writer, frame.max);
      break;
    case "max-stream-data":
      encoder.writeMaxStreamData(writer, frame.id, frame.max);
      break;
    case "max-streams":
      encoder.writeMaxStreams(writer, frame.max);
      break;
    case "path-challenge":
      encoder.writePathChallenge(writer, frame.token);
      break;
    case "path-response":
      encoder.writePathResponse(writer, frame.token);
      break;
    case "path-status":
      encoder.writePathStatus(writer, frame.path, frame.sequence, frame.status);
      break;
    case "observed-address":
      encoder.writeObservedAddress(writer, frame.sequence, frame.address);
      break;
    case "candidates":
      encoder.writeCandidates(writer, frame.sequence, frame.body);
      break;
    case "punch":
      encoder.writePunch(writer, frame.sequence, frame.body);
      break;
    case "datagram":
      encoder.writeDatagram(writer, frame.data);
      break;
    case "close":
      encoder.writeClose(writer, frame.code, frame.reason);
      break;
  }
}

/** What the encoder says that `frame` will take, in bytes. */
export function frameBytes(frame: Frame): number {
  switch (frame.type) {
    case "ping":
      return encoder.PING_BYTES;
    case "ack":
      return encoder.ackBytes(...ackFields(frame));
    case "reset-stream":
      return encoder.resetStreamBytes(frame.id, frame.code, frame.finalSize);
    case "stop-sending":
      return encoder.stopSendingBytes(frame.id, frame.code);
    case "stream":
      return encoder.streamHeaderBytes(frame.id, frame.offset, frame.data.length) + frame.data.length;
    case "max-data":
      return encoder.maxDataBytes(frame.max);
    case "max-stream-data":
      return encoder.maxStreamDataBytes(frame.id, frame.max);
    case "max-streams":
      return encoder.maxStreamsBytes(frame.max);
    case "path-challenge":
    case "path-response":
      return encoder.PATH_CHALLENGE_BYTES;
    case "path-status":
      return encoder.pathStatusBytes(frame.path, frame.sequence);
    case "observed-address":
      return encoder.observedAddressBytes(frame.sequence, frame.address);
    case "candidates":
      return encoder.candidatesBytes(frame.sequence, frame.body.length);
    case "punch":
      return encoder.punchBytes(frame.sequence, frame.body.length);
    case "datagram":
      return encoder.datagramBytes(frame.data.length);
    case "close":
      return encoder.closeBytes(frame.code, frame.reason);
  }
}
