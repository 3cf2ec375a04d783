// One path: a route that a challenge has proved, with packet numbers, RTT, window, pacing and loss recovery of its own
// (RFC 9002). Several paths of a connection share nothing but the streams.

import type { EcnCounts } from "../base/ecn.ts";
import {
  ACK_DELAY_MAX_MS,
  DATA_HEADER_BYTES,
  PTO_BASE_MAX_MS,
  PTO_MAX_MS,
  RTT_SAMPLE_MAX_MS,
  SENT_PACKETS_MAX,
  SUSPECT_PTO_COUNT,
  TAG_BYTES,
} from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import { isStreamCarrier, type Route, type Via } from "../base/route.ts";
import type { CongestionController } from "./congestion-controller.ts";
import { EcnValidation } from "./ecn-validation.ts";
import { LossDetection } from "./loss-detection.ts";
import { LossEvent } from "./loss-event.ts";
import { MtuDiscovery } from "./mtu-discovery.ts";
import { Pacer } from "./pacer.ts";
import { PathQuality } from "./path-quality.ts";
import type { PathState, PathSummary } from "./path-summary.ts";
import { RttEstimator } from "./rtt-estimator.ts";
import { packetState, type SentPacket, SentPackets } from "./sent-packets.ts";
import type { TransportSettings } from "./transport-settings.ts";
import { WindowUse } from "./window-use.ts";

/** What settles or loses a packet is told here. */
export interface PacketOwner {
  onPacketAcked(packet: SentPacket, nowMs: number): void;
  onPacketLost(packet: SentPacket): void;
}

type PathSettings = Pick<TransportSettings, "datagramBytes" | "datagramBytesMax" | "congestion" | "timerMs">;
export class Path implements PathSummary {
  readonly id: number;
  route: Route;
  state: PathState = "working";
  active = false;
  readonly rtt = new RttEstimator();
  congestion: CongestionController;
  private readonly settings: PathSettings;
  readonly sent = new SentPackets();
  readonly loss = new LossDetection();
  readonly pacer: Pacer;
  readonly ecn = new EcnValidation();
  quality: PathQuality;
  /** Data fare badly here: another path is preferred where there is one. */
  demoted = false;
  /** When the path last worked again after it had been suspect. */
  outageEndedMs = Number.NEGATIVE_INFINITY;
  /** UDP payload of a full packet on this path, the relay's header included. */
  datagramBytes: number;
  private mtuSearch: MtuDiscovery;
  /** Probe timeouts in a row without an acknowledgement, by which the next one is backed off. */
  ptoCount = 0;
  /** The same count as evidence against the path: the back-off may start anew, silence stays silence. */
  private probesUnanswered = 0;
  /** Probes that are to go now, past window and pacing. */
  probesOwed = 0;
  /** Packets of data that are to go now, past the window, though another path carries the data: that one is in doubt. */
  copiesOwed = 0;
  lostPackets = 0;
  /** When it came to be, or began anew. */
  openedAtMs: number;
  /** When anything ack-eliciting was last sent; −∞ before. */
  lastElicitingAtMs = Number.NEGATIVE_INFINITY;
  /** When anything at all was last sent here, or came from here. */
  lastSentAtMs: number;
  lastHeardAtMs: number;
  /** When it last followed its peer to another address. */
  movedAtMs = Number.NEGATIVE_INFINITY;
  /** When it became suspect, while it is. */
  suspectSinceMs = 0;
  /** There was room in the window and nothing to send: such a flow must not grow its window. */
  appLimited = true;
  /** When the pacer lets the next packet go; Infinity while it holds nothing back. */
  pacingAtMs = Number.POSITIVE_INFINITY;
  /** Packets in a row that only acknowledged. */
  ackOnlyPackets = 0;
  /** A PING is wanted: keepalive or a question of the application. */
  pingWanted = false;
  private readonly owner: PacketOwner;
  private readonly lossEvent = new LossEvent();
  private readonly windowUse = new WindowUse();

  // Sums over one ACK frame; fields, so that the visitor below is made once.
  private ackedBytes = 0;
  private ackedNewestSentAtMs = 0;
  private ackedNewest: SentPacket | undefined;
  private ackNowMs = 0;
  private readonly visitAcked = (packet: SentPacket): void => this.onOneAcked(packet);
  private readonly visitLost = (packet: SentPacket): void => this.onOneLost(packet);

  constructor(id: number, route: Route, nowMs: number, settings: PathSettings, owner: PacketOwner) {
    this.id = id;
    this.route = route;
    this.settings = settings;
    this.pacer = new Pacer(settings.timerMs);
    const { datagramBytes, datagramBytesMax } = settings;
    this.datagramBytes = datagramBytes;
    this.mtuSearch = new MtuDiscovery(nowMs, datagramBytes, datagramBytesMax);
    this.quality = new PathQuality(nowMs);
    this.congestion = settings.congestion(datagramBytes);
    this.owner = owner;
    this.openedAtMs = nowMs;
    this.lastSentAtMs = nowMs;
    this.lastHeardAtMs = nowMs;
    this.updatePacer();
  }

  get via(): Via {
    return this.route.via;
  }
  get rttMs(): number {
    return this.rtt.smoothedMs;
  }
  get hasRtt(): boolean {
    return this.rtt.hasSample;
  }
  get windowBytes(): number {
    return this.congestion.windowBytes;
  }
  get bytesInFlight(): number {
    return this.sent.bytesInFlight;
  }

  /** Bytes of frames that a full packet on this path has room for. */
  get frameBytes(): number {
    return this.datagramBytes - this.route.prefix.length - DATA_HEADER_BYTES - TAG_BYTES;
  }

  /** Whether the window admits another packet. */
  get hasWindow(): boolean {
    return (
      this.sent.bytesInFlight + this.datagramBytes <= this.congestion.windowBytes || this.sent.packetsInFlight === 0
    );
  }

  // ---- sending

  /** Whether a packet that is sent now bears ECT(0): a stream has no packets that a router could mark. */
  marks(eliciting: boolean): boolean {
    return this.ecn.marks(eliciting) && !isStreamCarrier(this.route.carrier);
  }

  onPacketSent(packet: SentPacket, nowMs: number, bytes: number, eliciting: boolean): void {
    this.sent.commit(packet, bytes, eliciting);
    if (packet.marked) this.ecn.onSent(eliciting);
    if (this.sent.rememberedPackets > SENT_PACKETS_MAX) this.giveUpOldest(nowMs);
    this.lastSentAtMs = nowMs;
    if (!eliciting) {
      this.ackOnlyPackets++;
      return;
    }
    this.ackOnlyPackets = 0;
    this.lastElicitingAtMs = nowMs;
    this.pingWanted = false;
    this.congestion.onPacketSent(nowMs, packet.packetNumber, bytes, this.sent, this.appLimited);
    this.windowUse.onSent(this.sent.bytesInFlight);
    this.pacer.onSent(bytes);
  }

  /** Only a peer that answers nothing lets the record grow this long: what has waited longest is sent anew, or forgotten. */
  private giveUpOldest(nowMs: number): void {
    const oldest = this.sent.get(this.sent.lowestRemembered) as SentPacket;
    if (oldest.state === packetState.inFlight) this.giveUp(nowMs, oldest);
    this.sent.forgetLowest();
  }

  private updatePacer(): void {
    const { congestion } = this;
    this.pacer.update(congestion.pacingBytesPerMs(this.rtt), this.datagramBytes, congestion.paceHasSlack);
  }

  // ---- acknowledgements

  /** @param ranges [largest, smallest] pairs from above. @throws ProtocolError for packets that were never sent. */
  onAck(nowMs: number, delayUs: number, ranges: Float64Array, rangeCount: number, counts?: EcnCounts): void {
    const largest = ranges[0] as number;
    if (largest >= this.sent.nextPacketNumber) {
      throw new ProtocolError(closeCode.violation, `path ${this.id}: packet ${largest} was never sent`);
    }
    this.ackNowMs = nowMs;
    this.ackedBytes = 0;
    this.ackedNewest = undefined;
    this.ackedNewestSentAtMs = Number.NEGATIVE_INFINITY;
    const isNewest = largest > this.loss.largestAcked;
    if (isNewest) this.loss.largestAcked = largest;
    // The sample first: what is acknowledged below is judged by the new RTT.
    const newest = this.sent.get(largest);
    if (newest?.state === packetState.inFlight && nowMs - newest.sentAtMs <= RTT_SAMPLE_MAX_MS) {
      this.rtt.sample(nowMs - newest.sentAtMs, Math.min(delayUs / 1000, ACK_DELAY_MAX_MS));
      this.lossEvent.onRttSample(nowMs);
    }
    for (let i = 0; i < rangeCount; i++) {
      this.sent.acknowledge(ranges[i * 2 + 1] as number, ranges[i * 2] as number, this.visitAcked);
    }
    this.detectLoss(nowMs);
    if (isNewest && this.ecn.onAck(counts, largest, this.sent.nextPacketNumber)) {
      this.congestion.onCongestionExperienced(nowMs, newest?.sentAtMs ?? nowMs);
    }
    if (this.ackedBytes > 0) {
      this.windowUse.onAck(nowMs, this.ackedNewestSentAtMs, this.sent.bytesInFlight);
      this.congestion.onAck(
        nowMs,
        this.ackedBytes,
        this.ackedNewestSentAtMs,
        this.rtt,
        this.appLimited || !this.windowUse.isUsed(this.congestion.windowBytes),
        this.sent.bytesInFlight,
      );
    }
    if (this.ackedNewest !== undefined) {
      this.ptoCount = 0;
      this.probesUnanswered = 0;
      this.probesOwed = 0;
      this.lastHeardAtMs = nowMs;
    }
    this.sent.trim(nowMs - 3 * this.ptoMs());
    this.updatePacer();
  }

  private onOneAcked(packet: SentPacket): void {
    if (packet.state === packetState.untracked || packet.state === packetState.acked) return;
    if (packet.marked) this.ecn.onAcked(packet.packetNumber);
    if (packet.state === packetState.inFlight) this.ackedBytes += packet.bytes;
    else if (!packet.givenUp) this.onSpuriousLoss(packet);
    if (!packet.givenUp) this.congestion.onPacketAcked(this.ackNowMs, packet.packetNumber, packet.bytes);
    if (packet.sentAtMs >= this.ackedNewestSentAtMs) {
      this.ackedNewestSentAtMs = packet.sentAtMs;
      this.ackedNewest = packet;
    }
    this.sent.settle(packet, packetState.acked);
    if (packet.mtuProbe) this.mtuSearch.onProbeAcked(this.ackNowMs, packet.bytes);
    else this.mtuSearch.onPacketAcked(packet.packetNumber, packet.bytes);
    if (!packet.mtuProbe) this.quality.onAcked();
    if (this.mtuSearch.datagramBytes !== this.datagramBytes) this.onMtuChanged();
    this.owner.onPacketAcked(packet, this.ackNowMs);
  }

  /** A packet that was declared lost has arrived: wait longer next time, and undo the reduction if it was the last one missing. */
  private onSpuriousLoss(packet: SentPacket): void {
    this.loss.onSpurious(packet, this.ackNowMs, this.rtt);
    if (this.lossEvent.onArrived(packet)) this.congestion.onSpuriousLoss();
  }

  // ---- loss

  private detectLoss(nowMs: number): void {
    const { lossEvent } = this;
    lossEvent.begin();
    this.loss.detect(nowMs, this.sent, this.rtt, this.visitLost);
    const newestSentAtMs = lossEvent.newestSentAtMs;
    if (newestSentAtMs === undefined) return;
    lossEvent.end(nowMs, newestSentAtMs);
    const persistent = lossEvent.isPersistent(this.ptoMs(), this.sent);
    this.congestion.onLoss(nowMs, lossEvent.bytes, newestSentAtMs, persistent);
    if (this.ecn.takeLostToMark()) this.congestion.onSpuriousLoss();
    this.updatePacer();
  }

  private onOneLost(packet: SentPacket): void {
    this.lostPackets++;
    // What was handed to a probe or to another path is on its way again, and is lost with that packet if at all.
    if (!packet.requeued) this.owner.onPacketLost(packet);
    if (packet.mtuProbe) {
      this.mtuSearch.onProbeLost(packet.lostAtMs, packet.bytes);
      return;
    }
    if (this.mtuSearch.onPacketLost(packet.lostAtMs, packet.packetNumber, packet.bytes)) this.onMtuChanged();
    if (packet.marked) this.ecn.onLost(packet.packetNumber, this.sent.nextPacketNumber);
    // What an outage swallowed says nothing of how data fare when there is none.
    if (this.state === "working" && packet.sentAtMs > this.outageEndedMs) this.quality.onLost();
    this.lossEvent.add(packet);
    this.congestion.onPacketLost(packet.lostAtMs, packet.packetNumber, packet.bytes);
  }

  // ---- path MTU

  /** @returns the size of an MTU probe that is due, or undefined. */
  mtuProbeDue(nowMs: number): number | undefined {
    return this.state === "working" && this.ptoCount === 0 ? this.mtuSearch.probeDue(nowMs) : undefined;
  }

  onMtuProbeSent(bytes: number): void {
    this.mtuSearch.onProbeSent(bytes);
  }

  private onMtuChanged(): void {
    this.datagramBytes = this.mtuSearch.datagramBytes;
    this.congestion.setPacketBytes(this.datagramBytes);
    this.updatePacer();
  }

  // ---- timers

  /** The probe timeout without back-off, in ms. */
  ptoMs(): number {
    return Math.min(this.rtt.ptoMs(ACK_DELAY_MAX_MS), PTO_BASE_MAX_MS);
  }

  /** When the next probe is due, in ms. */
  private get ptoAtMs(): number {
    if (this.sent.packetsInFlight === 0) return Number.POSITIVE_INFINITY;
    const ptoMs = this.ptoMs();
    const backedOffMs = Math.min(ptoMs * 2 ** Math.min(this.ptoCount, 10), PTO_MAX_MS);
    // The bound is on the back-off: no probe is due before an answer can be there.
    return this.lastElicitingAtMs + Math.max(backedOffMs, ptoMs);
  }

  /** When recovery wants to be woken, in ms; Infinity for never. */
  get recoveryAtMs(): number {
    if (this.state === "failed") return Number.POSITIVE_INFINITY;
    return this.loss.lossAtMs !== Number.POSITIVE_INFINITY ? this.loss.lossAtMs : this.ptoAtMs;
  }

  /** @returns whether a probe timeout struck: the caller makes data available for the probes. */
  onRecoveryTimeout(nowMs: number): boolean {
    if (this.recoveryAtMs > nowMs) return false;
    if (this.loss.lossAtMs <= nowMs) {
      this.detectLoss(nowMs);
      return false;
    }
    this.ptoCount++;
    this.probesUnanswered++;
    this.probesOwed = this.ptoCount === 1 ? 1 : 2;
    this.ecn.onProbeTimeout(this.ptoCount, this.sent.nextPacketNumber);
    // Silence may be a hole that swallows large packets only; the probes are small and will tell.
    if (this.ptoCount === 2 && this.mtuSearch.fallBack(nowMs)) this.onMtuChanged();
    return true;
  }

  get isSuspect(): boolean {
    return this.probesUnanswered >= SUSPECT_PTO_COUNT;
  }

  /** There is reason to believe that the path works, or works again: it is asked at once, whatever its back-off. */
  askAgain(): void {
    this.ptoCount = 0;
    this.pingWanted = true;
  }

  // ---- giving up, starting again

  /** Everything in flight is given up without telling the controller: the path failed, it is not congested. */
  abandonInFlight(nowMs: number): void {
    this.forEachInFlight((packet) => {
      this.giveUp(nowMs, packet);
      return true;
    });
    this.loss.lossAtMs = Number.POSITIVE_INFINITY;
  }

  private giveUp(nowMs: number, packet: SentPacket): void {
    this.sent.settle(packet, packetState.lost);
    packet.lostAtMs = nowMs;
    packet.givenUp = true;
    if (!packet.requeued) this.owner.onPacketLost(packet);
  }

  /** Calls `visit` for each packet in flight, oldest first, until it returns false. */
  forEachInFlight(visit: (packet: SentPacket) => boolean): void {
    for (
      let n = this.sent.firstUnacknowledged(0);
      n < this.sent.nextPacketNumber;
      n = this.sent.firstUnacknowledged(n + 1)
    ) {
      const packet = this.sent.get(n);
      if (packet !== undefined && packet.state === packetState.inFlight && !visit(packet)) return;
    }
  }

  /** The path leads elsewhere, or works again after it had failed: old measurements say nothing. */
  restart(nowMs: number, datagramBytes: number): void {
    this.abandonInFlight(nowMs);
    this.rtt.reset();
    this.congestion = this.settings.congestion(datagramBytes);
    this.datagramBytes = datagramBytes;
    this.mtuSearch = new MtuDiscovery(nowMs, datagramBytes, this.settings.datagramBytesMax);
    this.quality = new PathQuality(nowMs);
    this.demoted = false;
    this.pacer.reset();
    this.loss.reset();
    this.ecn.restart(this.sent.nextPacketNumber);
    this.ptoCount = 0;
    this.probesUnanswered = 0;
    this.probesOwed = 0;
    this.copiesOwed = 0;
    this.state = "working";
    this.lossEvent.reset();
    this.openedAtMs = nowMs;
    this.lastSentAtMs = nowMs;
    this.lastHeardAtMs = nowMs;
    this.updatePacer();
  }
}
