// How a connection ends (RFC 9000 §10.2): the CLOSE goes over every path, again after each probe timeout for it may be lost,
// and once more for a peer that goes on talking, ever more seldom. Whoever receives a CLOSE falls silent at once, so two
// farewells never answer each other.

import { CLOSING_PTO_COUNT } from "../base/limits.ts";
import type { CloseCode } from "../base/protocol-error.ts";
import type { FrameVisitor } from "../wire/frame-decoder.ts";
import type { Path } from "./path.ts";

export class Farewell {
  readonly code: CloseCode;
  readonly reason: string;
  private readonly paths: readonly Path[];
  private readonly owed: Path[] = [];
  private readonly intervalMs: number;
  private readonly untilMs: number;
  private repeatAtMs: number;
  private packetsHeard = 0;
  private answerAtPackets = 1;

  /** @param ptoMs the probe timeout of the connection's path. */
  constructor(nowMs: number, code: CloseCode, reason: string, paths: readonly Path[], ptoMs: number) {
    this.code = code;
    this.reason = reason;
    this.paths = paths.filter((path) => path.state !== "failed");
    this.intervalMs = ptoMs;
    this.repeatAtMs = nowMs + ptoMs;
    this.untilMs = nowMs + CLOSING_PTO_COUNT * ptoMs;
    this.owe();
  }

  private owe(): void {
    this.owed.length = 0;
    // Taken from the back: the path in use comes first.
    for (const path of this.paths) if (!path.active) this.owed.push(path);
    for (const path of this.paths) if (path.active) this.owed.push(path);
  }

  /** @returns the next path over which a CLOSE has to go. */
  takeNext(): Path | undefined {
    return this.owed.pop();
  }

  /** The peer still talks: it has missed the CLOSE. Answered for the first packet, the second, the fourth and so on. */
  onPacket(): void {
    if (++this.packetsHeard < this.answerAtPackets) return;
    this.answerAtPackets *= 2;
    this.owe();
  }

  /** When handleTimeout wants to be called, in ms. */
  get deadlineMs(): number {
    return Math.min(this.repeatAtMs, this.untilMs);
  }

  /** @returns whether the farewell is over. */
  handleTimeout(nowMs: number): boolean {
    if (nowMs >= this.untilMs) return true;
    if (nowMs >= this.repeatAtMs) {
      this.repeatAtMs = nowMs + this.intervalMs;
      this.owe();
    }
    return false;
  }
}

/** Reads the packets of a peer whose connection has ended here, of which nothing but its own CLOSE matters. */
export class CloseWatcher implements FrameVisitor {
  sawClose = false;

  onClose(): void {
    this.sawClose = true;
  }

  onPing(): void {}
  onAck(): void {}
  onResetStream(): void {}
  onStopSending(): void {}
  onStream(): void {}
  onMaxData(): void {}
  onMaxStreamData(): void {}
  onMaxStreams(): void {}
  onPathChallenge(): void {}
  onPathResponse(): void {}
  onPathStatus(): void {}
  onObservedAddress(): void {}
  onCandidates(): void {}
  onPunch(): void {}
  onDatagram(): void {}
}
