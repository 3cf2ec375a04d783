// How long a NAT keeps a mapping that nothing is sent over (RFC 5780 §4.6). Several sockets open a mapping each and fall silent, each for
// another time; then a server is asked, from another socket, to answer to the mapping (RESPONSE-PORT). What comes through was
// still there. All of them wait at once, so the whole takes no longer than the longest.
//
// Each mapping is used twice in the beginning, some seconds apart: Linux remembers a flow that had one answer for 30 s, and one that
// goes on for 120 s, and a tunnel is of the second kind.

import type { SocketAddress } from "../base/address.ts";
import { NAT_LIFETIME_OPENING_MS } from "../base/limits.ts";
import type { Carrier } from "../base/route.ts";
import { type Finding, known, unknown } from "./nat-report.ts";
import { SilenceTest } from "./silence-test.ts";
import type { StunTransaction, StunTransactions } from "./stun-transactions.ts";

/** Between which bounds the lifetime lies. */
export interface LifetimeBounds {
  /** It was kept for so long, in ms. */
  readonly atLeastMs: number;
  /** It was gone after so long, in ms; undefined where it outlived the test. */
  readonly belowMs?: number;
}

export interface MappingLifetimeOptions {
  readonly transactions: StunTransactions;
  readonly server: SocketAddress;
  readonly rttMs: number;
  /** The socket that asks for answers to the others. */
  readonly asker: Carrier;
  /** One socket for each time of silence, in ms, in rising order. The first time is short: whether it works at all. */
  readonly sleepers: readonly { readonly carrier: Carrier; readonly idleMs: number }[];
}

interface Sleeper {
  readonly carrier: Carrier;
  readonly idleMs: number;
  readonly first: StunTransaction;
  second: StunTransaction | undefined;
  /** When its silence is over. */
  wakeAtMs: number;
  test: SilenceTest | undefined;
}

export class MappingLifetime {
  private readonly options: MappingLifetimeOptions;
  private readonly sleepers: readonly Sleeper[];
  private readonly secondAtMs: number;
  private result: Finding<LifetimeBounds> | undefined;

  constructor(nowMs: number, options: MappingLifetimeOptions) {
    this.options = options;
    this.secondAtMs = nowMs + NAT_LIFETIME_OPENING_MS;
    this.sleepers = options.sleepers.map(({ carrier, idleMs }) => ({
      carrier,
      idleMs,
      first: options.transactions.ask(nowMs, { to: options.server, carrier }),
      second: undefined,
      wakeAtMs: Number.POSITIVE_INFINITY,
      test: undefined,
    }));
  }

  /** Undefined while it is being measured. */
  get finding(): Finding<LifetimeBounds> | undefined {
    return this.result;
  }

  pollTimeout(): number {
    if (this.result !== undefined) return Number.POSITIVE_INFINITY;
    let atMs = this.sleepers.some(({ second }) => second === undefined) ? this.secondAtMs : Number.POSITIVE_INFINITY;
    for (const { test, wakeAtMs } of this.sleepers) atMs = Math.min(atMs, test?.pollTimeout() ?? wakeAtMs);
    return atMs;
  }

  /** To be called after every input. */
  advance(nowMs: number): void {
    if (this.result !== undefined) return;
    for (const sleeper of this.sleepers) this.advanceOne(nowMs, sleeper);
    this.result = this.judge();
  }

  private advanceOne(nowMs: number, sleeper: Sleeper): void {
    const { transactions, server, asker, rttMs } = this.options;
    if (sleeper.second === undefined) {
      if (nowMs < this.secondAtMs) return;
      sleeper.second = transactions.ask(nowMs, { to: server, carrier: sleeper.carrier });
    }
    const { mapped, state } = sleeper.second;
    if (state !== "answered" || mapped === undefined) return;
    if (sleeper.wakeAtMs === Number.POSITIVE_INFINITY) sleeper.wakeAtMs = nowMs + sleeper.idleMs;
    if (sleeper.test === undefined && nowMs >= sleeper.wakeAtMs) {
      const control = { to: server, carrier: asker };
      const question = { ...control, answerCarrier: sleeper.carrier, responsePort: mapped.port };
      sleeper.test = new SilenceTest(nowMs, { transactions, questions: [question], control, rttMs });
    }
    sleeper.test?.advance(nowMs);
  }

  /** As soon as one was gone that long, longer silences need not be waited for. */
  private judge(): Finding<LifetimeBounds> | undefined {
    let atLeastMs = 0;
    for (const { idleMs, first, second, test } of this.sleepers) {
      if (first.state === "silent" || second?.state === "silent" || second?.state === "refused") {
        return unknown("the server stopped answering");
      }
      if (test === undefined || !test.isFinished) return undefined;
      const [passage] = test.passages;
      if (passage === "refused") return unknown("the server cannot answer to another port (RESPONSE-PORT of RFC 5780)");
      if (passage === "undecided") return unknown("too many packets were lost to be sure");
      if (passage === "closed") {
        return atLeastMs > 0
          ? known({ atLeastMs, belowMs: idleMs })
          : unknown("an answer to another port of ours does not come through at all");
      }
      atLeastMs = idleMs;
    }
    return known({ atLeastMs });
  }
}
