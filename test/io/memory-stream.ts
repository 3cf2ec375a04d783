// A pair of streams in memory in the tunnel's place: what one writes the other reads, with a window, edge-triggered events and
// delivery in a later turn, as the transport has them.

import { WRITE_CHUNK_BYTES } from "../../src/base/limits.ts";
import type { ForwardedStream } from "../../src/io/forwarded-stream.ts";

/** Bytes that a stream holds for its reader before the writer is told to pause. */
export const WINDOW_BYTES = 256 * 1024;

export interface StreamHandlers {
  onReadable(stream: MemoryStream): void;
  onWritable(stream: MemoryStream): void;
  onStreamReset(stream: MemoryStream): void;
  onStopSending(stream: MemoryStream): void;
}

export class MemoryStream implements ForwardedStream {
  private readonly handlers: StreamHandlers;
  private other: MemoryStream | undefined;
  private inbox: Uint8Array[] = [];
  private readonly lent: Uint8Array[] = [];
  private peerFinished = false;
  private sendingEnded = false;
  private paused = false;
  private announced = false;
  heldBytes = 0;
  /** The most that was ever held. */
  peakBytes = 0;
  /** With what the peer reset its half. */
  resetCode: number | undefined;
  /** With what the peer refused ours. */
  stopCode: number | undefined;

  readonly chunkBytes = WRITE_CHUNK_BYTES;

  constructor(handlers: StreamHandlers) {
    this.handlers = handlers;
  }

  static pair(a: StreamHandlers, b: StreamHandlers): [MemoryStream, MemoryStream] {
    const first = new MemoryStream(a);
    const second = new MemoryStream(b);
    first.other = second;
    second.other = first;
    return [first, second];
  }

  private get peer(): MemoryStream {
    if (this.other === undefined) throw new Error("the stream has no other end");
    return this.other;
  }

  write(_nowMs: number, chunk: Uint8Array): boolean {
    if (this.sendingEnded) return true;
    const { peer } = this;
    // A copy, as if it had travelled: the reader's memory is not the writer's.
    peer.inbox.push(new Uint8Array(chunk));
    peer.heldBytes += chunk.length;
    peer.peakBytes = Math.max(peer.peakBytes, peer.heldBytes);
    peer.announce();
    this.paused = peer.heldBytes >= WINDOW_BYTES;
    return !this.paused;
  }

  finish(): void {
    if (this.sendingEnded) return;
    this.sendingEnded = true;
    this.peer.peerFinished = true;
    this.peer.announce();
  }

  reset(_nowMs: number, code: number): void {
    const { peer } = this;
    if (peer.resetCode !== undefined || peer.readEnded) return;
    this.sendingEnded = true;
    peer.resetCode = code;
    peer.inbox = [];
    peer.heldBytes = 0;
    setImmediate(() => peer.handlers.onStreamReset(peer));
  }

  stopSending(_nowMs: number, code: number): void {
    const { peer } = this;
    if (this.resetCode !== undefined || this.readEnded || peer.stopCode !== undefined) return;
    peer.stopCode = code;
    peer.reset(0, code);
    setImmediate(() => peer.handlers.onStopSending(peer));
  }

  read(): Uint8Array | undefined {
    const chunk = this.inbox.shift();
    if (chunk === undefined) {
      this.announced = false;
      return undefined;
    }
    this.heldBytes -= chunk.length;
    this.lent.push(chunk);
    const { peer } = this;
    if (peer.paused && this.heldBytes < WINDOW_BYTES) {
      peer.paused = false;
      setImmediate(() => peer.handlers.onWritable(peer));
    }
    return chunk;
  }

  release(): void {
    // What was lent is written over at once, as recycled memory is sooner or later: a reader that was not done with it is found out.
    for (const chunk of this.lent.splice(0)) chunk.fill(0xdb);
  }

  get readEnded(): boolean {
    return this.resetCode === undefined && this.peerFinished && this.inbox.length === 0;
  }

  private announce(): void {
    if (this.announced && !this.peerFinished) return;
    this.announced = true;
    setImmediate(() => {
      if (this.resetCode === undefined) this.handlers.onReadable(this);
    });
  }
}
