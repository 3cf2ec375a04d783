// Writes lines to a descriptor without ever holding the process up or ending it. Node writes to a pipe synchronously: a reader that
// stopped reading would stop the whole tunnel, and one that left would end it with EPIPE. Here one write is under way at
// a time, outside the event loop; a bounded number of lines wait, and what is beyond them is dropped.

import { write, writeSync } from "node:fs";
import { OUTPUT_LINES_MAX } from "../base/limits.ts";

/** How long a descriptor that is full (a terminal in non-blocking mode) is left alone. */
const RETRY_MS = 10;

export class LineWriter {
  private readonly descriptor: number;
  private waiting: string[] = [];
  private writing = false;
  private readerGone = false;
  private idle: (() => void)[] = [];

  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  /** @param line without its line break. */
  write(line: string): void {
    if (this.readerGone || this.waiting.length >= OUTPUT_LINES_MAX) return;
    this.waiting.push(`${line}\n`);
    this.next();
  }

  /** @returns when all has been written, or nobody reads any more, or `timeoutMs` have passed. */
  flush(timeoutMs: number): Promise<void> {
    if (!this.writing) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private next(): void {
    if (this.writing) return;
    if (this.readerGone || this.waiting.length === 0) {
      for (const done of this.idle.splice(0)) done();
      return;
    }
    const text = this.waiting.join("");
    this.waiting = [];
    this.writing = true;
    this.put(Buffer.from(text));
  }

  private put(bytes: Buffer): void {
    write(this.descriptor, bytes, (error, written) => {
      if (error?.code === "EAGAIN") {
        setTimeout(() => this.put(bytes), RETRY_MS);
        return;
      }
      // EPIPE: the reader left. Whatever else it is, there is no better place to tell it.
      if (error !== null) this.readerGone = true;
      else if (written < bytes.length) {
        this.put(bytes.subarray(written));
        return;
      }
      this.writing = false;
      this.next();
    });
  }
}

/** Writes at once, for the last words of a process. A reader that is not there is no reason to fail. */
export function writeLineNow(descriptor: number, line: string): void {
  try {
    writeSync(descriptor, `${line}\n`);
  } catch {
    // Nobody reads it, and there is nobody else to tell.
  }
}

/** The last words of a process for a script. */
export function writeErrorEvent(code: string, message: string): void {
  writeLineNow(1, JSON.stringify({ event: "error", code, message }));
}
