// Finds the largest datagram that a path carries (DPLPMTUD, RFC 8899) by sending padded probes of sizes that networks are made of, and
// notices when a size that worked works no more (a black hole: no ICMP ever tells). A lost probe is no sign of congestion.

import {
  DATAGRAM_BYTES_ETHERNET,
  MTU_BLACK_HOLE_PACKETS,
  MTU_PROBES_MAX,
  MTU_RAISE_MS,
  MTU_SIZES,
} from "../base/limits.ts";

export class MtuDiscovery {
  /** The largest datagram that has passed. */
  private passedBytes: number;
  /** Sizes at or above this have failed. */
  private failedBytes: number;
  private readonly maxBytes: number;
  private readonly startBytes: number;
  private outBytes = 0;
  private tries = 0;
  private probeAtMs: number;
  /** Packets above the least size that were lost though they were sent after every one of them that was acknowledged. */
  private largeLost = 0;
  private largeAckedNumber = -1;

  /**
   * @param startBytes what every path is taken to carry.
   * @param maxBytes the most that the peer takes.
   */
  constructor(nowMs: number, startBytes: number, maxBytes: number) {
    this.startBytes = startBytes;
    this.passedBytes = startBytes;
    this.maxBytes = maxBytes;
    this.failedBytes = maxBytes + 1;
    this.probeAtMs = nowMs;
  }

  /** UDP payload that packets may have, in bytes. */
  get datagramBytes(): number {
    return this.passedBytes;
  }

  /** The next size to try: Ethernet's, which most paths carry; then upward from what passed, or into the middle of what is left below. */
  private get nextBytes(): number | undefined {
    const untried = MTU_SIZES.filter(
      (size) => size > this.passedBytes && size < this.failedBytes && size <= this.maxBytes,
    );
    if (untried.includes(DATAGRAM_BYTES_ETHERNET)) return DATAGRAM_BYTES_ETHERNET;
    return this.failedBytes > DATAGRAM_BYTES_ETHERNET ? untried[0] : untried[untried.length >> 1];
  }

  /** @returns the size of a probe that is due, or undefined. */
  probeDue(nowMs: number): number | undefined {
    return nowMs >= this.probeAtMs && this.outBytes === 0 ? this.nextBytes : undefined;
  }

  onProbeSent(bytes: number): void {
    this.outBytes = bytes;
  }

  onProbeAcked(nowMs: number, bytes: number): void {
    if (bytes === this.outBytes) this.outBytes = 0;
    this.tries = 0;
    if (bytes > this.passedBytes) this.passedBytes = bytes;
    this.largeLost = 0;
    this.schedule(nowMs);
  }

  /** The probe was lost, or the socket would not even take it. */
  onProbeLost(nowMs: number, bytes: number): void {
    if (bytes !== this.outBytes) return;
    this.outBytes = 0;
    if (++this.tries < MTU_PROBES_MAX) return;
    this.tries = 0;
    this.failedBytes = Math.min(this.failedBytes, bytes);
    this.schedule(nowMs);
  }

  private schedule(nowMs: number): void {
    if (this.nextBytes !== undefined) {
      this.probeAtMs = nowMs;
      return;
    }
    // Settled; routes change, so the sizes that failed are asked again some time.
    this.failedBytes = this.maxBytes + 1;
    this.probeAtMs = nowMs + MTU_RAISE_MS;
  }

  /** An ordinary packet of this size was acknowledged. */
  onPacketAcked(packetNumber: number, bytes: number): void {
    if (bytes <= this.startBytes) return;
    this.largeLost = 0;
    if (packetNumber > this.largeAckedNumber) this.largeAckedNumber = packetNumber;
  }

  /**
   * An ordinary packet of this size was lost. A full queue loses hundreds in a row, but one behind them arrives and tells of it: what was
   * sent before a packet of that size that has arrived is no sign of a black hole.
   * @returns whether this is a black hole: the path is back at the least size.
   */
  onPacketLost(nowMs: number, packetNumber: number, bytes: number): boolean {
    if (bytes <= this.startBytes || this.passedBytes === this.startBytes) return false;
    if (packetNumber < this.largeAckedNumber) return false;
    if (++this.largeLost < MTU_BLACK_HOLE_PACKETS) return false;
    return this.fallBack(nowMs);
  }

  /** Nothing large comes through any more. @returns whether that changes anything. */
  fallBack(nowMs: number): boolean {
    if (this.passedBytes === this.startBytes) return false;
    this.failedBytes = this.passedBytes;
    this.passedBytes = this.startBytes;
    this.largeLost = 0;
    this.outBytes = 0;
    this.tries = 0;
    this.probeAtMs = nowMs + MTU_RAISE_MS / 20;
    return true;
  }
}
