// How much fits a batch, which leaves in one system call and passes the kernel, a relay and the receiver's socket as one. What a writer brings
// at a time should fill whole batches: the remainder of each of its reads would be a batch of its own, which costs hardly less than a full one.

import { BATCH_ACK_BYTES, BATCH_PACKETS_MAX } from "../base/limits.ts";
import { TRANSMIT_BYTES_MAX } from "../base/transmit.ts";
import { STREAM_HEADER_BYTES_MAX } from "../wire/frame-encoder.ts";
import type { Path } from "./path.ts";

/** @param datagramBytes of each packet. @returns how many packets a batch holds. */
export function packetsInBatch(datagramBytes: number): number {
  return Math.min(BATCH_PACKETS_MAX, Math.floor(TRANSMIT_BYTES_MAX / datagramBytes));
}

/** @returns the bytes of one stream for which a batch on this path has room, an acknowledgement in front of them; 0 without a path. */
export function dataInBatch(path: Path | undefined): number {
  if (path === undefined) return 0;
  return packetsInBatch(path.datagramBytes) * (path.frameBytes - STREAM_HEADER_BYTES_MAX) - BATCH_ACK_BYTES;
}
