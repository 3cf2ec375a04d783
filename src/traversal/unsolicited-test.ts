// Whether the router takes packets in that nobody asked for. One that does remembers them as a flow of its own, and what a host behind it
// sends to their sender later leaves from another port: a peer that probes before we do makes itself unreachable. So a socket asks a
// server for an answer from its alternate, and then that alternate where it sees the socket.

import { NAT_UNSOLICITED_WAIT_MS } from "../base/limits.ts";
import type { Carrier } from "../base/route.ts";
import { retransmissionMs } from "./mapping-test.ts";
import { type Finding, known, unknown } from "./nat-report.ts";
import type { StunReference } from "./stun-reference.ts";
import type { StunTransaction, StunTransactions } from "./stun-transactions.ts";

export interface UnsolicitedTestOptions {
  readonly transactions: StunTransactions;
  /** A socket from which nothing was sent yet. */
  readonly carrier: Carrier;
  readonly reference: StunReference;
}

export class UnsolicitedTest {
  private readonly options: UnsolicitedTestOptions;
  private readonly opening: StunTransaction | undefined;
  private askAtMs = Number.POSITIVE_INFINITY;
  private alternate: StunTransaction | undefined;

  constructor(nowMs: number, options: UnsolicitedTestOptions) {
    this.options = options;
    const { reference, carrier, transactions } = options;
    const { server, other } = reference;
    if (other === undefined) return;
    const rtoMs = retransmissionMs(reference);
    const changeRequest = { changeAddress: other.host !== server.host, changePort: true };
    // Twice, for one may be lost; whether it comes through does not matter.
    for (let i = 0; i < 2; i++)
      transactions.ask(nowMs, { to: server, carrier, changeRequest }, { rtoMs, requestsMax: 1 });
    this.opening = transactions.ask(nowMs, { to: server, carrier }, { rtoMs });
  }

  /** Mappings of the socket, in the order in which they were made. */
  get asked(): readonly StunTransaction[] {
    return [this.opening, this.alternate].filter((asked) => asked !== undefined);
  }

  get isFinished(): boolean {
    const last = this.alternate ?? this.opening;
    if (last === undefined || last.state === "silent" || last.state === "refused") return true;
    return this.alternate?.state === "answered";
  }

  /** To be read when it is finished, and meant for a NAT whose mapping does not depend on the endpoint. */
  get finding(): Finding<boolean> {
    const [before, after] = [this.opening?.mapped, this.alternate?.mapped];
    if (before === undefined || after === undefined) {
      return unknown("no server could send an answer from where it was not asked, and be asked there afterwards");
    }
    return known(before.host !== after.host || before.port !== after.port);
  }

  pollTimeout(): number {
    return this.alternate === undefined ? this.askAtMs : Number.POSITIVE_INFINITY;
  }

  /** To be called after every input. */
  advance(nowMs: number): void {
    const { transactions, carrier, reference } = this.options;
    if (reference.other === undefined || this.opening?.state !== "answered" || this.alternate !== undefined) return;
    if (this.askAtMs === Number.POSITIVE_INFINITY) this.askAtMs = nowMs + NAT_UNSOLICITED_WAIT_MS;
    if (nowMs < this.askAtMs) return;
    const rtoMs = retransmissionMs(reference);
    this.alternate = transactions.ask(nowMs, { to: reference.other, carrier }, { rtoMs });
  }
}
