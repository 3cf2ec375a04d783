// What a NAT lets in (RFC 5780 §4.4): a server that our socket has spoken to is asked to answer from another address, and from another
// port. An answer proves that the filter is open. Silence proves little, for packets get lost and servers limit their
// rates, so it is asked for in rounds, each beside a plain question: a round counts only if that one was answered, and it takes
// more of them once anything was lost.

import type { SocketAddress } from "../base/address.ts";
import {
  NAT_ROUND_INTERVAL_MS,
  NAT_ROUND_WAIT_MIN_MS,
  NAT_ROUNDS_CLEAN,
  NAT_ROUNDS_LOSSY,
  NAT_ROUNDS_MAX,
} from "../base/limits.ts";
import type { Carrier } from "../base/route.ts";
import type { StunTransaction, StunTransactions } from "./stun-transactions.ts";

/** closed: silent in enough rounds. undecided: too few rounds counted. */
export type FilterState = "open" | "closed" | "refused" | "undecided";

interface Round {
  readonly control: StunTransaction;
  readonly probes: readonly StunTransaction[];
}

export interface FilteringTestOptions {
  readonly transactions: StunTransactions;
  readonly carrier: Carrier;
  /** The server, which this socket has spoken to already. */
  readonly server: SocketAddress;
  /** In ms, to that server. */
  readonly rttMs: number;
  /** What to ask for, in turn: as soon as one of them proves open, the test is over. */
  readonly changes: readonly { readonly changeAddress: boolean; readonly changePort: boolean }[];
}

export class FilteringTest {
  private readonly options: FilteringTestOptions;
  private readonly rounds: Round[] = [];
  private nextRoundAtMs: number;
  private finished = false;

  constructor(nowMs: number, options: FilteringTestOptions) {
    this.options = options;
    this.nextRoundAtMs = nowMs;
  }

  get isFinished(): boolean {
    return this.finished;
  }

  /** The plain questions: further samples of where this socket is seen. */
  get controls(): readonly StunTransaction[] {
    return this.rounds.map(({ control }) => control);
  }

  /** @returns how the filter took each of the changes. */
  get states(): readonly FilterState[] {
    return this.options.changes.map((_, i) => this.stateOf(i));
  }

  pollTimeout(): number {
    return !this.finished && this.wantsRound() ? this.nextRoundAtMs : Number.POSITIVE_INFINITY;
  }

  /** To be called after every input. */
  advance(nowMs: number): void {
    if (this.finished) return;
    const { states } = this;
    if (states[0] === "open" || !states.includes("undecided")) this.finished = true;
    else if (this.wantsRound()) this.ask(nowMs);
    else if (this.rounds.every(isSettled)) this.finished = true;
  }

  private ask(nowMs: number): void {
    if (nowMs < this.nextRoundAtMs) return;
    const { transactions, carrier, server, rttMs, changes } = this.options;
    const once = { requestsMax: 1, rtoMs: Math.max(NAT_ROUND_WAIT_MIN_MS, 3 * rttMs) };
    this.rounds.push({
      probes: changes.map((changeRequest) => transactions.ask(nowMs, { to: server, carrier, changeRequest }, once)),
      control: transactions.ask(nowMs, { to: server, carrier }, once),
    });
    this.nextRoundAtMs = nowMs + NAT_ROUND_INTERVAL_MS;
  }

  private stateOf(i: number): FilterState {
    const states = this.rounds.map(({ probes }) => probes[i]?.state);
    if (states.includes("answered")) return "open";
    if (states.includes("refused")) return "refused";
    return this.silentRounds(i) >= this.neededRounds() ? "closed" : "undecided";
  }

  /** Rounds in which this change stayed silent while the plain question was answered. */
  private silentRounds(i: number): number {
    return this.rounds.filter(({ control, probes }) => control.state === "answered" && probes[i]?.state === "silent")
      .length;
  }

  private neededRounds(): number {
    return this.rounds.some(({ control }) => control.state === "silent") ? NAT_ROUNDS_LOSSY : NAT_ROUNDS_CLEAN;
  }

  /** Whether another round is wanted even if all that are under way turn out to count. */
  private wantsRound(): boolean {
    if (this.rounds.length >= NAT_ROUNDS_MAX) return false;
    const underWay = this.rounds.filter((round) => !isSettled(round)).length;
    const undecided = this.options.changes.map((_, i) => i).filter((i) => this.stateOf(i) === "undecided");
    return undecided.some((i) => this.silentRounds(i) + underWay < this.neededRounds());
  }
}

const isSettled = ({ control, probes }: Round): boolean =>
  control.state !== "waiting" && probes.every(({ state }) => state !== "waiting");
