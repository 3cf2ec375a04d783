// Memory for the packets that are on a link, handed out and taken back, so that carrying a packet allocates nothing and no pause of the
// garbage collector disturbs the timing.

import type { DeadlineEntry } from "../../src/base/deadline-heap.ts";

/** Above every MTU that the link's devices have. */
export const PACKET_BYTES_MAX = 2048;
/** Packets on a link at most: 400 Mbit/s with a delay of 2 s, and 128 MiB. */
const PACKETS_MAX = 65_536;

/** Made at a time: a piece of memory of 1 MiB. */
const PACKETS_MADE = 512;

/** A packet with its place among those that wait for their arrival. */
export class LinkPacket implements DeadlineEntry {
  heapIndex = -1;
  heapDeadlineMs = 0;
  readonly bytes: Uint8Array;
  lengthBytes = 0;

  /** @param bytes memory of PACKET_BYTES_MAX. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export class PacketPool {
  private readonly free: LinkPacket[] = [];
  private made = 0;

  constructor() {
    this.grow();
  }

  /** @returns undefined where all packets are on their way. */
  take(): LinkPacket | undefined {
    if (this.free.length === 0 && this.made < PACKETS_MAX) this.grow();
    return this.free.pop();
  }

  give(packet: LinkPacket): void {
    this.free.push(packet);
  }

  private grow(): void {
    const memory = new Uint8Array(PACKETS_MADE * PACKET_BYTES_MAX);
    for (let i = 0; i < PACKETS_MADE; i++) {
      this.free.push(new LinkPacket(memory.subarray(i * PACKET_BYTES_MAX, (i + 1) * PACKET_BYTES_MAX)));
    }
    this.made += PACKETS_MADE;
  }
}
