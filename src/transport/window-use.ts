// Whether the congestion window is made use of. A flow that the peer's credit or its own writer holds back still finds the window
// full for a moment whenever a burst leaves, so the moment of an acknowledgement says little; the most that was in flight during
// a round trip does. A window more than twice as large has not been tried, and must not grow (RFC 9002 §7.8, RFC 7661 §4.2):
// one that did would let a burst of any size loose on the path later.

export class WindowUse {
  private roundStartMs = Number.NEGATIVE_INFINITY;
  /** The most in flight during this round trip and during the one before. */
  private peakBytes = 0;
  private lastPeakBytes = 0;

  /** A packet left. @param inFlightBytes what is in flight, this packet included. */
  onSent(inFlightBytes: number): void {
    if (inFlightBytes > this.peakBytes) this.peakBytes = inFlightBytes;
  }

  /** @param newestSentAtMs when the newest packet that is now acknowledged was sent. */
  onAck(nowMs: number, newestSentAtMs: number, inFlightBytes: number): void {
    if (newestSentAtMs < this.roundStartMs) return;
    this.roundStartMs = nowMs;
    this.lastPeakBytes = this.peakBytes;
    this.peakBytes = inFlightBytes;
  }

  /** @returns whether at least half of a window of this size was used lately. */
  isUsed(windowBytes: number): boolean {
    return windowBytes <= 2 * Math.max(this.peakBytes, this.lastPeakBytes);
  }
}
