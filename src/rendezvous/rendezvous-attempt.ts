// One attempt to reach a rendezvous, by every way there is at the time: the question for its key where that is not known, then the
// handshake. A way that opens later joins in.

import type { SocketAddress } from "../base/address.ts";
import type { Random } from "../base/random.ts";
import type { Route } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import type { Connection } from "../transport/connection.ts";
import { type Endpoint, NO_PSK, NO_SECRET_TAG } from "../transport/endpoint.ts";
import { IdentityInquiry } from "./identity-inquiry.ts";

export class RendezvousAttempt {
  private readonly endpoint: Endpoint;
  private readonly inquiry: IdentityInquiry;
  /** The handshake that is to become the next session. */
  connection: Connection | undefined;
  /** It is made beside a session that is in doubt: nobody is told should it fail. */
  isPrecaution = false;

  constructor(endpoint: Endpoint, random: Random) {
    this.endpoint = endpoint;
    this.inquiry = new IdentityInquiry(random);
  }

  get isUnderWay(): boolean {
    return this.connection !== undefined || this.inquiry.isAsking;
  }

  /**
   * Begins anew.
   * @param publicKey Ed25519; without it the rendezvous is asked for it.
   * @returns false where the key is no valid one.
   */
  begin(nowMs: number, routes: readonly Route[], publicKey: Uint8Array | undefined, isPrecaution: boolean): boolean {
    this.isPrecaution = isPrecaution;
    if (publicKey === undefined) {
      this.inquiry.start(nowMs, ...routes);
      return true;
    }
    const options = { remoteIdentity: publicKey, psk: NO_PSK, secretTag: NO_SECRET_TAG, routes };
    this.connection = this.endpoint.connect(nowMs, options);
    return this.connection !== undefined;
  }

  addRoute(route: Route): void {
    this.inquiry.addRoute(route);
    this.connection?.sendHandshakeTo(route);
  }

  /** @returns the key, where this is the answer to the question for it. */
  handleIdentityReply(from: SocketAddress, packet: Uint8Array): Uint8Array | undefined {
    return this.inquiry.handleReply(from, packet);
  }

  /** It is over. @returns the handshake, which is the caller's now. */
  end(): Connection | undefined {
    const { connection } = this;
    this.inquiry.stop();
    this.connection = undefined;
    this.isPrecaution = false;
    return connection;
  }

  pollTimeout(): number {
    return this.inquiry.pollTimeout();
  }

  /** Questions alone; the handshake's packets are the endpoint's. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.inquiry.pollTransmit(nowMs, out);
  }
}
