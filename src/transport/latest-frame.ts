// Control frames of which only the latest counts: CANDIDATES, PUNCH, and the farewell to a path.

import type { ByteWriter } from "../base/byte-writer.ts";
import { equalBytes } from "../crypto/secret.ts";
import { pathStatus } from "../wire/frame.ts";
import {
  candidatesBytes,
  pathStatusBytes,
  punchBytes,
  writeCandidates,
  writePathStatus,
  writePunch,
} from "../wire/frame-encoder.ts";
import type { ControlFrame } from "./control-queue.ts";

/** CANDIDATES or PUNCH: a body under a sequence number; a newer body replaces an older one that has not arrived. */
export class LatestBody implements ControlFrame {
  private readonly kind: "candidates" | "punch";
  private sequence = 0;
  private body: Uint8Array | undefined;
  private received = 0;
  private told: Uint8Array | undefined;

  constructor(kind: "candidates" | "punch") {
    this.kind = kind;
  }

  /** The peer has this one already: the handshake brought it. */
  onTold(body: Uint8Array): void {
    this.told = body;
  }

  /** @returns whether there is something to be sent. */
  set(body: Uint8Array): boolean {
    if (this.told !== undefined && equalBytes(this.told, body)) return false;
    this.told = undefined;
    this.sequence++;
    this.body = body;
    return true;
  }

  /** @returns whether a body with this sequence number, from the peer, is newer than all before. */
  isNews(sequence: number): boolean {
    if (sequence <= this.received) return false;
    this.received = sequence;
    return true;
  }

  get bytesMax(): number {
    const length = this.body?.length ?? 0;
    return this.kind === "candidates" ? candidatesBytes(this.sequence, length) : punchBytes(this.sequence, length);
  }

  isWanted(): boolean {
    return this.body !== undefined;
  }

  write(writer: ByteWriter): void {
    const write = this.kind === "candidates" ? writeCandidates : writePunch;
    write(writer, this.sequence, this.body as Uint8Array);
  }

  onAcked(): void {}
}

/** PATH_STATUS abandoned: the receiver may forget the packet-number space. @param onTold called when it has arrived. */
export function pathAbandonedFrame(pathId: number, onTold: () => void): ControlFrame {
  let acked = false;
  return {
    bytesMax: pathStatusBytes(pathId, 1),
    isWanted: () => !acked,
    write: (writer) => writePathStatus(writer, pathId, 1, pathStatus.abandoned),
    onAcked: () => {
      acked = true;
      onTold();
    },
  };
}
