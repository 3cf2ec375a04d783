// How fast a path delivers (draft-ietf-ccwg-bbr-04 §4.1, before that draft-cheng-iccrg-delivery-rate-estimation). Each packet remembers
// how much had been delivered when it left; its acknowledgement tells how much was delivered since and in what time. The longer
// of two times counts, the sending's and the acknowledging's: neither a burst that was sent nor acknowledgements that came
// in a bunch make a path look faster than it is. A sample of a time in which the application had nothing to send is marked: it
// shows what was asked of the path, not what it can do.
//
// What a packet remembers lies in rows of one array that is used again, by packet number: nothing is allocated a packet.

/** Columns of a row. */
const SENT_AT = 0;
const DELIVERED = 1;
const DELIVERED_AT = 2;
const FIRST_SENT_AT = 3;
const LOST = 4;
/** Bytes in flight with this packet, negative where it was sent while the application limited the rate. */
const IN_FLIGHT = 5;
/** Its round trip; 0 while it is not acknowledged. */
const RTT = 6;
const COLUMNS = 7;
/** No packet that was sent more than so many before or behind another one is its neighbour. */
const NEIGHBOURS = 8;

/** As with the record of sent packets: most paths are idle. */
const ROWS_START = 16;

export class DeliveryRate {
  private rows = new Float64Array(ROWS_START * COLUMNS);
  private mask = ROWS_START - 1;
  /** Bytes ever acknowledged, and when the last of them were, in ms. */
  deliveredBytes = 0;
  private deliveredAtMs = 0;
  /** Bytes ever found lost. */
  lostBytes = 0;
  /** When the newest packet that was acknowledged left, or the first one after an idle time. */
  private firstSentAtMs = 0;
  /** The application limits the rate until this much has been delivered; −1 where it does not. */
  private limitedUntilBytes = -1;

  // The sample of the latest ACK frame, or, where a loss was told last, of the packet that was lost.

  /** In bytes per ms; 0 where the acknowledgement tells none. */
  sampleBytesPerMs = 0;
  /** Delivered while the sample's packet was under way. */
  sampleDeliveredBytes = 0;
  /** Delivered before that packet left. */
  samplePriorBytes = 0;
  /** In flight when it left, itself included. */
  sampleInFlightBytes = 0;
  /** Found lost while it was under way. */
  sampleLostBytes = 0;
  sampleIsAppLimited = false;
  /** When it left, in ms. */
  sampleSentAtMs = 0;
  /** The least round trip of the packets in the latest ACK frame, in ms; Infinity for none. */
  sampleRttMs = Number.POSITIVE_INFINITY;
  /** How long that packet is. */
  sampleRttBytes = 0;
  /** The same, or that of the ACK frame before where a packet is found lost without one; 0 before there is any. */
  latestRttMs = 0;
  /** That of the latest packet. */
  packetRttMs = 0;
  /** Newly acknowledged by it. */
  newlyAckedBytes = 0;
  private newest = -1;
  private lastSent = -1;

  /** @param lowest no packet below is in flight or will be told of. */
  onSent(nowMs: number, packetNumber: number, bytes: number, inFlightBytes: number, lowest: number): void {
    if (packetNumber - lowest > this.mask) this.grow(packetNumber, lowest);
    if (inFlightBytes <= bytes) {
      // The first one after an idle time: the idle time is no part of any sample.
      this.firstSentAtMs = nowMs;
      this.deliveredAtMs = nowMs;
    }
    const { rows } = this;
    const row = (packetNumber & this.mask) * COLUMNS;
    rows[row + SENT_AT] = nowMs;
    rows[row + DELIVERED] = this.deliveredBytes;
    rows[row + DELIVERED_AT] = this.deliveredAtMs;
    rows[row + FIRST_SENT_AT] = this.firstSentAtMs;
    rows[row + LOST] = this.lostBytes;
    rows[row + IN_FLIGHT] = this.isAppLimited ? -inFlightBytes : inFlightBytes;
    rows[row + RTT] = 0;
    // Packets that only acknowledge have numbers too, and nobody tells of them: their rows are those of packets long ago.
    const first = Math.max(this.lastSent + 1, packetNumber - this.mask);
    for (let n = first; n < packetNumber; n++) rows[(n & this.mask) * COLUMNS + RTT] = 0;
    this.lastSent = packetNumber;
  }

  private grow(packetNumber: number, lowest: number): void {
    const { rows, mask } = this;
    let count = mask + 1;
    while (packetNumber - lowest >= count) count *= 2;
    this.mask = count - 1;
    this.rows = new Float64Array(count * COLUMNS);
    for (let n = Math.max(lowest, packetNumber - mask - 1); n < packetNumber; n++) {
      const from = (n & mask) * COLUMNS;
      this.rows.set(rows.subarray(from, from + COLUMNS), (n & this.mask) * COLUMNS);
    }
  }

  /** What is sent from now on, until all that is in flight has been delivered, shows the application's rate and not the path's. */
  markAppLimited(inFlightBytes: number): void {
    this.limitedUntilBytes = this.deliveredBytes + inFlightBytes;
  }

  get isAppLimited(): boolean {
    return this.limitedUntilBytes >= 0;
  }

  /** One packet of an ACK frame. */
  onAcked(nowMs: number, packetNumber: number, bytes: number): void {
    this.deliveredBytes += bytes;
    this.deliveredAtMs = nowMs;
    this.newlyAckedBytes += bytes;
    if (packetNumber > this.newest) this.newest = packetNumber;
    const row = (packetNumber & this.mask) * COLUMNS;
    const rttMs = nowMs - (this.rows[row + SENT_AT] as number);
    this.rows[row + RTT] = rttMs;
    this.packetRttMs = rttMs;
    if (rttMs < this.sampleRttMs) {
      this.sampleRttMs = rttMs;
      this.sampleRttBytes = bytes;
    }
    this.latestRttMs = this.sampleRttMs;
  }

  /** Behind the last packet of an ACK frame: makes the sample. @param minRttMs a time shorter than this measures nothing. */
  endAck(minRttMs: number): void {
    const { rows } = this;
    if (this.newest < 0) return;
    const row = this.select(this.newest);
    this.sampleDeliveredBytes = this.deliveredBytes - this.samplePriorBytes;
    const sendMs = (rows[row + SENT_AT] as number) - (rows[row + FIRST_SENT_AT] as number);
    const ackMs = this.deliveredAtMs - (rows[row + DELIVERED_AT] as number);
    const intervalMs = Math.max(sendMs, ackMs);
    this.sampleBytesPerMs = intervalMs > 0 && intervalMs >= minRttMs ? this.sampleDeliveredBytes / intervalMs : 0;
    this.firstSentAtMs = Math.max(this.firstSentAtMs, rows[row + SENT_AT] as number);
    if (this.deliveredBytes > this.limitedUntilBytes) this.limitedUntilBytes = -1;
  }

  /** The sample has been used. */
  beginAck(): void {
    this.newest = -1;
    this.newlyAckedBytes = 0;
    this.sampleBytesPerMs = 0;
    this.sampleRttMs = Number.POSITIVE_INFINITY;
  }

  /** A packet was found lost: the sample is what was in flight and lost since it left. */
  onLost(packetNumber: number, bytes: number): void {
    this.lostBytes += bytes;
    this.select(packetNumber);
  }

  /** @returns the longer round trip of the packets next to this one, before and behind it, that were acknowledged, in ms; Infinity where one is missing. */
  neighboursRttMs(packetNumber: number): number {
    return Math.max(this.nearestRttMs(packetNumber, -1), this.nearestRttMs(packetNumber, 1));
  }

  private nearestRttMs(packetNumber: number, step: 1 | -1): number {
    for (let distance = 1; distance <= NEIGHBOURS; distance++) {
      const n = packetNumber + step * distance;
      // Rows of packets that are settled stay until they are used again.
      if (n < this.lastSent - this.mask || n > this.lastSent) break;
      const rttMs = this.rows[(n & this.mask) * COLUMNS + RTT] as number;
      if (rttMs > 0) return rttMs;
    }
    return Number.POSITIVE_INFINITY;
  }

  private select(packetNumber: number): number {
    const { rows } = this;
    const row = (packetNumber & this.mask) * COLUMNS;
    this.sampleSentAtMs = rows[row + SENT_AT] as number;
    this.samplePriorBytes = rows[row + DELIVERED] as number;
    const inFlight = rows[row + IN_FLIGHT] as number;
    this.sampleInFlightBytes = Math.abs(inFlight);
    this.sampleIsAppLimited = inFlight < 0;
    this.sampleLostBytes = this.lostBytes - (rows[row + LOST] as number);
    return row;
  }
}
