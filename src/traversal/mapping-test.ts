// Where one socket of ours is seen from everywhere that the servers offer: their own addresses, and the alternates of the one that has
// some. Each is asked twice, because a single sample proves nothing: a mapping may change while it is being looked at.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { STUN_RTO_MIN_MS } from "../base/limits.ts";
import type { Carrier } from "../base/route.ts";
import type { MappingObservation } from "./mapping-verdict.ts";
import { hasSecondAddress, type StunReference } from "./stun-reference.ts";
import type { StunTransaction, StunTransactions } from "./stun-transactions.ts";

export interface MappingTestOptions {
  readonly transactions: StunTransactions;
  readonly carrier: Carrier;
  readonly reference: StunReference;
  /** What every server was asked first, from the same socket. */
  readonly first: readonly StunTransaction[];
}

export class MappingTest {
  private readonly options: MappingTestOptions;
  private readonly alternates: readonly StunTransaction[];
  private repeats: readonly StunTransaction[] | undefined;

  constructor(nowMs: number, options: MappingTestOptions) {
    this.options = options;
    const asked = new Set(options.first.map(({ question }) => formatSocketAddress(question.to)));
    this.alternates = alternatesOf(options.reference)
      .filter((to) => !asked.has(formatSocketAddress(to)))
      .map((to) => this.ask(nowMs, to));
  }

  get isFinished(): boolean {
    return this.repeats?.every(isSettled) ?? false;
  }

  /** Everything that was asked from this socket. */
  get asked(): readonly StunTransaction[] {
    return [...this.options.first, ...this.alternates, ...(this.repeats ?? [])];
  }

  /** Whether an alternate answers when it is spoken to. */
  isAlive(alternate: SocketAddress): boolean {
    const key = formatSocketAddress(alternate);
    return this.asked.some(({ state, question }) => state === "answered" && formatSocketAddress(question.to) === key);
  }

  /** To be called after every input. */
  advance(nowMs: number): void {
    if (this.repeats !== undefined || !this.asked.every(isSettled)) return;
    const answered = this.asked.filter(({ state }) => state === "answered");
    this.repeats = answered.map(({ question }) => this.ask(nowMs, question.to));
  }

  private ask(nowMs: number, to: SocketAddress): StunTransaction {
    const { transactions, carrier, reference } = this.options;
    return transactions.ask(nowMs, { to, carrier }, { rtoMs: retransmissionMs(reference) });
  }
}

/** @returns the addresses and ports of the reference server, besides the one that is known. */
function alternatesOf({ server, other }: StunReference): SocketAddress[] {
  if (other === undefined) return [];
  const otherPort = { ...server, port: other.port };
  return hasSecondAddress({ server, other }) ? [{ ...other, port: server.port }, other, otherPort] : [otherPort];
}

/** @returns what the answers say. */
export function observationsOf(asked: readonly StunTransaction[]): MappingObservation[] {
  return asked.flatMap(({ question, mapped }) => (mapped === undefined ? [] : [{ server: question.to, mapped }]));
}

/** How long to wait for an answer of a server whose round trip is known, in ms. */
export const retransmissionMs = ({ rttMs }: StunReference): number => Math.max(STUN_RTO_MIN_MS, 2 * rttMs);

const isSettled = ({ state }: StunTransaction): boolean => state !== "waiting";
