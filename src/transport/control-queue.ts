// Frames other than STREAM that have to arrive: each is an object that writes its latest value when its turn comes. A lost
// one is simply queued again, so a lost MAX_DATA is replaced by the newest limit and never by itself.

import type { ByteWriter } from "../base/byte-writer.ts";

export interface ControlFrame {
  /** The most bytes that `write` may take. */
  readonly bytesMax: number;
  /** Whether there is still anything to say; asked before each write. */
  isWanted(): boolean;
  write(writer: ByteWriter, nowMs: number): void;
  /** A packet with this frame was acknowledged. */
  onAcked(): void;
}

export class ControlQueue {
  private readonly pending = new Set<ControlFrame>();

  get isEmpty(): boolean {
    return this.pending.size === 0;
  }

  /** Asks for the frame to be sent; asking twice is asking once. */
  add(frame: ControlFrame): void {
    this.pending.add(frame);
  }

  /** Writes as many as fit, and records them with `keep`. */
  fill(writer: ByteWriter, nowMs: number, keep: ControlFrame[]): void {
    // Asked for every packet, and hardly ever in use.
    if (this.pending.size === 0) return;
    for (const frame of this.pending) {
      if (!frame.isWanted()) {
        this.pending.delete(frame);
        continue;
      }
      if (frame.bytesMax > writer.remainingBytes) continue;
      this.pending.delete(frame);
      frame.write(writer, nowMs);
      keep.push(frame);
    }
  }

  /** Drops what has become pointless. @returns whether anything is left to send. */
  hasWanted(): boolean {
    if (this.pending.size === 0) return false;
    for (const frame of this.pending) {
      if (frame.isWanted()) return true;
      this.pending.delete(frame);
    }
    return false;
  }
}
