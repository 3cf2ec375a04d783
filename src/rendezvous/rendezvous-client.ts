// An agent's session with its rendezvous, kept up for as long as the agent runs. It sits on the agent's own endpoint, so that the
// rendezvous sees the very address that peers will see, and the agent routes the session's connection events here.
//
//   handshake ──connected──▶ session ──in doubt, or lost──▶ handshake beside it, whichever works first stays
//       ▲                       │
//       └──────pause────────────┴──closed
//
// Where UDP is not answered the handshake goes over streams as well (stream-fallback.ts), and the first that works is used. UDP is
// asked again as a further path of the same connection, which goes over to it by itself.
//
// An old session stays until the new one is confirmed; the rendezvous takes both for the same instance and hands the relay
// channels over, so that connections which are being relayed notice nothing.

import type { SocketAddress } from "../base/address.ts";
import { RENDEZVOUS_ATTEMPT_MS, RENDEZVOUS_UDP_PATIENCE_MS } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import { type Carrier, isStreamCarrier, MAIN_CARRIER, type Route, type RouteTable } from "../base/route.ts";
import { TimerTable } from "../base/timer-table.ts";
import type { Transmit } from "../base/transmit.ts";
import { equalBytes } from "../crypto/secret.ts";
import type { Connection } from "../transport/connection.ts";
import type { ConnectionEvent } from "../transport/connection-event.ts";
import { AddressRotation } from "./address-rotation.ts";
import { MessageStream } from "./message-stream.ts";
import { ReconnectSchedule } from "./reconnect-schedule.ts";
import { RendezvousAttempt } from "./rendezvous-attempt.ts";
import type { RendezvousClientConfig } from "./rendezvous-client-config.ts";
import { type OpenRequest, RendezvousConversation } from "./rendezvous-conversation.ts";
import type { RendezvousEvent } from "./rendezvous-event.ts";
import type { RendezvousTarget, UnresolvedTarget } from "./rendezvous-target.ts";
import { SessionWatch } from "./session-watch.ts";
import { StreamFallback } from "./stream-fallback.ts";

export type { RendezvousTarget } from "./rendezvous-target.ts";

const timer = { attempt: 0, retry: 1 } as const;

export class RendezvousClient {
  private readonly routes: RouteTable;
  private readonly log: Log;
  private readonly schedule: ReconnectSchedule;
  private readonly attempt: RendezvousAttempt;
  private readonly conversation: RendezvousConversation;
  private readonly streams = new StreamFallback();
  private readonly watch = new SessionWatch();
  private readonly timers = new TimerTable(2);
  private readonly events: RendezvousEvent[] = [];
  private isWanted = false;
  private addresses = new AddressRotation([]);
  private trustedKey: Uint8Array | undefined;
  /** The connection that carries the conversation, also while it is stalled. */
  private session: Connection | undefined;
  /** Connections that were let go and whose last events are still to come. */
  private readonly dismissed = new Set<Connection>();
  /** Of the rendezvous's process: another one knows nothing of our channels. */
  private serverInstance: Uint8Array | undefined;

  constructor(config: RendezvousClientConfig) {
    this.routes = config.routes;
    this.log = config.log;
    this.schedule = new ReconnectSchedule(config.random);
    this.attempt = new RendezvousAttempt(config.endpoint, config.random);
    this.conversation = new RendezvousConversation(config.routes, (event) => {
      // Only now is it certain that the rendezvous takes us; one that is full closes the session before.
      if (event.type === "registered") this.schedule.reset();
      this.events.push(event);
    });
  }

  /** Whether introductions can be asked for. */
  get isConnected(): boolean {
    return this.conversation.isUsable;
  }

  /** The key that the rendezvous has to prove, once it is known. */
  get publicKey(): Uint8Array | undefined {
    return this.trustedKey;
  }

  /** By which of our sockets the session goes. */
  get carrier(): Carrier {
    return this.session?.activePath?.route.carrier ?? MAIN_CARRIER;
  }

  /** Begins to hold a session with this rendezvous. One with another is kept until then. */
  start(nowMs: number, target: RendezvousTarget | UnresolvedTarget): void {
    const holds = "address" in target && this.holds(target);
    this.isWanted = true;
    this.addresses = new AddressRotation("address" in target ? [target.address, ...(target.alternatives ?? [])] : []);
    this.schedule.reset();
    if (holds) {
      this.trustedKey = this.session?.remoteIdentity;
      this.dropAttempt(nowMs);
    } else {
      this.trustedKey = target.publicKey;
      this.unwantOthers(this.carrier);
      this.beginAttempt(nowMs);
    }
  }

  /** Ends the session for good. */
  stop(nowMs: number): void {
    this.isWanted = false;
    this.dropAttempt(nowMs);
    for (const row of Object.values(timer)) this.timers.clear(row);
    this.streams.stop();
    const { session } = this;
    if (session === undefined) return;
    this.leave(session);
    this.conversation.detach();
    session.close(nowMs, closeCode.goingAway, "the agent is shutting down");
  }

  /** What others may ask for here; replaces what was registered before, and is remembered for later sessions. */
  register(nowMs: number, selectors: readonly Uint8Array[]): void {
    this.conversation.register(nowMs, selectors);
  }

  /** Asks to be introduced. @returns the request's number; "opened" or "open-failed" follows in any case. */
  open(nowMs: number, request: OpenRequest): number {
    return this.conversation.open(nowMs, request);
  }

  /** A relay channel is not needed any more. */
  closeChannel(nowMs: number, route: Route): void {
    this.conversation.closeChannel(nowMs, route);
  }

  /** Something suggests that the rendezvous is gone, or is back: it is asked at once. */
  poke(nowMs: number): void {
    this.session?.ping();
    if (this.isConnected) this.watch.onAsked(nowMs, this.session);
    if (this.timers.isSet(timer.retry)) this.beginAttempt(nowMs);
  }

  /** The host's network is another one, or it woke up: earlier failures mean nothing. */
  handleNetworkChange(nowMs: number): void {
    this.schedule.reset();
    this.streams.onNetworkChange(nowMs);
    this.session?.onNetworkChange();
    if (this.isConnected) this.watch.onAsked(nowMs, this.session);
    if (this.attempt.isUnderWay || this.timers.isSet(timer.retry)) this.beginAttempt(nowMs);
  }

  /** A stream to the rendezvous is open. */
  addStream(nowMs: number, route: Route): void {
    if (this.isConnected || !this.isWanted) {
      this.events.push({ type: "stream-unwanted", carrier: route.carrier });
      return;
    }
    this.streams.add(route);
    if (!this.attempt.isUnderWay) {
      this.beginAttempt(nowMs);
      return;
    }
    this.attempt.addRoute(route);
    // The attempt began over UDP, a while ago.
    this.timers.set(timer.attempt, nowMs + RENDEZVOUS_ATTEMPT_MS);
  }

  /** A stream to the rendezvous, or one that was, is gone. */
  handleStreamClosed(nowMs: number, carrier: Carrier): void {
    const route = this.streams.remove(carrier);
    const { session } = this;
    if (route === undefined || session === undefined) return;
    session.dropRoute(nowMs, route);
    if (session.activePath === undefined && this.isConnected) this.handleStall(nowMs);
  }

  /** Whether the events of this connection belong here. */
  owns(connection: Connection): boolean {
    return connection === this.session || connection === this.attempt.connection || this.dismissed.has(connection);
  }

  handleConnectionEvent(nowMs: number, connection: Connection, event: ConnectionEvent): void {
    if (connection === this.session) this.handleSessionEvent(nowMs, connection, event);
    else if (connection === this.attempt.connection) this.handleAttemptEvent(nowMs, connection, event);
    else if (event.type === "closed") this.dismissed.delete(connection);
  }

  /** @param packet an identity reply (c7). */
  handleIdentityReply(nowMs: number, from: SocketAddress, packet: Uint8Array): void {
    const publicKey = this.attempt.handleIdentityReply(from, packet);
    if (publicKey === undefined) return;
    this.trustedKey = publicKey;
    this.events.push({ type: "identity", address: from, publicKey });
    this.beginAttempt(nowMs);
  }

  pollTimeout(): number {
    const { timers, watch, streams, conversation, attempt } = this;
    const sessionMs = Math.min(watch.pollTimeout(), conversation.pollTimeout());
    return Math.min(timers.earliest(), sessionMs, streams.pollTimeout(), attempt.pollTimeout());
  }

  handleTimeout(nowMs: number): void {
    this.conversation.handleTimeout(nowMs);
    // The answer may only be late, or the rendezvous knows us no more.
    const isDoubted = this.watch.takeDoubted(nowMs, this.session) && this.isConnected;
    if (isDoubted && !this.attempt.isUnderWay) this.beginAttempt(nowMs, true);
    if (this.watch.takeLost(nowMs, this.session)) this.handleStall(nowMs);
    if (this.timers.takeDue(timer.attempt, nowMs)) {
      this.failAttempt(nowMs, `no answer within ${this.addresses.attemptMs / 1000} seconds`);
    }
    if (this.timers.takeDue(timer.retry, nowMs)) this.beginAttempt(nowMs);
    if (this.streams.takeWanted(nowMs)) this.events.push({ type: "streams-wanted" });
    if (this.streams.takeAsking(nowMs)) this.askUdp(nowMs);
    if (this.streams.takeLeaving(nowMs)) this.leaveStreams(nowMs);
  }

  /** Identity requests alone; the session's packets are the endpoint's. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    return this.attempt.pollTransmit(nowMs, out);
  }

  pollEvent(): RendezvousEvent | undefined {
    return this.events.shift();
  }

  /** Whether the session is with this very rendezvous, at one of its addresses. */
  private holds({ address, alternatives = [], publicKey }: RendezvousTarget): boolean {
    const route = this.session?.activePath?.route;
    if (!this.isConnected || this.session === undefined || route === undefined) return false;
    // A stream may lead to another port, or to a proxy.
    const places = isStreamCarrier(route.carrier) ? this.addresses : new AddressRotation([route.remote]);
    const isThere = [address, ...alternatives].some((one) => places.has(one));
    return isThere && (publicKey === undefined || equalBytes(publicKey, this.session.remoteIdentity));
  }

  // ---- attempts

  private beginAttempt(nowMs: number, isPrecaution = false): void {
    this.dropAttempt(nowMs);
    if (!this.isWanted) return;
    const address = this.addresses.current;
    this.timers.set(timer.attempt, nowMs + this.addresses.attemptMs);
    // A session that has fallen silent was patience enough.
    const isPatient = address !== undefined && !this.conversation.isPaused;
    if (!isPrecaution) this.streams.onAsked(nowMs, isPatient ? RENDEZVOUS_UDP_PATIENCE_MS : 0);
    const routes = [...(address === undefined ? [] : [this.routes.direct(address)]), ...this.streams.routes];
    const hasBegun = this.attempt.begin(nowMs, routes, this.trustedKey, isPrecaution);
    if (!hasBegun) this.failAttempt(nowMs, "its public key is no valid one");
  }

  private dropAttempt(nowMs: number): void {
    this.timers.clear(timer.attempt);
    this.timers.clear(timer.retry);
    const connection = this.attempt.end();
    if (connection !== undefined) this.dismiss(nowMs, connection);
  }

  /** Closes a connection that is not wanted any more, and still owns what it has to say. */
  private dismiss(nowMs: number, connection: Connection): void {
    this.dismissed.add(connection);
    connection.close(nowMs, closeCode.none, "another session is used");
  }

  private failAttempt(nowMs: number, message: string): void {
    const address = this.addresses.current;
    const { isPrecaution } = this.attempt;
    this.dropAttempt(nowMs);
    if (isPrecaution) return;
    this.unwantOthers(this.carrier);
    // A pause is due when all addresses have had their turn.
    const roundIsOver = this.addresses.next();
    this.timers.set(timer.retry, roundIsOver ? nowMs + this.schedule.pauseMs(nowMs) : nowMs);
    this.events.push({ type: "unreachable", address, message });
  }

  private handleAttemptEvent(nowMs: number, connection: Connection, event: ConnectionEvent): void {
    if (event.type === "connected") this.begin(nowMs, connection);
    else if (event.type === "closed") this.failAttempt(nowMs, event.reason);
  }

  // ---- the session

  private begin(nowMs: number, connection: Connection): void {
    this.attempt.end();
    this.dropAttempt(nowMs);
    this.addresses.keep();
    const before = this.session;
    if (before !== undefined) {
      this.leave(before);
      // The endpoint has closed it already where it was the same process of the rendezvous.
      before.close(nowMs, closeCode.none, "another session is used");
    }
    this.session = connection;
    const restarted = this.serverInstance === undefined || !equalBytes(this.serverInstance, connection.remoteInstance);
    if (restarted) this.conversation.forgetChannels();
    this.serverInstance = connection.remoteInstance;
    const stream = connection.openStream(nowMs);
    const route = connection.activePath?.route;
    if (stream === undefined || route === undefined) {
      connection.close(nowMs, closeCode.violation, "the rendezvous lets no stream be opened");
      return;
    }
    this.streams.onSession(nowMs, isStreamCarrier(route.carrier));
    this.unwantOthers(route.carrier);
    this.conversation.attach(nowMs, new MessageStream(stream), route);
    this.events.push({ type: "connected", address: route.remote, publicKey: connection.remoteIdentity });
  }

  // ---- streams, and back to UDP

  private unwantOthers(kept?: Carrier): void {
    for (const { carrier } of this.streams.removeOthers(kept)) this.events.push({ type: "stream-unwanted", carrier });
  }

  /** A challenge over UDP, beside the stream; should it come back, the connection goes over by itself. */
  private askUdp(nowMs: number): void {
    for (const address of this.addresses.all) this.session?.probe(nowMs, this.routes.direct(address));
  }

  private handleMoved(nowMs: number, route: Route): void {
    const isNews = this.conversation.moveTo(route);
    this.streams.onMoved(nowMs, isStreamCarrier(route.carrier));
    if (isNews && this.isConnected) this.events.push({ type: "moved", address: route.remote });
  }

  /** UDP has carried the session for a while. */
  private leaveStreams(nowMs: number): void {
    for (const route of this.streams.routes) this.session?.dropRoute(nowMs, route);
    this.unwantOthers();
  }

  /** Nothing of this connection is heeded any more. */
  private leave(connection: Connection): void {
    this.session = undefined;
    this.watch.clear();
    if (connection.state !== "closed") this.dismissed.add(connection);
  }

  private handleSessionEvent(nowMs: number, session: Connection, event: ConnectionEvent): void {
    switch (event.type) {
      case "readable":
        this.read(nowMs, session);
        break;
      case "writable":
        this.conversation.handleWritable();
        break;
      case "stream-reset":
      case "stop-sending":
        session.close(nowMs, closeCode.violation, "the conversation was reset");
        break;
      case "active-path":
        this.handleMoved(nowMs, event.path.route);
        break;
      case "stalled":
        this.watch.onStalled(nowMs);
        break;
      case "recovered":
        this.handleRecovered(nowMs, session);
        break;
      case "closed":
        this.handleClosed(nowMs, event.reason);
        break;
    }
  }

  private read(nowMs: number, session: Connection): void {
    try {
      this.conversation.handleReadable(nowMs);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.log.warn("the rendezvous broke the protocol; the session is closed", { detail: error.message });
      session.close(nowMs, error.code, error.message);
    }
  }

  /** Nothing has come back for a while. It may be the network or the rendezvous: a new handshake is tried beside the old session. */
  private handleStall(nowMs: number): void {
    this.conversation.pause();
    this.events.push({ type: "lost", message: "it does not answer" });
    this.beginAttempt(nowMs);
  }

  private handleRecovered(nowMs: number, session: Connection): void {
    this.watch.clear();
    if (this.attempt.isPrecaution) this.dropAttempt(nowMs);
    if (!this.conversation.isPaused || this.attempt.connection?.state === "connected") return;
    this.dropAttempt(nowMs);
    this.conversation.resume(nowMs);
    const address = session.activePath?.route.remote ?? this.addresses.current;
    if (address !== undefined) this.events.push({ type: "connected", address, publicKey: session.remoteIdentity });
  }

  private handleClosed(nowMs: number, reason: string): void {
    this.session = undefined;
    this.watch.clear();
    if (!this.conversation.isPaused) this.events.push({ type: "lost", message: reason });
    this.conversation.detach();
    // The rendezvous closes the channels of an agent whose session has ended.
    this.conversation.forgetChannels();
    if (!this.timers.isSet(timer.attempt)) {
      this.timers.set(timer.retry, nowMs + this.schedule.pauseMs(nowMs));
    }
  }
}
