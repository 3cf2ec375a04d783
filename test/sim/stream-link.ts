// A TCP connection between two hosts, or a WebSocket, as far as machines can tell: packets arrive whole and in order, later where one of
// them had to be sent again; nothing is lost while it lasts, but for what its bounded queue has no room for. It can be
// cut, which holds everything back until it is mended, and it can break.

import type { SocketAddress } from "../../src/base/address.ts";
import type { Carrier } from "../../src/base/route.ts";
import type { Host } from "./host.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { World } from "./world.ts";

export interface StreamEnd {
  readonly host: Host;
  readonly carrier: Carrier;
  /** Where this end sees the other one. */
  readonly remote: SocketAddress;
  /** The stream is gone; `nowMs` is the host's clock. */
  onClosed(nowMs: number): void;
}

export interface StreamLinkSettings {
  /** One way. */
  readonly delayMs: number;
  readonly rateMbps: number;
  /** What waits at either end, beyond what the connection has taken. */
  readonly queueBytes: number;
  /** Chance that a packet has to be sent again by the connection, and all behind it wait. */
  readonly retransmitProbability: number;
  readonly retransmitMs: number;
}

const DEFAULTS: StreamLinkSettings = {
  delayMs: 10,
  rateMbps: 50,
  queueBytes: 256 * 1024,
  retransmitProbability: 0,
  retransmitMs: 200,
};

/** One direction: its packets in order, and when the last of them arrives. */
class Direction {
  readonly held: Uint8Array[] = [];
  busyUntilMs = 0;
  arrivedUntilMs = 0;
}

export class StreamLink {
  droppedPackets = 0;
  private readonly world: World;
  private readonly ends: readonly [StreamEnd, StreamEnd];
  private readonly settings: StreamLinkSettings;
  private readonly random: SeededRandom;
  private readonly directions = [new Direction(), new Direction()] as const;
  private isCut = false;
  private isOpen = true;

  constructor(world: World, ends: readonly [StreamEnd, StreamEnd], settings: Partial<StreamLinkSettings> = {}) {
    this.world = world;
    this.ends = ends;
    this.settings = { ...DEFAULTS, ...settings };
    this.random = world.random.fork(`stream ${ends[0].host.name} ${ends[0].carrier} ${ends[1].carrier}`);
    for (const side of [0, 1] as const) {
      const { host, carrier } = ends[side];
      host.openStream(carrier, (packet) => this.send(side, packet));
    }
  }

  /** Nothing arrives any more, and neither end knows. */
  cut(): void {
    this.isCut = true;
  }

  mend(): void {
    this.isCut = false;
    for (const side of [0, 1] as const) {
      for (const packet of this.directions[side].held.splice(0)) this.carry(side, packet);
    }
  }

  /** Breaks it; both ends are told, each at its own time. What is under way is lost, as with a reset. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const { host, carrier, onClosed } of this.ends) {
      host.closeStream(carrier);
      this.world.after(this.random.between(0, this.settings.delayMs), () => {
        if (host.machine !== undefined && !host.isAsleep) host.input((nowMs) => onClosed(nowMs));
      });
    }
  }

  private send(side: 0 | 1, packet: Uint8Array): void {
    const direction = this.directions[side];
    this.world.lastSendMs = this.world.nowMs;
    const waitingMs = direction.busyUntilMs - this.world.nowMs;
    const waitingBytes = this.isCut ? heldBytes(direction) : waitingMs * this.bytesPerMs;
    if (waitingBytes > this.settings.queueBytes) this.droppedPackets++;
    else if (this.isCut) direction.held.push(packet);
    else this.carry(side, packet);
  }

  private get bytesPerMs(): number {
    return (this.settings.rateMbps * 1_000) / 8;
  }

  private carry(side: 0 | 1, packet: Uint8Array): void {
    const { delayMs, retransmitProbability, retransmitMs } = this.settings;
    const direction = this.directions[side];
    direction.busyUntilMs = Math.max(direction.busyUntilMs, this.world.nowMs) + packet.length / this.bytesPerMs;
    const lateMs = this.random.chance(retransmitProbability) ? retransmitMs : 0;
    direction.arrivedUntilMs = Math.max(direction.arrivedUntilMs, direction.busyUntilMs + delayMs + lateMs);
    const { host, carrier, remote } = this.ends[side === 0 ? 1 : 0];
    this.world.at(direction.arrivedUntilMs, () => {
      if (this.isOpen) host.receiveByStream(carrier, remote, packet);
    });
  }
}

const heldBytes = ({ held }: Direction): number => held.reduce((sum, packet) => sum + packet.length, 0);
