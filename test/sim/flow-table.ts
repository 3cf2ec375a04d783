// What a router remembers: flows, each between an inside and a remote address, that expire when no packet refreshes them.
// An expired flow counts as gone at once, though it leaves memory only at the next sweep.

import type { Place } from "./place.ts";

export interface FlowTimeouts {
  /** While packets went in one direction only; Linux has 30 s. */
  readonly unrepliedMs: number;
  /** Once both directions were seen; RFC 4787 REQ-5 asks for 2 minutes. */
  readonly repliedMs: number;
}

export interface Flow {
  readonly remote: Place;
  /** Whether the first packet came from the inside. */
  readonly opensOutbound: boolean;
  isReplied: boolean;
  expiresAtMs: number;
}

export class FlowTable<F extends Flow> {
  /** The most flows that were ever alive at once. */
  peak = 0;
  private readonly flows = new Set<F>();
  private readonly timeouts: FlowTimeouts;
  private readonly flowsMax: number;
  private readonly forget: (flow: F) => void;
  /** No flow expires before this: flows only ever live longer than was thought at the last sweep. */
  private sweepAtMs = Number.POSITIVE_INFINITY;

  /** @param forget is told of every flow that leaves the table. */
  constructor(timeouts: FlowTimeouts, flowsMax: number, forget: (flow: F) => void) {
    this.timeouts = timeouts;
    this.flowsMax = flowsMax;
    this.forget = forget;
  }

  alive(nowMs: number): number {
    this.sweep(nowMs);
    return this.flows.size;
  }

  isFull(nowMs: number): boolean {
    return this.flows.size >= this.flowsMax && this.alive(nowMs) >= this.flowsMax;
  }

  /** Takes in a flow whose first packet passes now. The caller has asked `isFull`. */
  add(flow: F, nowMs: number): void {
    this.sweep(nowMs);
    flow.expiresAtMs = nowMs + this.timeouts.unrepliedMs;
    if (flow.expiresAtMs < this.sweepAtMs) this.sweepAtMs = flow.expiresAtMs;
    this.flows.add(flow);
    if (this.flows.size > this.peak) this.peak = this.flows.size;
  }

  /** A packet of the flow passes and prolongs it. */
  refresh(flow: F, nowMs: number, isOutbound: boolean): void {
    if (isOutbound !== flow.opensOutbound) flow.isReplied = true;
    flow.expiresAtMs = nowMs + (flow.isReplied ? this.timeouts.repliedMs : this.timeouts.unrepliedMs);
  }

  /** Marks that both directions were seen, without prolonging the flow. */
  markReplied(flow: F): void {
    flow.isReplied = true;
  }

  clear(): void {
    this.flows.clear();
    this.sweepAtMs = Number.POSITIVE_INFINITY;
  }

  sweep(nowMs: number): void {
    if (nowMs < this.sweepAtMs) return;
    this.sweepAtMs = Number.POSITIVE_INFINITY;
    for (const flow of this.flows) {
      if (flow.expiresAtMs <= nowMs) {
        this.flows.delete(flow);
        this.forget(flow);
      } else if (flow.expiresAtMs < this.sweepAtMs) {
        this.sweepAtMs = flow.expiresAtMs;
      }
    }
  }
}
