// One direction of a link: a queue in front of a transmitter of some rate, a medium with a delay behind it, and all that
// media do to packets. A packet costs one event, or none where the link takes no time at all.
//
// In the order in which they act: cut, MTU, what a faulty router does to ECN, queue limit (tail drop), congestion marks (ECN),
// serialization at the rate, loss (uniform, and in
// bursts as Gilbert and Elliott model them), duplication, delay with jitter (which keeps the order), reordering.

import { ecn } from "../../src/base/ecn.ts";
import type { Packet } from "./packet.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { ClockTarget } from "./virtual-clock.ts";
import type { World } from "./world.ts";

/** Whatever a link ends in. */
export interface PacketSink {
  receive(packet: Packet): void;
}

/** The Gilbert-Elliott model: a link is in a good or in a bad state, and may change it before each packet. */
export interface BurstLoss {
  /** From good to bad, a packet. */
  readonly enterProbability: number;
  /** From bad to good, a packet; its inverse is the mean length of a burst. */
  readonly leaveProbability: number;
  /** Loss in the bad state; in the good state `lossProbability` of the link holds. */
  readonly lossProbability: number;
}

export interface LinkSettings {
  /** Megabits (10^6) a second, IP headers included; Infinity for a link that takes no time to send. */
  readonly rateMbps: number;
  readonly delayMs: number;
  /** Each packet is delayed by up to this more, without overtaking. */
  readonly jitterMs: number;
  readonly lossProbability: number;
  readonly burstLoss: BurstLoss | undefined;
  /** A packet that is reordered is held back by up to `reorderMs`, and those behind it overtake. */
  readonly reorderProbability: number;
  readonly reorderMs: number;
  readonly duplicateProbability: number;
  /** Bytes that may wait, the packet that is being sent included; only a finite rate makes any wait. */
  readonly queueBytes: number;
  /** Packets that find so many bytes waiting are marked as having met congestion, if they understand that (RFC 3168). */
  readonly markQueueBytes: number;
  /** What a router does that does not understand ECN: it clears the codepoint, sets CE on every packet that has one, or drops it. */
  readonly ecnFault: "bleach" | "mark" | "drop" | undefined;
  /** Largest IP packet, headers included (28 bytes with IPv4, 48 with IPv6). What is larger vanishes. */
  readonly mtuBytes: number;
  /** A link that is cut loses everything. */
  readonly isCut: boolean;
}

export const PERFECT_LINK: LinkSettings = {
  rateMbps: Number.POSITIVE_INFINITY,
  delayMs: 0,
  jitterMs: 0,
  lossProbability: 0,
  burstLoss: undefined,
  reorderProbability: 0,
  reorderMs: 0,
  duplicateProbability: 0,
  queueBytes: Number.POSITIVE_INFINITY,
  markQueueBytes: Number.POSITIVE_INFINITY,
  ecnFault: undefined,
  mtuBytes: 65_535,
  isCut: false,
};

export class Link implements ClockTarget, PacketSink {
  readonly label: string;
  settings: LinkSettings;
  /** Packets that came in, duplicates not counted. */
  offered = 0;
  /** Packets that came out, duplicates counted. */
  delivered = 0;
  lost = 0;
  /** Packets that left with CE. */
  marked = 0;
  private readonly world: World;
  private readonly sink: PacketSink;
  private readonly random: SeededRandom;
  private busyUntilMs = 0;
  private lastArrivalMs = 0;
  private isBad = false;

  constructor(world: World, label: string, sink: PacketSink, settings: Partial<LinkSettings>) {
    this.world = world;
    this.label = label;
    this.sink = sink;
    this.settings = { ...PERFECT_LINK, ...settings };
    this.random = world.random.fork(`link ${label}`);
  }

  /** Changes some settings from now on; packets on their way are not touched. */
  change(settings: Partial<LinkSettings>): void {
    this.settings = { ...this.settings, ...settings };
  }

  /** Bytes that wait, the packet that is being sent included. */
  get queuedBytes(): number {
    const { rateMbps } = this.settings;
    if (rateMbps === Number.POSITIVE_INFINITY) return 0;
    return Math.max(0, this.busyUntilMs - this.world.nowMs) * rateMbps * 125;
  }

  receive(packet: Packet): void {
    const settings = this.settings;
    this.offered++;
    if (settings.isCut) {
      this.lose(packet, "link is cut");
      return;
    }
    const bytes = packet.ipBytes;
    if (bytes > settings.mtuBytes) {
      this.lose(packet, "MTU");
      return;
    }
    if (settings.ecnFault !== undefined && packet.ecn !== ecn.notEct) {
      if (settings.ecnFault === "drop") {
        this.lose(packet, "ECN");
        return;
      }
      packet.ecn = settings.ecnFault === "mark" ? ecn.ce : ecn.notEct;
    }
    let departureMs = this.world.nowMs;
    if (settings.rateMbps !== Number.POSITIVE_INFINITY) {
      // The backlog comes from times, so rounding is forgiven by a thousandth of a byte.
      if (this.queuedBytes + bytes > settings.queueBytes + 0.001) {
        this.lose(packet, "queue is full");
        return;
      }
      if (packet.ecn !== ecn.notEct && this.queuedBytes >= settings.markQueueBytes) packet.ecn = ecn.ce;
      departureMs = Math.max(departureMs, this.busyUntilMs) + bytes / (settings.rateMbps * 125);
      this.busyUntilMs = departureMs;
    }
    if (packet.ecn === ecn.ce) this.marked++;
    if (this.isLost(settings)) {
      this.lose(packet, "loss");
      return;
    }
    if (this.random.chance(settings.duplicateProbability)) {
      this.carry(this.world.packets.copy(packet), departureMs, settings);
    }
    this.carry(packet, departureMs, settings);
  }

  fire(packet: Packet | undefined): void {
    this.delivered++;
    this.sink.receive(packet as Packet);
  }

  private carry(packet: Packet, departureMs: number, settings: LinkSettings): void {
    let arrivalMs = departureMs + settings.delayMs;
    if (settings.jitterMs > 0) arrivalMs += this.random.fraction() * settings.jitterMs;
    arrivalMs = Math.max(arrivalMs, this.lastArrivalMs);
    if (this.random.chance(settings.reorderProbability)) arrivalMs += this.random.fraction() * settings.reorderMs;
    else this.lastArrivalMs = arrivalMs;
    if (arrivalMs > this.world.nowMs) {
      this.world.clock.schedule(arrivalMs, this, packet);
    } else {
      this.fire(packet);
    }
  }

  private isLost(settings: LinkSettings): boolean {
    const burst = settings.burstLoss;
    if (burst !== undefined) {
      if (this.random.chance(this.isBad ? burst.leaveProbability : burst.enterProbability)) this.isBad = !this.isBad;
      if (this.isBad) return this.random.chance(burst.lossProbability);
    }
    return this.random.chance(settings.lossProbability);
  }

  private lose(packet: Packet, reason: string): void {
    this.lost++;
    this.world.drop(packet, this.label, reason);
  }
}
