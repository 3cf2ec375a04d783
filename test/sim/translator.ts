// What a router does to packets that pass it: it rewrites an address, or drops the packet for a reason.

import type { Packet } from "./packet.ts";
import type { Place } from "./place.ts";

export interface Translator {
  /** Whether packets from the inside to the router's own external address come back in. */
  readonly hairpin: boolean;
  /** The most flows that were ever alive at once. */
  readonly flowsPeak: number;
  flowsAlive(nowMs: number): number;
  /** Rewrites the source of a packet on its way out. @returns why it is dropped instead. */
  outbound(nowMs: number, packet: Packet): string | undefined;
  /**
   * Rewrites the destination of a packet on its way in. @returns why it is dropped instead.
   * @param isBlocked asked before anything is remembered of the packet.
   */
  inbound(nowMs: number, packet: Packet, isBlocked: (inside: Place) => boolean): string | undefined;
  /** Forgets everything, and may come up with another external address. */
  reboot(externalIp: string): void;
}

/** A router that lets no UDP through, in either direction. */
export class UdpBlock implements Translator {
  readonly hairpin = false;
  readonly flowsPeak = 0;

  flowsAlive(): number {
    return 0;
  }

  outbound(): string {
    return "UDP is blocked";
  }

  inbound(): string {
    return "UDP is blocked";
  }

  reboot(): void {}
}
