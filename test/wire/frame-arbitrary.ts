// Frames of every kind for property tests, as a peer that keeps the rules could send them.

import fc from "fast-check";
import type { EcnCounts } from "../../src/base/ecn.ts";
import { ACK_FRAME_RANGES_MAX } from "../../src/base/limits.ts";
import { bytesOf, record, socketAddress, textOf, varintValue } from "./arbitrary.ts";
import type { Frame } from "./frame-recorder.ts";

const path = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 65_535 }));
const body = fc.uint8Array({ maxLength: 60 });

/** Ranges of packet numbers, newest first, flattened; up to as many as a frame holds. */
export const ackRanges: fc.Arbitrary<number[]> = fc
  .tuple(
    fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: 2 ** 40 })),
    fc.array(fc.tuple(fc.nat(70), fc.nat(20_000)), { minLength: 1, maxLength: ACK_FRAME_RANGES_MAX }),
  )
  .map(([lowest, steps]) => {
    // Built from the oldest upwards, so that nothing falls below 0; a gap holds at least one packet.
    const ranges: number[] = [];
    let next = lowest;
    for (const [gap, length] of steps) {
      ranges.unshift(next + length, next);
      next += length + gap + 2;
    }
    return ranges;
  });

/** How many packets came with each codepoint of ECN. */
export const ecnCounts: fc.Arbitrary<EcnCounts> = record<EcnCounts>({
  ect0: varintValue,
  ect1: varintValue,
  ce: varintValue,
});

const ack = { type: fc.constant("ack" as const), path, delayUs: varintValue, ranges: ackRanges };

const ofStream: fc.Arbitrary<Frame> = record<Extract<Frame, { type: "stream" }>>({
  type: fc.constant("stream"),
  id: varintValue,
  offset: varintValue.map((value) => Math.min(value, Number.MAX_SAFE_INTEGER - 60)),
  fin: fc.boolean(),
  data: body,
});

/** Any frame but PADDING. */
export const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.constant<Frame>({ type: "ping" }),
  record<Extract<Frame, { type: "ack" }>>(ack),
  record<Extract<Frame, { type: "ack" }>>({ ...ack, counts: ecnCounts }),
  ofStream,
  record<Extract<Frame, { type: "reset-stream" }>>({
    type: fc.constant("reset-stream"),
    id: varintValue,
    code: varintValue,
    finalSize: varintValue,
  }),
  record<Extract<Frame, { type: "stop-sending" }>>({
    type: fc.constant("stop-sending"),
    id: varintValue,
    code: varintValue,
  }),
  record<Extract<Frame, { type: "max-data" }>>({ type: fc.constant("max-data"), max: varintValue }),
  record<Extract<Frame, { type: "max-stream-data" }>>({
    type: fc.constant("max-stream-data"),
    id: varintValue,
    max: varintValue,
  }),
  record<Extract<Frame, { type: "max-streams" }>>({ type: fc.constant("max-streams"), max: varintValue }),
  record<Extract<Frame, { type: "path-challenge" | "path-response" }>>({
    type: fc.constantFrom("path-challenge", "path-response"),
    token: bytesOf(8),
  }),
  record<Extract<Frame, { type: "path-status" }>>({
    type: fc.constant("path-status"),
    path,
    sequence: varintValue,
    status: fc.constantFrom(0, 1, 2),
  }),
  record<Extract<Frame, { type: "observed-address" }>>({
    type: fc.constant("observed-address"),
    sequence: varintValue,
    address: socketAddress,
  }),
  record<Extract<Frame, { type: "candidates" | "punch" }>>({
    type: fc.constantFrom("candidates", "punch"),
    sequence: varintValue,
    body,
  }),
  record<Extract<Frame, { type: "datagram" }>>({ type: fc.constant("datagram"), data: body }),
  record<Extract<Frame, { type: "close" }>>({ type: fc.constant("close"), code: varintValue, reason: textOf(40) }),
);
