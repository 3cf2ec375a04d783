// Questions to STUN servers and what became of them: requests are sent again until they are answered (RFC 8489 §6.2.1), and an
// answer counts only with its transaction id, at the socket and from the address where it is due. RFC 5780's questions, whose
// answers come from elsewhere or go elsewhere, are asked in the same way.

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { STUN_REQUESTS_MAX, STUN_RTO_MAX_MS, STUN_RTO_MS } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import type { Carrier, Route, RouteTable } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { decodeStun, encodeStun, type ReceivedStunMessage, STUN_TRANSACTION_BYTES } from "../wire/stun.ts";
import type { StunChangeRequest } from "../wire/stun-attribute.ts";

export interface StunQuestion {
  readonly to: SocketAddress;
  /** Our socket that asks. */
  readonly carrier: Carrier;
  /** The socket that the answer is due at, where RESPONSE-PORT sends it to another one. */
  readonly answerCarrier?: Carrier;
  readonly changeRequest?: StunChangeRequest;
  readonly responsePort?: number;
  readonly paddingBytes?: number;
}

export interface RetransmissionSchedule {
  /** Until the request is sent for the second time; doubled each time, up to STUN_RTO_MAX_MS. */
  readonly rtoMs: number;
  readonly requestsMax: number;
}

const DEFAULT_SCHEDULE: RetransmissionSchedule = { rtoMs: STUN_RTO_MS, requestsMax: STUN_REQUESTS_MAX };

/** refused: the server will not do what was asked. silent: no answer to any of the requests. */
export type StunState = "waiting" | "answered" | "refused" | "silent";

/** One question, read by whoever asked it. */
export interface StunTransaction {
  readonly question: StunQuestion;
  readonly transactionId: Uint8Array;
  readonly state: StunState;
  readonly requestsSent: number;
  /** Where the server sees our socket; there when answered. */
  readonly mapped?: SocketAddress;
  /** RESPONSE-ORIGIN: where the server believes that its answer came from. */
  readonly origin?: SocketAddress;
  /** OTHER-ADDRESS: the server has alternates (RFC 5780). */
  readonly other?: SocketAddress;
  /** PADDING of the answer. */
  readonly paddingBytes?: number;
  /** From the request to its answer, in ms; not known where it was sent more than once. */
  readonly rttMs?: number;
}

type Transaction = { -readonly [Key in keyof StunTransaction]: StunTransaction[Key] } & {
  readonly route: Route;
  readonly packet: Uint8Array;
  readonly requestsMax: number;
  intervalMs: number;
  sentAtMs: number;
  /** When the next request is due, or after the last one, when nobody is waited for any more. */
  dueAtMs: number;
};

const keyOf = (transactionId: Uint8Array): string => transactionId.join();

export class StunTransactions {
  private readonly routes: RouteTable;
  private readonly random: Random;
  private readonly waiting = new Map<string, Transaction>();

  constructor(routes: RouteTable, random: Random) {
    this.routes = routes;
    this.random = random;
  }

  /** Asks now. @returns the transaction, whose state changes with what comes, or does not come. */
  ask(nowMs: number, question: StunQuestion, schedule: Partial<RetransmissionSchedule> = {}): StunTransaction {
    const { rtoMs, requestsMax } = { ...DEFAULT_SCHEDULE, ...schedule };
    const { changeRequest, responsePort, paddingBytes } = question;
    const transactionId = randomBytes(this.random, STUN_TRANSACTION_BYTES);
    const transaction: Transaction = {
      question,
      transactionId,
      state: "waiting",
      requestsSent: 0,
      route: this.routes.direct(question.to, question.carrier),
      packet: encodeStun({
        class: "request",
        transactionId,
        changeRequest,
        responsePort,
        paddingBytes,
        fingerprint: false,
      }),
      requestsMax,
      intervalMs: rtoMs,
      sentAtMs: nowMs,
      dueAtMs: nowMs,
    };
    this.waiting.set(keyOf(transactionId), transaction);
    return transaction;
  }

  /** Forgets every question that has no answer yet. */
  clear(): void {
    this.waiting.clear();
  }

  /**
   * @param packet exactly one STUN message, which came to the socket of `carrier`.
   * @returns the message where it is no answer to any question: somebody else's, or a request.
   */
  handlePacket(
    nowMs: number,
    from: SocketAddress,
    packet: Uint8Array,
    carrier: Carrier,
  ): ReceivedStunMessage | undefined {
    const message = decodeStun(packet);
    const key = message === undefined ? "" : keyOf(message.transactionId);
    const transaction = this.waiting.get(key);
    if (message === undefined || transaction === undefined || message.class === "request") return message;
    if (this.settle(nowMs, transaction, from, message, carrier)) this.waiting.delete(key);
    return undefined;
  }

  /** @returns whether the transaction has its answer. */
  private settle(
    nowMs: number,
    transaction: Transaction,
    from: SocketAddress,
    message: ReceivedStunMessage,
    carrier: Carrier,
  ): boolean {
    const { to, carrier: asking, answerCarrier = asking, changeRequest } = transaction.question;
    if (message.class === "indication") return false;
    if (carrier !== answerCarrier) {
      // A server that does not know RESPONSE-PORT answers whoever asked.
      if (carrier === asking) transaction.state = "refused";
      return carrier === asking;
    }
    const mapped = message.xorMappedAddress ?? message.mappedAddress;
    if (message.class === "success" && (mapped === undefined || message.unknownRequired.length > 0)) return false;
    const fromThere =
      (from.host !== to.host) === (changeRequest?.changeAddress ?? false) &&
      (from.port !== to.port) === (changeRequest?.changePort ?? false);
    if (!fromThere) {
      // A server that does not know CHANGE-REQUEST answers from where it was asked, which proves nothing.
      if (changeRequest === undefined || formatSocketAddress(from) !== formatSocketAddress(to)) return false;
      transaction.state = "refused";
      return true;
    }
    transaction.state = message.class === "success" ? "answered" : "refused";
    if (mapped !== undefined) transaction.mapped = mapped;
    if (message.responseOrigin !== undefined) transaction.origin = message.responseOrigin;
    if (message.otherAddress !== undefined) transaction.other = message.otherAddress;
    if (message.paddingBytes !== undefined) transaction.paddingBytes = message.paddingBytes;
    if (transaction.requestsSent === 1) transaction.rttMs = nowMs - transaction.sentAtMs;
    return true;
  }

  /** Gives up questions whose last request has waited long enough. */
  handleTimeout(nowMs: number): void {
    for (const [key, transaction] of this.waiting) {
      if (transaction.dueAtMs > nowMs || transaction.requestsSent < transaction.requestsMax) continue;
      transaction.state = "silent";
      this.waiting.delete(key);
    }
  }

  pollTimeout(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const { dueAtMs } of this.waiting.values()) atMs = Math.min(atMs, dueAtMs);
    return atMs;
  }

  /** Fills `out` with the next request that is due. @returns false when there is none. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    for (const transaction of this.waiting.values()) {
      if (transaction.dueAtMs > nowMs || transaction.requestsSent >= transaction.requestsMax) continue;
      out.single(transaction.route, transaction.packet);
      transaction.requestsSent++;
      transaction.sentAtMs = nowMs;
      transaction.dueAtMs = nowMs + transaction.intervalMs;
      transaction.intervalMs = Math.min(transaction.intervalMs * 2, Math.max(STUN_RTO_MAX_MS, transaction.intervalMs));
      return true;
    }
    return false;
  }
}
