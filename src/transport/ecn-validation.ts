// Whether packets of one path are marked ECT(0), and what the peer's counts of them say (RFC 9000 §13.4.2, appendix A.4). Routers,
// sockets and peers may lose the mark, drop what bears it, or set it on everything; counts that cannot be true end its use.
//
//   testing   the first packets that ask for an acknowledgement are marked, and no others
//   unknown   so many of them are under way, or nothing comes back: nothing is marked until it is known what became of them
//   capable   everything is marked, and congestion that is told of counts
//   failed    nothing is marked, until the path leads elsewhere
//
// A single packet is lost by chance: a test of a few is repeated before the mark is blamed.

import type { EcnCounts } from "../base/ecn.ts";
import { ECN_ALL_MARKED_ROUNDS_MAX, ECN_TEST_PACKETS, ECN_TESTS_MAX } from "../base/limits.ts";

export type EcnState = "testing" | "unknown" | "capable" | "failed";

export class EcnValidation {
  state: EcnState = "testing";
  /** The first packet that the present test, and this route, may be judged by. */
  private testFrom = 0;
  private routeFrom = 0;
  private tests = 1;
  private testSent = 0;
  private testLost = 0;
  /** Since the route was opened: packets lost in tests, and packets that arrived with CE before any arrived with ECT(0). */
  private allTestsLost = 0;
  private congestedBefore = 0;
  /** Packets ever marked, and those acknowledged of this route. */
  private sent = 0;
  private acked = 0;
  /** What the peer told last, and what it had told when the route was opened. */
  private ect0 = 0;
  private ect1 = 0;
  private ce = 0;
  private reportedBefore = 0;
  private ect1Before = 0;
  /** Congestion is answered once a round trip: the first packet that was sent behind the last answer. */
  private answerFrom = 0;
  /** Answers in a row between which nothing came without CE. */
  private allMarkedRounds = 0;
  /** Everything marked was lost, and has been held against the path as congestion. */
  private lostToMark = false;

  /** @param eliciting whether the packet asks for an acknowledgement: of others it is never known whether they arrived. */
  marks(eliciting: boolean): boolean {
    return this.state === "capable" || (this.state === "testing" && eliciting);
  }

  /** A marked packet was sent. */
  onSent(eliciting: boolean): void {
    this.sent++;
    if (this.state !== "testing" || !eliciting) return;
    if (++this.testSent >= ECN_TEST_PACKETS) this.state = "unknown";
  }

  /** A marked packet was acknowledged. */
  onAcked(packetNumber: number): void {
    if (packetNumber >= this.routeFrom) this.acked++;
  }

  /** A marked packet was found lost, which takes a later one that arrived. */
  onLost(packetNumber: number, nextPacketNumber: number): void {
    if (packetNumber < this.testFrom || (this.state !== "testing" && this.state !== "unknown")) return;
    this.testLost++;
    this.allTestsLost++;
    if (this.state !== "unknown" || this.testLost < this.testSent) return;
    if (this.allTestsLost >= ECN_TEST_PACKETS || this.tests >= ECN_TESTS_MAX) {
      this.state = "failed";
      this.lostToMark = true;
    } else {
      this.tests++;
      this.test(nextPacketNumber);
    }
  }

  /** @returns whether packets were lost for their mark, once: that was no congestion. */
  takeLostToMark(): boolean {
    const lost = this.lostToMark;
    this.lostToMark = false;
    return lost;
  }

  private test(nextPacketNumber: number): void {
    this.state = "testing";
    this.testFrom = nextPacketNumber;
    this.testSent = 0;
    this.testLost = 0;
  }

  /** Nothing comes back, for the so-manieth time: it may be the mark. What is sent to find out bears none. */
  onProbeTimeout(count: number, nextPacketNumber: number): void {
    if (this.state === "testing") this.state = "unknown";
    else if (this.state === "capable" && count >= 2) {
      this.test(nextPacketNumber);
      this.state = "unknown";
    }
  }

  /**
   * An ACK frame was taken in that acknowledges a newer packet than any before; older ones may have overtaken each other.
   * @param counts undefined where it has none
   * @param largest the newest packet that it acknowledges
   * @returns whether congestion is to be answered now.
   */
  onAck(counts: EcnCounts | undefined, largest: number, nextPacketNumber: number): boolean {
    if (counts === undefined) {
      if (this.acked > 0 || this.ect0 + this.ce > this.reportedBefore) this.state = "failed";
      this.testAgain(largest, nextPacketNumber);
      return false;
    }
    const isTrue = this.isTrue(counts);
    const newEct0 = counts.ect0 - this.ect0;
    const newCe = counts.ce - this.ce;
    this.ect0 = counts.ect0;
    this.ect1 = counts.ect1;
    this.ce = counts.ce;
    if (!isTrue) this.state = "failed";
    else if (this.state === "testing" || this.state === "unknown") this.judgeTest(newEct0, newCe);
    this.testAgain(largest, nextPacketNumber);
    return this.state === "capable" && this.isToBeAnswered(newEct0, newCe, largest, nextPacketNumber);
  }

  /** Whether the counts can be what became of what was sent: none goes back, none is too high, and what is acknowledged is in them. */
  private isTrue({ ect0, ect1, ce }: EcnCounts): boolean {
    if (ect0 < this.ect0 || ce < this.ce || ect1 !== this.ect1Before) return false;
    return ect0 + ce <= this.sent && ect0 + ce - this.reportedBefore >= this.acked;
  }

  private judgeTest(newEct0: number, newCe: number): void {
    if (newEct0 > 0) {
      this.state = "capable";
      this.tests = 1;
      this.allTestsLost = 0;
      return;
    }
    // A queue does not mark all of the first packets; who marks everything says nothing.
    this.congestedBefore += newCe;
    if (this.congestedBefore >= ECN_TEST_PACKETS) this.state = "failed";
  }

  /** After a silence that may have been the mark's doing an unmarked packet has arrived. */
  private testAgain(largest: number, nextPacketNumber: number): void {
    if (this.state === "unknown" && this.testSent === 0 && largest >= this.testFrom) this.test(nextPacketNumber);
  }

  private isToBeAnswered(newEct0: number, newCe: number, largest: number, nextPacketNumber: number): boolean {
    if (newEct0 > 0) this.allMarkedRounds = 0;
    if (newCe === 0 || largest < this.answerFrom) return false;
    this.answerFrom = nextPacketNumber;
    if (++this.allMarkedRounds <= ECN_ALL_MARKED_ROUNDS_MAX) return true;
    this.state = "failed";
    return false;
  }

  /** The path leads elsewhere from this packet on. The peer goes on counting. */
  restart(nextPacketNumber: number): void {
    this.test(nextPacketNumber);
    this.routeFrom = nextPacketNumber;
    this.tests = 1;
    this.allTestsLost = 0;
    this.congestedBefore = 0;
    this.acked = 0;
    this.reportedBefore = this.ect0 + this.ce;
    this.ect1Before = this.ect1;
    this.answerFrom = nextPacketNumber;
    this.allMarkedRounds = 0;
    this.lostToMark = false;
  }
}
