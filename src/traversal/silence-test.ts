// Whether answers come through that nobody may have let in: those that a filter should drop, or that are sent to a mapping which is
// perhaps forgotten. One that comes proves it. Silence proves little, for packets get lost and servers limit their rates, so it
// is asked for in rounds, each beside a plain question: a round counts only if that one was answered, and it takes more of them
// once anything was lost.

import {
  NAT_ROUND_INTERVAL_MS,
  NAT_ROUND_WAIT_MIN_MS,
  NAT_ROUNDS_CLEAN,
  NAT_ROUNDS_LOSSY,
  NAT_ROUNDS_MAX,
} from "../base/limits.ts";
import type { StunQuestion, StunTransaction, StunTransactions } from "./stun-transactions.ts";

/** closed: silent in enough rounds. undecided: too few rounds counted. */
export type Passage = "open" | "closed" | "refused" | "undecided";

interface Round {
  readonly control: StunTransaction;
  readonly probes: readonly StunTransaction[];
}

export interface SilenceTestOptions {
  readonly transactions: StunTransactions;
  /** What may stay silent. As soon as the first one is answered, the test is over. */
  readonly questions: readonly StunQuestion[];
  /** What has to be answered. */
  readonly control: StunQuestion;
  /** To the server, in ms. */
  readonly rttMs: number;
}

export class SilenceTest {
  private readonly options: SilenceTestOptions;
  private readonly rounds: Round[] = [];
  private nextRoundAtMs: number;
  private finished = false;

  constructor(nowMs: number, options: SilenceTestOptions) {
    this.options = options;
    this.nextRoundAtMs = nowMs;
  }

  get isFinished(): boolean {
    return this.finished;
  }

  /** The plain questions: further samples of where the socket is seen. */
  get controls(): readonly StunTransaction[] {
    return this.rounds.map(({ control }) => control);
  }

  /** What became of each question. */
  get passages(): readonly Passage[] {
    return this.options.questions.map((_, i) => this.passageOf(i));
  }

  pollTimeout(): number {
    return !this.finished && this.wantsRound() ? this.nextRoundAtMs : Number.POSITIVE_INFINITY;
  }

  /** To be called after every input. */
  advance(nowMs: number): void {
    if (this.finished) return;
    const { passages } = this;
    if (passages[0] === "open" || !passages.includes("undecided")) this.finished = true;
    else if (this.wantsRound()) this.ask(nowMs);
    else if (this.rounds.every(isSettled)) this.finished = true;
  }

  private ask(nowMs: number): void {
    if (nowMs < this.nextRoundAtMs) return;
    const { transactions, questions, control, rttMs } = this.options;
    const once = { requestsMax: 1, rtoMs: Math.max(NAT_ROUND_WAIT_MIN_MS, 3 * rttMs) };
    this.rounds.push({
      probes: questions.map((question) => transactions.ask(nowMs, question, once)),
      control: transactions.ask(nowMs, control, once),
    });
    this.nextRoundAtMs = nowMs + NAT_ROUND_INTERVAL_MS;
  }

  private passageOf(i: number): Passage {
    const states = this.rounds.map(({ probes }) => probes[i]?.state);
    if (states.includes("answered")) return "open";
    if (states.includes("refused")) return "refused";
    return this.silentRounds(i) >= this.neededRounds() ? "closed" : "undecided";
  }

  /** Rounds in which this question stayed silent while the plain question was answered. */
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
    const undecided = this.options.questions.map((_, i) => i).filter((i) => this.passageOf(i) === "undecided");
    return undecided.some((i) => this.silentRounds(i) + underWay < this.neededRounds());
  }
}

const isSettled = ({ control, probes }: Round): boolean =>
  control.state !== "waiting" && probes.every(({ state }) => state !== "waiting");
