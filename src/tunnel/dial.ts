// The wish to be connected to a peer's service, for ever: asks the rendezvous for an introduction, sends the handshake along,
// and begins again with patience whenever that fails or the connection ends.

import type { SocketAddress } from "../base/address.ts";
import { DIAL_ANSWER_MS, DIAL_RETRY_MAX_MS, DIAL_RETRY_MS, PEER_SILENCE_TOLD_MS } from "../base/limits.ts";
import { type Random, randomFraction } from "../base/random.ts";
import type { Route, RouteTable } from "../base/route.ts";
import { pskOf, secretTagOf, selectorOf, selectorOfService } from "../crypto/secret.ts";
import { StreamProof } from "../crypto/stream-proof.ts";
import type { OpenFailure } from "../rendezvous/rendezvous-event.ts";
import type { Connection } from "../transport/connection.ts";
import { NO_PSK, NO_SECRET_TAG } from "../transport/endpoint.ts";
import type { ConnectOptions } from "../transport/endpoint-config.ts";
import type { Stream } from "../transport/stream.ts";
import { encodePreamble } from "../wire/preamble.ts";
import type { AgentEvent, WaitingReason } from "./agent-event.ts";
import type { Peer } from "./peer.ts";

export interface DialOptions {
  /** Ed25519 public key. */
  readonly peer: Uint8Array;
  /** Of a ticket, 16 bytes. */
  readonly secret?: Uint8Array;
  /** Asked for by name where there is no secret; "" is the default one. */
  readonly service: string;
  /** Where the peer, or a group that it is in, can be reached without an introduction: tried along with the rendezvous, or without one. */
  readonly addresses?: readonly SocketAddress[];
}

/** What a dial needs of its agent. */
export interface DialContext {
  readonly random: Random;
  readonly routes: RouteTable;
  emit(event: AgentEvent): void;
  connect(nowMs: number, options: ConnectOptions): Connection | undefined;
  readonly rendezvous: {
    /** Asks to be introduced. @returns the request's number, or undefined while there is no rendezvous. */
    open(nowMs: number, peer: Uint8Array, selector: Uint8Array, packet: Uint8Array): number | undefined;
    /** The relay channel that came of it is not needed any more. */
    closeChannel(nowMs: number, route: Route): void;
  };
}

const MESSAGES: Record<WaitingReason, string> = {
  "no-rendezvous": "no rendezvous can be reached yet; connecting as soon as one answers",
  "peer-absent": "the peer is not connected to the rendezvous; waiting until it comes",
  "service-absent":
    'the peer is connected to the rendezvous and does not offer this service; waiting until it does. Does its "tunnel expose" run, and is the ticket its latest?',
  "no-answer": "the peer does not answer; is the ticket still valid, or does the peer list this peer id? Trying again",
  "too-many-channels": "the rendezvous allows no more channels at the moment; trying again",
  "peer-silent":
    "the peer does not answer any more; new connections wait, open ones go on when it does. Is it running, and is its network up?",
};

export class Dial {
  readonly peer: Uint8Array;
  readonly service: string;
  readonly selector: Uint8Array;
  private readonly proof: StreamProof | undefined;
  private readonly secretTag: Uint8Array;
  private readonly psk: Uint8Array;
  private readonly context: DialContext;
  private addresses: readonly SocketAddress[];
  /** The connection that serves this dial. */
  connected: Peer | undefined;
  private attempt: Connection | undefined;
  private request: number | undefined;
  /** The relay channel of the attempt. */
  private channel: Route | undefined;
  private atMs: number;
  private failures = 0;
  /** When a connection that hangs is spoken of. */
  private silentAtMs = Number.POSITIVE_INFINITY;
  /** Why it was said to wait, since it was connected last. */
  private readonly told = new Set<WaitingReason>();

  constructor(nowMs: number, options: DialOptions, context: DialContext) {
    this.peer = options.peer;
    this.service = options.service;
    this.proof = options.secret && new StreamProof(options.secret);
    this.secretTag = options.secret ? secretTagOf(options.secret) : NO_SECRET_TAG;
    this.psk = options.secret ? pskOf(options.secret) : NO_PSK;
    this.selector = options.secret ? selectorOf(options.secret) : selectorOfService(options.peer, options.service);
    this.context = context;
    this.addresses = options.addresses ?? [];
    this.atMs = nowMs;
  }

  /** The peer's addresses have become known, or are others now. */
  setAddresses(nowMs: number, addresses: readonly SocketAddress[]): void {
    this.addresses = addresses;
    if (this.attempt !== undefined) {
      for (const address of addresses) this.attempt.addHandshakeRoute(this.context.routes.direct(address));
    } else if (this.connected === undefined) {
      this.atMs = nowMs;
    }
  }

  /** Our own network is another one: what failed in the old one may work now. */
  onNetworkChange(nowMs: number): void {
    if (this.connected === undefined && this.attempt === undefined) this.atMs = nowMs;
  }

  /** The handshake that is under way. */
  get attempting(): Connection | undefined {
    return this.attempt;
  }

  pollTimeout(): number {
    return Math.min(this.atMs, this.silentAtMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.silentAtMs) {
      this.silentAtMs = Number.POSITIVE_INFINITY;
      this.tell("peer-silent");
    }
    if (nowMs < this.atMs) return;
    if (this.attempt !== undefined) {
      this.wait("no-answer");
      if (this.channel !== undefined) this.context.rendezvous.closeChannel(nowMs, this.channel);
      this.giveUp(nowMs);
    } else {
      this.begin(nowMs);
    }
  }

  private begin(nowMs: number): void {
    this.atMs = Number.POSITIVE_INFINITY;
    this.channel = undefined;
    const connection = this.context.connect(nowMs, {
      remoteIdentity: this.peer,
      psk: this.psk,
      secretTag: this.secretTag,
      resume: true,
      routes: this.addresses.map((address) => this.context.routes.direct(address)),
    });
    const packet = connection?.handshakePacket(nowMs);
    if (connection === undefined || packet === undefined) return;
    this.request = this.context.rendezvous.open(nowMs, this.peer, this.selector, packet);
    if (this.request === undefined && this.addresses.length === 0) {
      // onRendezvousConnected begins again.
      connection.vanish(0, "there is no rendezvous");
      return;
    }
    this.attempt = connection;
    this.atMs = nowMs + DIAL_ANSWER_MS;
  }

  /** The attempt has come to nothing: another one later. */
  private giveUp(nowMs: number): void {
    const attempt = this.attempt;
    this.attempt = undefined;
    this.request = undefined;
    this.channel = undefined;
    attempt?.vanish(0, "the attempt to connect was given up");
    const backoffMs = Math.min(DIAL_RETRY_MS * 2 ** Math.min(this.failures, 10), DIAL_RETRY_MAX_MS);
    this.failures++;
    this.atMs = nowMs + backoffMs * (0.75 + 0.5 * randomFraction(this.context.random));
  }

  private wait(reason: WaitingReason): void {
    if (this.connected === undefined) this.tell(reason);
  }

  private tell(reason: WaitingReason): void {
    if (this.told.has(reason)) return;
    this.told.add(reason);
    this.context.emit({ type: "dial-waiting", dial: this, reason, message: MESSAGES[reason] });
  }

  /** No rendezvous has answered so far. */
  onNoRendezvous(): void {
    if (this.addresses.length === 0) this.wait("no-rendezvous");
  }

  /** There is a rendezvous, or another one: ask it now, unless one is being asked. */
  onRendezvousConnected(nowMs: number): void {
    if (this.connected !== undefined) return;
    if (this.attempt !== undefined) {
      if (this.request === undefined) this.introduceAttempt(nowMs, this.attempt);
      return;
    }
    this.failures = 0;
    this.atMs = nowMs;
  }

  /** The peer that was missed has come to the rendezvous. */
  onPresent(nowMs: number): void {
    if (this.connected !== undefined) return;
    if (this.attempt === undefined) this.atMs = nowMs;
    else if (this.request === undefined) this.introduceAttempt(nowMs, this.attempt);
  }

  /** The handshake is on its way to known addresses already; the rendezvous carries it as well. */
  private introduceAttempt(nowMs: number, attempt: Connection): void {
    const packet = attempt.handshakePacket(nowMs);
    if (packet !== undefined) this.request = this.context.rendezvous.open(nowMs, this.peer, this.selector, packet);
  }

  /** @returns whether the answer was for this dial. */
  onOpened(request: number, route: Route): boolean {
    if (request !== this.request || this.attempt === undefined) return false;
    this.attempt.addHandshakeRoute(route);
    this.channel = route;
    return true;
  }

  /** The session with the rendezvous goes another way, and the attempt's channel with it. */
  onChannelMoved(from: Route, to: Route): void {
    if (this.channel !== from) return;
    this.channel = to;
    this.attempt?.sendHandshakeTo(to);
  }

  /** The attempt's channel is gone, with the rendezvous perhaps. */
  onChannelClosed(nowMs: number, route: Route): void {
    if (this.channel !== route || this.attempt === undefined) return;
    this.request = undefined;
    if (this.addresses.length === 0) this.giveUp(nowMs);
  }

  /** @returns whether the answer was for this dial. */
  onOpenFailed(nowMs: number, request: number, reason: OpenFailure): boolean {
    if (request !== this.request) return false;
    if (reason === "too-many-channels") this.wait(reason);
    else if (reason === "selector-absent") this.wait("service-absent");
    else if (reason === "peer-absent") this.wait(reason);
    this.request = undefined;
    // Without the rendezvous, the known addresses still may answer.
    if (this.addresses.length === 0) this.giveUp(nowMs);
    return true;
  }

  /** The handshake succeeded, or somebody else's connection to the same peer serves as well. */
  onConnected(peer: Peer): void {
    if (this.attempt !== undefined && this.attempt !== peer.connection) {
      this.attempt.vanish(0, "another connection to the peer serves");
    }
    this.attempt = undefined;
    this.request = undefined;
    this.atMs = Number.POSITIVE_INFINITY;
    this.failures = 0;
    this.told.clear();
    this.silentAtMs = Number.POSITIVE_INFINITY;
    this.connected = peer;
    this.context.emit({ type: "dial-ready", dial: this });
  }

  /** openStream was refused for their number, and may succeed now. */
  onStreamsAvailable(): void {
    this.context.emit({ type: "dial-ready", dial: this });
  }

  /** The connection ended; a new one is made at once. */
  onGone(nowMs: number): void {
    this.connected = undefined;
    this.silentAtMs = Number.POSITIVE_INFINITY;
    if (this.attempt === undefined) this.atMs = nowMs;
  }

  /** The connection hangs: where the peer's addresses are known, they are asked at once whether another instance is there. */
  onStalled(nowMs: number): void {
    this.silentAtMs = nowMs + PEER_SILENCE_TOLD_MS;
    if (this.addresses.length > 0) this.redial(nowMs);
  }

  /** The connection hangs and its instance does not answer: perhaps the peer was started anew. */
  redial(nowMs: number): void {
    if (this.attempt === undefined && this.atMs === Number.POSITIVE_INFINITY) this.atMs = nowMs;
  }

  /** The connection that hung works again: no other one is wanted. */
  onRecovered(): void {
    if (this.connected === undefined) return;
    this.silentAtMs = Number.POSITIVE_INFINITY;
    this.told.clear();
    const attempt = this.attempt;
    this.attempt = undefined;
    this.request = undefined;
    this.atMs = Number.POSITIVE_INFINITY;
    attempt?.vanish(0, "the older connection works again");
    this.context.emit({ type: "dial-ready", dial: this });
  }

  /** The attempt's connection ended by itself. */
  onAttemptClosed(nowMs: number): void {
    this.giveUp(nowMs);
    const { connected } = this;
    if (connected === undefined) return;
    // It gave way to the older connection, which now has until the next attempt to show that it works again; the rendezvous has a
    // beat of its own for that.
    if (this.addresses.length === 0 || !connected.connection.isStalled) this.atMs = Number.POSITIVE_INFINITY;
  }

  /**
   * @returns undefined while it is not connected, or the connection hangs, or the peer allows no more streams: "dial-ready" follows. Should
   * the peer have been started anew, its new instance knows nothing of streams that were opened meanwhile.
   */
  openStream(nowMs: number): Stream | undefined {
    const connection = this.connected?.connection;
    if (connection?.isStalled) return undefined;
    const stream = connection?.openStream(nowMs);
    if (connection !== undefined) stream?.write(nowMs, this.preamble(connection.handshakeHash));
    return stream;
  }

  /** The first bytes of each stream of this dial. */
  private preamble(handshakeHash: Uint8Array): Uint8Array {
    if (this.proof === undefined) return encodePreamble({ kind: "service", name: this.service });
    return encodePreamble({ kind: "secret", secretTag: this.secretTag, proof: this.proof.on(handshakeHash) });
  }
}
