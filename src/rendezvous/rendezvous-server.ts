// The rendezvous: one public machine that agents hold a session with, that introduces them to each other and relays what they
// send until a direct path is found, or for ever. It keeps nothing on disk: after a restart its agents come back by themselves.
//
//   datagram ─┬─ relayed ────────────────────────── relay.ts: the fast path, nothing else is asked
//             ├─ handshake, data ── Endpoint ────── introductions.ts: the messages of each agent's stream 0
//             ├─ STUN ───────────────────────────── stun-responder.ts
//             └─ identity request ───────────────── answered here

import type { SocketAddress } from "../base/address.ts";
import { DeadlineHeap } from "../base/deadline-heap.ts";
import type { Ecn } from "../base/ecn.ts";
import {
  AGENT_HANDOVER_MS,
  AGENT_IDLE_TIMEOUT_MS,
  AGENT_SILENT_MS,
  AGENT_WINDOW_BYTES,
  SERVER_EVENTS_MAX,
} from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Machine } from "../base/machine.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import type { Random } from "../base/random.ts";
import { type Carrier, isStreamCarrier, MAIN_CARRIER, type Route, RouteTable } from "../base/route.ts";
import type { Transmit } from "../base/transmit.ts";
import type { Identity } from "../crypto/identity.ts";
import type { PacketCipherFactory } from "../crypto/packet-cipher.ts";
import type { Connection } from "../transport/connection.ts";
import type { ConnectionEvent } from "../transport/connection-event.ts";
import { Endpoint, NO_PSK } from "../transport/endpoint.ts";
import type { Path } from "../transport/path.ts";
import type { PathSelector } from "../transport/path-choice.ts";
import { packetKind, packetLength } from "../wire/datagram.ts";
import { decodeIdentityRequest, encodeIdentityReply } from "../wire/identity-exchange.ts";
import type { AgentSession } from "./agent-session.ts";
import { type AgentBounds, AgentTable, defaultAgentBounds } from "./agent-table.ts";
import { AnswerQueue } from "./answer-queue.ts";
import { Introductions } from "./introductions.ts";
import { MessageStream } from "./message-stream.ts";
import type { RelayParty } from "./relay-channel.ts";
import { StreamWatch } from "./stream-watch.ts";
import { StunResponder, type StunSocket } from "./stun-responder.ts";

export interface RendezvousServerConfig {
  readonly identity: Identity;
  /** Random per process, 8 bytes. */
  readonly instance: Uint8Array;
  readonly random: Random;
  readonly cipher: PacketCipherFactory;
  readonly log: Log;
  readonly bounds?: Partial<AgentBounds>;
  /** The server's sockets as the Internet sees them; more than one for RFC 5780. */
  readonly stunSockets?: readonly StunSocket[];
}

/** What happens here, for logs and metrics. */
export type RendezvousServerEvent =
  | { readonly type: "agent-connected"; readonly identity: Uint8Array; readonly address: SocketAddress }
  | { readonly type: "agent-gone"; readonly identity: Uint8Array; readonly reason: string }
  /** No agent uses this stream: it is to be closed. */
  | { readonly type: "carrier-unwanted"; readonly carrier: Carrier };

export interface RendezvousStatistics {
  readonly agents: number;
  readonly relayPairs: number;
  readonly forwardedPackets: number;
  readonly forwardedBytes: number;
  readonly droppedPackets: number;
}

/** An agent is where it was heard last; on a stream only while UDP does not work, which is how the agent has it, too. */
const latestHeard: PathSelector = (paths) => {
  let best: Path | undefined;
  for (const path of paths) if (best === undefined || isLater(path, best)) best = path;
  return best;
};

function isLater(path: Path, than: Path): boolean {
  if (path.state !== than.state) return path.state === "working";
  const isStream = isStreamCarrier(path.route.carrier);
  if (isStream !== isStreamCarrier(than.route.carrier)) return !isStream;
  return path.lastHeardAtMs > than.lastHeardAtMs;
}

export class RendezvousServer implements Machine {
  private readonly publicKey: Uint8Array;
  private readonly log: Log;
  private readonly endpoint: Endpoint;
  private readonly routes = new RouteTable();
  private readonly agents: AgentTable;
  private readonly introductions: Introductions;
  private readonly answers: AnswerQueue;
  private readonly stun: StunResponder;
  /** Agents that have to open their stream, or to connect anew, before long. */
  private readonly awaited = new DeadlineHeap<AgentSession>();
  private readonly streams = new StreamWatch();
  private readonly events: RendezvousServerEvent[] = [];
  private isShutDown = false;

  constructor(config: RendezvousServerConfig) {
    this.publicKey = config.identity.publicKey;
    this.log = config.log;
    this.agents = new AgentTable({ ...defaultAgentBounds, ...config.bounds });
    this.introductions = new Introductions(config.random);
    this.answers = new AnswerQueue(config.random);
    this.stun = new StunResponder(config.stunSockets ?? []);
    this.endpoint = new Endpoint({
      identity: config.identity,
      instance: config.instance,
      random: config.random,
      cipher: config.cipher,
      log: config.log,
      admit: ({ identity, instance, route }) =>
        !this.isShutDown && this.agents.hasRoom(identity, instance, route) ? { psk: NO_PSK } : undefined,
      settings: {
        initialDataBytes: AGENT_WINDOW_BYTES,
        dataBytesMax: AGENT_WINDOW_BYTES,
        initialStreamDataBytes: AGENT_WINDOW_BYTES,
        streamDataBytesMax: AGENT_WINDOW_BYTES,
        streamsMax: 1,
        idleTimeoutMs: AGENT_IDLE_TIMEOUT_MS,
        selectPath: latestHeard,
      },
    });
  }

  get statistics(): RendezvousStatistics {
    const { relay } = this.introductions;
    return { agents: this.agents.count, relayPairs: relay.pairs, ...relay.counters };
  }

  /** An agent, or whoever, has opened a stream to us. */
  handleCarrierOpened(nowMs: number, carrier: Carrier, remote: SocketAddress): void {
    this.streams.opened(nowMs, carrier, this.routes.direct(remote, carrier));
  }

  /** A stream is gone. Its agent gets a moment to come back by another way, and keeps what it has until then. */
  handleCarrierClosed(nowMs: number, carrier: Carrier): void {
    const route = this.streams.closed(carrier);
    const session = route && this.agents.at(route);
    if (session === undefined) return;
    session.responsive = false;
    this.awaited.set(session, nowMs + AGENT_HANDOVER_MS);
  }

  /** @param carrier the socket that it came to; the further UDP sockets take STUN alone, streams all but STUN. */
  handleDatagram(nowMs: number, from: SocketAddress, bytes: Uint8Array, carrier = MAIN_CARRIER, codepoint?: Ecn): void {
    const { relay } = this.introductions;
    const isStream = isStreamCarrier(carrier);
    const takesAgents = isStream || carrier === MAIN_CARRIER;
    const end = bytes.length;
    let at = 0;
    let toEndpoint: Route | undefined;
    while (at < end) {
      if (bytes[at] === packetKind.relayed && takesAgents) {
        at = relay.handlePackets(nowMs, from, bytes, at, end, carrier, codepoint);
        continue;
      }
      const lengthBytes = packetLength(bytes, at, end);
      if (lengthBytes === 0) break;
      const kind = bytes[at] as number;
      const isStun = kind < packetKind.initiation;
      if (isStun ? !isStream : kind === packetKind.identityRequest && takesAgents) {
        if (this.answers.admits(nowMs, from)) this.answer(from, bytes.subarray(at, at + lengthBytes), kind, carrier);
      } else if (takesAgents && !isStun) {
        toEndpoint ??= this.routes.direct(from, carrier);
        this.endpoint.handlePacket(nowMs, toEndpoint, bytes, at, at + lengthBytes, codepoint);
      }
      at += lengthBytes;
    }
    if (toEndpoint !== undefined) this.handleEndpointEvents(nowMs);
    this.handleStrays(nowMs);
  }

  handleTimeout(nowMs: number): void {
    this.endpoint.handleTimeout(nowMs);
    this.introductions.handleTimeout(nowMs);
    while (this.awaited.earliestMs <= nowMs) this.giveUp(nowMs, this.awaited.first as AgentSession);
    for (const carrier of this.streams.takeIdle(nowMs, (route) => this.agents.at(route) !== undefined)) {
      this.tell({ type: "carrier-unwanted", carrier });
    }
    this.handleEndpointEvents(nowMs);
    this.handleStrays(nowMs);
  }

  pollTimeout(): number {
    const ownMs = Math.min(this.awaited.earliestMs, this.streams.pollTimeout());
    return Math.min(this.endpoint.pollTimeout(), this.introductions.pollTimeout(), ownMs);
  }

  /** What the agents' sessions have to say goes first: it is little, and a flood of relayed packets must not keep it waiting. */
  pollTransmit(nowMs: number, out: Transmit): boolean {
    return (
      this.endpoint.pollTransmit(nowMs, out) ||
      this.answers.pollTransmit(out) ||
      this.introductions.relay.pollTransmit(nowMs, out)
    );
  }

  pollEvent(): RendezvousServerEvent | undefined {
    return this.events.shift();
  }

  /** Takes leave of every agent; drain what is to be sent afterwards. */
  shutdown(nowMs: number): void {
    this.isShutDown = true;
    for (const connection of [...this.agents.connections()]) {
      connection.close(nowMs, closeCode.goingAway, "the rendezvous is shutting down");
    }
    this.handleEndpointEvents(nowMs);
  }

  private answer(from: SocketAddress, packet: Uint8Array, kind: number, carrier: Carrier): void {
    if (kind !== packetKind.identityRequest) {
      const answer = this.stun.respond(from, packet, carrier);
      if (answer !== undefined) this.answers.push(answer.carrier, answer.to, answer.bytes);
      return;
    }
    const nonce = decodeIdentityRequest(packet);
    if (nonce === undefined) return;
    this.answers.push(carrier, from, encodeIdentityReply({ nonce, publicKey: this.publicKey }));
  }

  private handleEndpointEvents(nowMs: number): void {
    for (let next = this.endpoint.pollEvent(); next !== undefined; next = this.endpoint.pollEvent()) {
      const { connection, event } = next;
      if (event.type === "connected") {
        this.onConnected(nowMs, connection);
        continue;
      }
      // A connection without a session has been replaced, or was refused.
      const session = this.agents.of(connection);
      if (session !== undefined) this.onEvent(nowMs, session, event);
    }
  }

  private onConnected(nowMs: number, connection: Connection): void {
    const route = connection.activePath?.route;
    const session = route && this.agents.attach(connection, route);
    if (route === undefined || session === undefined) {
      connection.close(nowMs, closeCode.goingAway, "the rendezvous has no room for another agent");
      return;
    }
    this.introductions.enter(session);
    this.awaited.set(session, nowMs + AGENT_SILENT_MS);
    this.tell({ type: "agent-connected", identity: session.identity, address: route.remote });
  }

  private onEvent(nowMs: number, session: AgentSession, event: ConnectionEvent): void {
    switch (event.type) {
      case "stream":
        this.awaited.delete(session);
        session.messages = new MessageStream(event.stream);
        break;
      case "readable":
        this.readMessages(nowMs, session);
        break;
      case "writable":
        session.messages?.onWritable();
        if (session.owesObserved) this.introductions.handleMoved(nowMs, session);
        this.readMessages(nowMs, session);
        break;
      case "stream-reset":
      case "stop-sending":
        session.connection?.close(nowMs, closeCode.violation, "the conversation was reset");
        break;
      case "active-path":
        if (session.party.route === event.path.route) break;
        this.agents.move(session, event.path.route);
        // Whoever was waited for because its stream was gone is here.
        if (session.messages !== undefined) this.awaited.delete(session);
        this.introductions.handleMoved(nowMs, session);
        break;
      case "stalled":
      case "recovered":
        session.responsive = event.type === "recovered";
        break;
      case "closed":
        this.onClosed(nowMs, session, event.code, event.reason);
        break;
    }
  }

  /** Nothing is read from an agent that does not take its answers. */
  private readMessages(nowMs: number, session: AgentSession): void {
    const { connection, messages } = session;
    if (connection === undefined || messages === undefined) return;
    try {
      while (!messages.isFull) {
        const message = messages.receive();
        if (message === undefined) break;
        this.introductions.handleMessage(nowMs, session, message);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.log.debug("an agent broke the protocol", { code: error.code, detail: error.message });
      connection.close(nowMs, error.code, error.message);
      return;
    }
    if (messages.isEnded) connection.close(nowMs, closeCode.none, "the agent has ended the conversation");
  }

  private onClosed(nowMs: number, session: AgentSession, code: number, reason: string): void {
    if (code === closeCode.replaced) {
      // The instance has connected anew, and the news of the end came before the first packet of the beginning.
      this.agents.detach(session);
      this.awaited.set(session, nowMs + AGENT_HANDOVER_MS);
    } else {
      this.drop(nowMs, session, reason);
    }
  }

  /** An agent has let the time run out in which it had to do something. */
  private giveUp(nowMs: number, session: AgentSession): void {
    this.awaited.delete(session);
    const reason = session.messages === undefined ? "the agent opened no conversation" : "the agent's stream is gone";
    if (session.connection !== undefined) session.connection.close(nowMs, closeCode.violation, reason);
    else this.drop(nowMs, session, "the agent did not come back");
  }

  private drop(nowMs: number, session: AgentSession, reason: string): void {
    this.awaited.delete(session);
    this.agents.delete(session);
    this.introductions.leave(nowMs, session);
    this.tell({ type: "agent-gone", identity: session.identity, reason });
  }

  private tell(event: RendezvousServerEvent): void {
    this.events.push(event);
    // Whoever does not listen misses the oldest.
    if (this.events.length > SERVER_EVENTS_MAX) this.events.shift();
  }

  /** An agent may have been moved by its NAT. If so it answers there, and its channels follow. */
  private askThere(nowMs: number, party: RelayParty, route: Route): void {
    // A stream stays where it is, and between stream and UDP the agent itself decides: these are late packets.
    if (isStreamCarrier(route.carrier) || isStreamCarrier(party.route?.carrier ?? MAIN_CARRIER)) return;
    this.introductions.sessionOf(party)?.connection?.probe(nowMs, route);
  }

  /** Relayed packets that came with the wrong channel, or from the wrong place. */
  private handleStrays(nowMs: number): void {
    for (
      let stray = this.introductions.pollStray(nowMs);
      stray !== undefined;
      stray = this.introductions.pollStray(nowMs)
    ) {
      if (stray.type === "misplaced") {
        this.askThere(nowMs, stray.party, this.routes.direct(stray.from, stray.by));
      } else {
        const session = this.agents.at(this.routes.direct(stray.from, stray.by));
        this.introductions.handleUnknownChannel(nowMs, session, stray.id);
      }
    }
  }
}
