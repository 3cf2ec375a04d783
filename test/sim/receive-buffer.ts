// The receive buffer of a host's socket. It is bounded in bytes; datagrams wait in it while the host sleeps or sends, and
// while the network card holds them back to join them: several of one flow, one ECN codepoint and one size, the last of which may be shorter, become
// one, as GRO makes of them.

import type { Host } from "./host.ts";
import type { Packet } from "./packet.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { ClockTarget } from "./virtual-clock.ts";
import type { World } from "./world.ts";

/** Linux's usual default, net.core.rmem_default. */
const BUFFER_BYTES_MAX = 212_992;
/** The largest payload that GRO makes. */
const JOINED_BYTES_MAX = 65_507;
/** Linux joins no more datagrams than this (UDP_GRO_CNT_MAX). */
const JOINED_DATAGRAMS_MAX = 64;

export class ReceiveBuffer implements ClockTarget {
  readonly label: string;
  private readonly world: World;
  private readonly host: Host;
  private readonly random: SeededRandom;
  private waiting: Packet[] = [];
  private opening: Packet[] = [];
  private waitingBytes = 0;
  private isScheduled = false;

  constructor(world: World, host: Host) {
    this.world = world;
    this.host = host;
    this.label = `receive buffer of ${host.name}`;
    this.random = world.random.fork(this.label);
  }

  put(packet: Packet): void {
    const { joinProbability, joinMs } = this.world.options;
    // Nothing to wait for: the machine gets the datagram at once, without another event.
    if (joinProbability === 0 && this.waiting.length === 0 && !this.world.isInHost && !this.host.isAsleep) {
      this.deliver(packet);
      return;
    }
    if (this.waitingBytes + packet.lengthBytes > BUFFER_BYTES_MAX) {
      this.world.drop(packet, this.host.name, "receive buffer is full");
      return;
    }
    this.waitingBytes += packet.lengthBytes;
    this.waiting.push(packet);
    if (this.isScheduled || this.host.isAsleep) return;
    this.isScheduled = true;
    const holdMs = this.random.chance(joinProbability) ? this.random.fraction() * joinMs : 0;
    this.world.clock.schedule(this.world.nowMs + holdMs, this);
  }

  /** Lets what has waited go to the machine, soon. */
  open(): void {
    if (this.isScheduled || this.waiting.length === 0) return;
    this.isScheduled = true;
    this.world.clock.schedule(this.world.nowMs, this);
  }

  /** Everything that waits is lost. */
  clear(): void {
    for (const packet of this.waiting) this.world.drop(packet, this.host.name, "socket is closed");
    this.waiting.length = 0;
    this.waitingBytes = 0;
  }

  fire(): void {
    this.isScheduled = false;
    if (this.host.isAsleep) return;
    const packets = this.waiting;
    this.waiting = this.opening;
    this.opening = packets;
    this.waitingBytes = 0;
    for (let first = 0; first < packets.length; ) {
      const count = this.joinable(packets, first);
      if (count === 1) this.deliver(packets[first] as Packet);
      else this.deliverJoined(packets, first, count);
      first += count;
    }
    packets.length = 0;
  }

  /** @returns how many packets from `first` on are handed over as one. */
  private joinable(packets: readonly Packet[], first: number): number {
    const head = packets[first] as Packet;
    let totalBytes = head.lengthBytes;
    let count = 1;
    while (first + count < packets.length && count < JOINED_DATAGRAMS_MAX) {
      const next = packets[first + count] as Packet;
      if (next.source !== head.source || next.destination !== head.destination || next.ecn !== head.ecn) break;
      if (next.lengthBytes > head.lengthBytes || totalBytes + next.lengthBytes > JOINED_BYTES_MAX) break;
      if (!this.random.chance(this.world.options.joinProbability)) break;
      totalBytes += next.lengthBytes;
      count++;
      if (next.lengthBytes < head.lengthBytes) break;
    }
    return count;
  }

  private deliver(packet: Packet): void {
    const { host, world } = this;
    if (!this.isWanted(packet)) return;
    world.trace.record(world.nowMs, "deliver", host.name, packet);
    host.datagramsReceived++;
    host.bytesReceived += packet.lengthBytes;
    // The packet goes back to the pool behind the call: what the machine sends meanwhile gets other buffers.
    host.deliver(packet.source, packet.destination, packet.payload(), packet.ecn);
    world.packets.release(packet);
  }

  private deliverJoined(packets: readonly Packet[], first: number, count: number): void {
    const { host, world } = this;
    const { source, destination, ecn } = packets[first] as Packet;
    const joined = world.joinBuffer;
    let lengthBytes = 0;
    for (let i = first; i < first + count; i++) {
      const packet = packets[i] as Packet;
      if (!this.isWanted(packet)) continue;
      world.trace.record(world.nowMs, "deliver", host.name, packet, i === first ? "" : "joined");
      joined.set(packet.payload(), lengthBytes);
      lengthBytes += packet.lengthBytes;
      host.datagramsReceived++;
      host.bytesReceived += packet.lengthBytes;
      world.packets.release(packet);
    }
    if (lengthBytes > 0) host.deliver(source, destination, joined.subarray(0, lengthBytes), ecn);
  }

  /** What a datagram before this one led to may have closed the socket or put the host to sleep. */
  private isWanted(packet: Packet): boolean {
    const { host } = this;
    if (host.machine !== undefined && !host.isAsleep && host.listensAt(packet.destination)) return true;
    this.world.drop(packet, host.name, "socket is closed");
    return false;
  }
}
