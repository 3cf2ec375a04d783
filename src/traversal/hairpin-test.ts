// Whether two sockets behind one NAT reach each other by their addresses outside (RFC 5780 §4.5, RFC 4787 REQ-9). Both send to the other
// one's mapped address, so that neither filter is in the way; one request that comes through at the other socket is proof.

import type { SocketAddress } from "../base/address.ts";
import { NAT_HAIRPIN_ROUNDS, NAT_ROUND_INTERVAL_MS, NAT_ROUND_WAIT_MIN_MS } from "../base/limits.ts";
import type { Carrier } from "../base/route.ts";
import type { ReceivedStunMessage } from "../wire/stun.ts";
import type { StunTransaction, StunTransactions } from "./stun-transactions.ts";

/** A socket of ours and where it is seen from outside. */
export interface MappedSocket {
  readonly carrier: Carrier;
  readonly mapped: SocketAddress;
}

export class HairpinTest {
  private readonly transactions: StunTransactions;
  private readonly sockets: readonly [MappedSocket, MappedSocket];
  private readonly sent: StunTransaction[] = [];
  private nextRoundAtMs: number;
  private proven = false;

  constructor(nowMs: number, transactions: StunTransactions, sockets: readonly [MappedSocket, MappedSocket]) {
    this.transactions = transactions;
    this.sockets = sockets;
    this.nextRoundAtMs = nowMs;
  }

  /** Whether they reach each other; undefined while that is being tried. */
  get works(): boolean | undefined {
    if (this.proven) return true;
    return !this.wantsRound && this.sent.every(({ state }) => state !== "waiting") ? false : undefined;
  }

  private get wantsRound(): boolean {
    return !this.proven && this.sent.length < NAT_HAIRPIN_ROUNDS * 2;
  }

  pollTimeout(): number {
    return this.wantsRound ? this.nextRoundAtMs : Number.POSITIVE_INFINITY;
  }

  /** A request came to a socket of ours. */
  onRequest(message: ReceivedStunMessage, carrier: Carrier): void {
    const id = message.transactionId.join();
    const own = this.sent.find(({ transactionId }) => transactionId.join() === id);
    if (own !== undefined && own.question.carrier !== carrier) this.proven = true;
  }

  /** To be called after every input. */
  advance(nowMs: number): void {
    if (!this.wantsRound || nowMs < this.nextRoundAtMs) return;
    const [a, b] = this.sockets;
    const once = { requestsMax: 1, rtoMs: NAT_ROUND_WAIT_MIN_MS };
    this.sent.push(
      this.transactions.ask(nowMs, { to: b.mapped, carrier: a.carrier }, once),
      this.transactions.ask(nowMs, { to: a.mapped, carrier: b.carrier }, once),
    );
    this.nextRoundAtMs = nowMs + NAT_ROUND_INTERVAL_MS;
  }
}
