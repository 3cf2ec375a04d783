// The stream carriers of the agent, TCP connections and WebSockets, to its rendezvous or to a peer: who wanted each, and what is known
// of it. The driver opens and closes them.

import type { SocketAddress } from "../base/address.ts";
import type { Carrier } from "../base/route.ts";
import type { Candidate } from "../wire/candidate.ts";
import type { AgentEvent } from "./agent-event.ts";
import type { CarrierGoal, OpenedCarrier } from "./carrier-goal.ts";
import type { OwnNetwork } from "./own-network.ts";

/** What the packets of a carrier go over. */
export type Over = "udp" | OpenedCarrier["kind"];

/** Who wants streams. */
export interface StreamOwner {
  onCarrierOpened(nowMs: number, opened: OpenedCarrier, goal: CarrierGoal): void;
  onCarrierClosed(nowMs: number, carrier: Carrier): void;
}

interface OpenStream extends OpenedCarrier {
  readonly goal: CarrierGoal;
  readonly owner: StreamOwner;
}

export class OwnStreams {
  private readonly emit: (event: AgentEvent) => void;
  private readonly owners = new WeakMap<CarrierGoal, StreamOwner>();
  private readonly streams = new Map<Carrier, OpenStream>();
  private seen: { readonly carrier: Carrier; readonly address: SocketAddress } | undefined;

  constructor(emit: (event: AgentEvent) => void) {
    this.emit = emit;
  }

  /** Asks for streams to this goal. The owner hears of each that comes of it, now or later. */
  want(goal: CarrierGoal, owner: StreamOwner): void {
    this.owners.set(goal, owner);
    this.emit({ type: "carrier-wanted", goal });
  }

  /** A stream is not needed any more. What is under way on it still comes in. */
  leave(carrier: Carrier): void {
    this.emit({ type: "carrier-unwanted", carrier });
  }

  onOpened(nowMs: number, goal: CarrierGoal, opened: OpenedCarrier): void {
    const owner = this.owners.get(goal);
    if (owner === undefined) {
      this.leave(opened.carrier);
      return;
    }
    this.streams.set(opened.carrier, { ...opened, goal, owner });
    owner.onCarrierOpened(nowMs, opened, goal);
  }

  onClosed(nowMs: number, carrier: Carrier): void {
    const stream = this.streams.get(carrier);
    this.streams.delete(carrier);
    stream?.owner.onCarrierClosed(nowMs, carrier);
  }

  over(carrier: Carrier): Over {
    return this.streams.get(carrier)?.kind ?? "udp";
  }

  isToRendezvous(carrier: Carrier): boolean {
    return this.streams.get(carrier)?.goal.to === "rendezvous";
  }

  /** Where the rendezvous sees our TCP connection to it, while the session goes over one and nobody but NATs is in between. */
  get seenByTcp(): { readonly carrier: Carrier; readonly address: SocketAddress } | undefined {
    return this.seen;
  }

  /** The same as candidates. */
  get candidates(): Candidate[] {
    if (this.seen === undefined) return [];
    return [{ type: "server-reflexive", transport: "tcp", address: this.seen.address }];
  }

  /** The rendezvous sees us at `address`; the session with it goes by `carrier`. @returns whether that is news for peers. */
  onSeen(address: SocketAddress, carrier: Carrier, network: OwnNetwork): boolean {
    const stream = this.streams.get(carrier);
    const isStraight = stream !== undefined && stream.kind === "tcp" && !stream.byProxy;
    const isNews = isStraight || this.seen !== undefined;
    this.seen = isStraight ? { carrier, address } : undefined;
    // Of a stream it says nothing about the UDP socket.
    return (stream === undefined && network.onObserved(address)) || isNews;
  }
}
