// Sleeps until a descriptor can be read or a moment has come, by ppoll: to some 60 µs, where a timer of Node is good to 1 ms, and in the
// order in which things happen, where a thread pool has none. It blocks the thread, so nothing else may run on it.

import type { TunLibc } from "../../src/io/tun-libc.ts";

const POLLIN = 1;
/** struct pollfd: int fd, short events, short revents. */
const ENTRY_BYTES = 8;
const WAIT_MAX_MS = 60_000;

export class DescriptorWait {
  private readonly libc: TunLibc;
  private readonly descriptors: readonly number[];
  private readonly entries: DataView<ArrayBuffer>;
  private readonly entryBytes: Uint8Array;
  private readonly timeout: Int32Array<ArrayBuffer>;
  private readonly timeoutBytes: Uint8Array;
  private readonly wordInts: number;

  constructor(libc: TunLibc, descriptors: readonly number[]) {
    this.libc = libc;
    this.descriptors = descriptors;
    this.entryBytes = new Uint8Array(descriptors.length * ENTRY_BYTES);
    this.entries = new DataView(this.entryBytes.buffer as ArrayBuffer);
    for (const [index, fd] of descriptors.entries()) {
      this.entries.setInt32(index * ENTRY_BYTES, fd, true);
      this.entries.setInt16(index * ENTRY_BYTES + 4, POLLIN, true);
    }
    // struct timespec: seconds and nanoseconds, a word each; the numbers fit into the lower half of a word.
    this.wordInts = libc.wordBytes / 4;
    this.timeout = new Int32Array(2 * this.wordInts);
    this.timeoutBytes = new Uint8Array(this.timeout.buffer);
  }

  /** Returns when any descriptor can be read, or after `timeoutMs`. */
  wait(timeoutMs: number): void {
    const boundedMs = Math.min(WAIT_MAX_MS, Math.max(0, timeoutMs));
    const seconds = Math.floor(boundedMs / 1000);
    this.timeout[0] = seconds;
    this.timeout[this.wordInts] = Math.round((boundedMs - seconds * 1000) * 1e6) % 1e9;
    this.libc.ppoll(this.entryBytes, this.descriptors.length, this.timeoutBytes);
  }

  /** Whether the descriptor of this index could be read, or is at its end, when the wait was over. */
  isReady(index: number): boolean {
    return this.entries.getInt16(index * ENTRY_BYTES + 6, true) !== 0;
  }
}
