// Which stream fills the next packet. Flow queueing as in FQ-CoDel (RFC 8290 §4): a stream that has just become busy is
// served before those that have been busy for a while, until it has sent its quantum; those take turns. So a keystroke
// passes a download, and no stream starves another: after some quanta of newcomers an old stream has its turn.

import { Fifo } from "../base/fifo.ts";
import {
  FRESH_QUANTA_MAX,
  STREAM_QUANTUM_BYTES,
  STREAM_QUANTUM_BYTES_MAX,
  STREAM_QUANTUM_WINDOW_PART,
} from "../base/limits.ts";
import type { Stream } from "./stream.ts";

export class StreamScheduler {
  private readonly fresh = new Fifo<Stream>();
  private readonly old = new Fifo<Stream>();
  private blocked: Stream[] = [];
  /** What fresh streams have sent since an old one had its turn. */
  private freshBytes = 0;

  get isEmpty(): boolean {
    return this.fresh.size === 0 && this.old.size === 0;
  }

  /** The stream may have something to send now. */
  add(stream: Stream): void {
    if (stream.queue !== "none") return;
    stream.queue = "fresh";
    stream.servedBytes = 0;
    this.fresh.push(stream);
  }

  /** @returns the stream whose turn it is. */
  get next(): Stream | undefined {
    const old = this.old.first;
    if (old !== undefined && this.freshBytes >= FRESH_QUANTA_MAX * STREAM_QUANTUM_BYTES) return old;
    return this.fresh.first ?? old;
  }

  /** The stream of `next` sent this many bytes and has more. @param windowBytes of the path. */
  served(stream: Stream, bytes: number, windowBytes = 0): void {
    stream.servedBytes += bytes;
    if (stream.queue === "fresh") this.freshBytes += bytes;
    if (stream.servedBytes < quantumBytes(stream, windowBytes)) return;
    this.shift(stream);
    stream.queue = "old";
    stream.servedBytes = 0;
    this.old.push(stream);
  }

  /** Takes the stream of `next` out of its queue. */
  private shift(stream: Stream): void {
    if (stream.queue === "fresh") {
      this.fresh.shift();
    } else {
      this.old.shift();
      this.freshBytes = 0;
    }
  }

  /** The stream of `next` has nothing to send. A fresh one stands in line once more, lest it pass the others by stopping and starting. */
  emptied(stream: Stream): void {
    const staysInLine = stream.queue === "fresh" && this.old.size > 0 && !stream.closed;
    this.shift(stream);
    stream.queue = staysInLine ? "old" : "none";
    if (!staysInLine) return;
    stream.servedBytes = 0;
    this.old.push(stream);
  }

  /** The stream of `next` has only new data and the connection has no credit. */
  block(stream: Stream): void {
    this.shift(stream);
    stream.queue = "blocked";
    this.blocked.push(stream);
  }

  /** A blocked stream has something else to send now: lost data, or a FIN. */
  unblock(stream: Stream): void {
    if (stream.queue !== "blocked") return;
    this.blocked.splice(this.blocked.indexOf(stream), 1);
    stream.queue = "none";
    this.add(stream);
  }

  /** The connection has credit again. */
  unblockAll(): void {
    const woken = this.blocked;
    this.blocked = [];
    for (const stream of woken) {
      stream.queue = "none";
      this.add(stream);
    }
  }

  /** Takes a stream out, wherever it stands. */
  remove(stream: Stream): void {
    if (stream.queue === "fresh") this.fresh.remove(stream);
    else if (stream.queue === "old") this.old.remove(stream);
    else if (stream.queue === "blocked") this.blocked.splice(this.blocked.indexOf(stream), 1);
    stream.queue = "none";
  }
}

/**
 * After how many bytes the next stream has its turn. One that has been busy for a while sends a part of the path's window in a row: where
 * the window is large each turn costs the receiver a system call, and the turns of the others come soon all the same.
 */
function quantumBytes(stream: Stream, windowBytes: number): number {
  if (stream.queue !== "old") return STREAM_QUANTUM_BYTES;
  return Math.min(Math.max(windowBytes / STREAM_QUANTUM_WINDOW_PART, STREAM_QUANTUM_BYTES), STREAM_QUANTUM_BYTES_MAX);
}
