// Asks a STUN server where a socket of ours is seen (RFC 8489 §7.2.1's retransmissions, shortened: the server is our own rendezvous,
// and whoever asks can ask again).

import { formatSocketAddress, type SocketAddress } from "../base/address.ts";
import { MAPPED_ADDRESS_QUERIES_MAX, MAPPED_ADDRESS_RETRY_MS, MAPPED_ADDRESS_TRIES } from "../base/limits.ts";
import { type Random, randomBytes } from "../base/random.ts";
import type { Carrier, Route, RouteTable } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import { decodeStun, encodeStun, STUN_TRANSACTION_BYTES } from "../wire/stun.ts";

interface Query {
  readonly route: Route;
  readonly packet: Uint8Array;
  tries: number;
  atMs: number;
}

/** Where the socket of a carrier is seen. */
export interface MappedAddress {
  readonly carrier: Carrier;
  readonly address: SocketAddress;
}

const keyOf = (transactionId: Uint8Array): string => transactionId.join();

export class MappedAddressQuery {
  private readonly routes: RouteTable;
  private readonly random: Random;
  private readonly queries = new Map<string, Query>();

  constructor(routes: RouteTable, random: Random) {
    this.routes = routes;
    this.random = random;
  }

  /** Asks `server` from the socket of `carrier`. */
  ask(nowMs: number, server: SocketAddress, carrier: Carrier): void {
    if (this.queries.size >= MAPPED_ADDRESS_QUERIES_MAX) return;
    const transactionId = randomBytes(this.random, STUN_TRANSACTION_BYTES);
    const packet = encodeStun({ class: "request", transactionId, fingerprint: true });
    this.queries.set(keyOf(transactionId), {
      route: this.routes.direct(server, carrier),
      packet,
      tries: 0,
      atMs: nowMs,
    });
  }

  /** @param packet one STUN message. @returns undefined where it answers none of our questions. */
  handleAnswer(from: SocketAddress, carrier: Carrier, packet: Uint8Array): MappedAddress | undefined {
    const message = decodeStun(packet);
    if (message === undefined || message.class !== "success") return undefined;
    const key = keyOf(message.transactionId);
    const query = this.queries.get(key);
    if (query === undefined || query.route.carrier !== carrier) return undefined;
    if (formatSocketAddress(query.route.remote) !== formatSocketAddress(from)) return undefined;
    const address = message.xorMappedAddress ?? message.mappedAddress;
    if (address === undefined) return undefined;
    this.queries.delete(key);
    return { carrier, address };
  }

  pollTimeout(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const query of this.queries.values()) at = Math.min(at, query.atMs);
    return at;
  }

  /** Fills `out` with the next request that is due. @returns false when there is none. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    for (const [key, query] of this.queries) {
      if (query.atMs > nowMs) continue;
      if (query.tries >= MAPPED_ADDRESS_TRIES) {
        this.queries.delete(key);
        continue;
      }
      query.tries++;
      query.atMs = nowMs + MAPPED_ADDRESS_RETRY_MS * query.tries;
      out.single(query.route, query.packet);
      return true;
    }
    return false;
  }
}
