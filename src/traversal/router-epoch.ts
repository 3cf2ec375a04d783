// Whether a router has forgotten what it knew: its answers carry for how many seconds it has known it, and that has to go as our own
// clock does (RFC 6887 §8.5). NAT-PMP's rule (RFC 6886 §3.6) is laxer; a mapping that is asked for once too often does no harm.

/** Both clocks are rounded to seconds. */
const ROUNDING_SECONDS = 2;
/** Clocks of cheap routers may be wrong by a sixteenth. */
const DRIFT = 1 / 16;

export class RouterEpoch {
  private lastEpochSeconds: number | undefined;
  private lastAtMs = 0;

  /** Takes the epoch of an answer that came now. @returns whether the router lost its state since the answer before. */
  isReset(nowMs: number, epochSeconds: number): boolean {
    const before = this.lastEpochSeconds;
    const hereSeconds = (nowMs - this.lastAtMs) / 1000;
    this.lastEpochSeconds = epochSeconds;
    this.lastAtMs = nowMs;
    if (before === undefined) return false;
    // Answers may overtake each other, but not by more than a second.
    if (epochSeconds + 1 < before) return true;
    const thereSeconds = epochSeconds - before;
    return isShort(hereSeconds, thereSeconds) || isShort(thereSeconds, hereSeconds);
  }
}

const isShort = (seconds: number, thanSeconds: number): boolean =>
  seconds + ROUNDING_SECONDS < thanSeconds * (1 - DRIFT);
