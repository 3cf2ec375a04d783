// How long a socket is best left alone between two reads: what network cards call interrupt coalescing. A link of 100 Mbit/s delivers a
// packet each eighth of a millisecond, and a program that is woken up for every one of them spends ten times as much on waking up, on
// acknowledging and on handing on what it has got as on the packet itself. Reading some of them at a time takes a part of a
// millisecond, so it is done only for a flow of large packets that has lasted for a while, and only for a small part of the round
// trip that its sender counts with.
//
// Measured at 94 Mbit/s over a round trip of 50 ms, on two cores of an EPYC: the receiving agent took 0.65 of a processor, and takes 0.25.

import {
  COALESCED_MESSAGE_BYTES_MAX,
  COALESCED_MESSAGE_BYTES_MIN,
  COALESCED_MESSAGES,
  COALESCED_MESSAGES_MIN,
  COALESCING_EMPTY_READS,
  COALESCING_MS_MAX,
  COALESCING_MS_MIN,
  COALESCING_WINDOW_MS,
} from "../base/limits.ts";

export class ReceiveCoalescing {
  private windowStartMs = Number.NEGATIVE_INFINITY;
  private messages = 0;
  private bytes = 0;
  private emptyReads = 0;
  private pauseMs = 0;

  /**
   * To be called after every read.
   * @param messages how many there were. Packets that the kernel has joined are one: they were one wake-up.
   * @param patienceMs tells how long a message may wait for others; asked now and then.
   * @returns how long nothing should be read, in ms; 0 to be woken up by the next message.
   */
  onRead(nowMs: number, messages: number, bytes: number, patienceMs?: () => number): number {
    this.messages += messages;
    this.bytes += bytes;
    this.emptyReads = messages === 0 ? this.emptyReads + 1 : 0;
    const elapsedMs = nowMs - this.windowStartMs;
    if (elapsedMs >= COALESCING_WINDOW_MS) {
      this.pauseMs = this.pauseAfter(elapsedMs, patienceMs);
      this.windowStartMs = nowMs;
      this.messages = 0;
      this.bytes = 0;
    } else if (this.emptyReads >= COALESCING_EMPTY_READS) {
      // The flow has ended, and the next message may be the answer that somebody waits for.
      this.pauseMs = 0;
    }
    return this.pauseMs;
  }

  /** Of the window that is over. */
  private pauseAfter(elapsedMs: number, patienceMs?: () => number): number {
    const messagesPerMs = this.messages / elapsedMs;
    if (messagesPerMs * COALESCING_MS_MAX < COALESCED_MESSAGES_MIN) return 0;
    // Acknowledgements and keystrokes are small; and what the kernel has joined is a group already.
    const meanBytes = this.bytes / this.messages;
    if (meanBytes < COALESCED_MESSAGE_BYTES_MIN || meanBytes > COALESCED_MESSAGE_BYTES_MAX) return 0;
    const boundMs = Math.min(Math.max(patienceMs?.() ?? 0, COALESCING_MS_MIN), COALESCING_MS_MAX);
    const pauseMs = Math.min(Math.max(COALESCED_MESSAGES / messagesPerMs, COALESCING_MS_MIN), boundMs);
    return messagesPerMs * pauseMs < COALESCED_MESSAGES_MIN ? 0 : pauseMs;
  }
}
