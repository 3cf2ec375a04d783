// What the rendezvous does for its agents: it registers them, brings one to another with a pair of relay channels, and tells
// who waited for a peer that it has come. It knows sessions, not connections: the server around it does the transport.
//
// What an agent can cost: its requests have rates; nothing is read from it while it does not take the answers; and what others cause
// to be sent to it (INCOMING, PRESENT) is left out while its stream is full.

import { OPEN_PACKET_BYTES_MAX } from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import type { Random } from "../base/random.ts";
import { packetKind, packetLength } from "../wire/datagram.ts";
import { channelClosedReason, openFailedReason, type RendezvousMessage } from "../wire/rendezvous-message.ts";
import type { AgentSession } from "./agent-session.ts";
import { byteKey, keyBytes } from "./byte-key.ts";
import { Registry } from "./registry.ts";
import { Relay, type RelayEvent } from "./relay.ts";
import type { RelayParty } from "./relay-channel.ts";
import { WatchList } from "./watch-list.ts";

type OpenMessage = Extract<RendezvousMessage, { type: "open" }>;

/** Relay events that only the server can do something about. */
export type StrayEvent = Exclude<RelayEvent, { type: "closed" }>;

export class Introductions {
  readonly relay: Relay;
  private readonly registry = new Registry<AgentSession>();
  private readonly watchList = new WatchList<AgentSession>();
  private readonly sessions = new Map<RelayParty, AgentSession>();
  private readonly strays: StrayEvent[] = [];

  constructor(random: Random) {
    this.relay = new Relay(random);
  }

  /** An agent is here. */
  enter(session: AgentSession): void {
    this.sessions.set(session.party, session);
  }

  /** An agent is gone, and all that it held with it. */
  leave(nowMs: number, session: AgentSession): void {
    this.registry.leave(session);
    this.watchList.leave(session);
    this.relay.leave(session.party);
    this.sessions.delete(session.party);
    session.messages = undefined;
    this.tell(nowMs);
  }

  sessionOf(party: RelayParty): AgentSession | undefined {
    return this.sessions.get(party);
  }

  /**
   * Takes one message of an agent.
   * @throws ProtocolError where the agent breaks a rule; its connection is to be closed.
   */
  handleMessage(nowMs: number, session: AgentSession, message: RendezvousMessage): void {
    if (!session.messageBucket.take(nowMs, 1)) throw new ProtocolError(closeCode.violation, "too many messages");
    switch (message.type) {
      case "register":
        this.register(nowMs, session, message.selectors);
        break;
      case "open":
        this.open(nowMs, session, message);
        break;
      case "close-channel":
        this.closeChannel(session, message.channel);
        break;
      default:
        throw new ProtocolError(closeCode.violation, `an agent sent ${message.type}`);
    }
    this.tell(nowMs);
  }

  /** The agent's address is another one now. */
  handleMoved(nowMs: number, session: AgentSession): void {
    const address = session.party.route?.remote;
    session.owesObserved = !session.takesMessages;
    if (address !== undefined && session.takesMessages) session.messages?.send(nowMs, { type: "observed", address });
  }

  /** An agent uses a channel that does not exist: it has missed the end of it. */
  handleUnknownChannel(nowMs: number, session: AgentSession | undefined, channel: Uint8Array): void {
    if (session === undefined || !session.takesMessages) return;
    session.messages?.send(nowMs, { type: "channel-closed", channel, reason: channelClosedReason.peerGone });
  }

  handleTimeout(nowMs: number): void {
    this.relay.handleTimeout(nowMs);
    this.tell(nowMs);
  }

  pollTimeout(): number {
    return Math.min(this.relay.pollTimeout(), this.watchList.pollTimeout());
  }

  /** @returns the next packet of the relay that came from the wrong place. */
  pollStray(nowMs: number): StrayEvent | undefined {
    this.tell(nowMs);
    return this.strays.shift();
  }

  private register(nowMs: number, session: AgentSession, selectors: readonly Uint8Array[]): void {
    if (!session.registerBucket.take(nowMs, 1)) throw new ProtocolError(closeCode.violation, "too many REGISTER");
    for (const selector of this.registry.register(session, selectors.map(byteKey))) {
      this.watchList.arrived(session.peerKey, selector);
    }
    const address = session.party.route?.remote;
    if (address !== undefined) session.messages?.send(nowMs, { type: "registered", address });
  }

  private open(nowMs: number, session: AgentSession, message: OpenMessage): void {
    checkOpenPacket(message.packet);
    const reason = this.introduce(nowMs, session, message);
    if (reason === undefined) return;
    session.messages?.send(nowMs, { type: "open-failed", request: message.request, reason });
  }

  /** @returns the reason of OPEN_FAILED where the two cannot be brought together. */
  private introduce(nowMs: number, session: AgentSession, message: OpenMessage): number | undefined {
    if (!session.openBucket.take(nowMs, 1)) return openFailedReason.tooManyChannels;
    const peerKey = byteKey(message.peer);
    const selector = byteKey(message.selector);
    const callee = this.registry.resolve(peerKey, selector, session);
    if (typeof callee === "string") {
      this.watchList.add(session, { peerKey, selector });
      return callee === "peer-absent" ? openFailedReason.peerAbsent : openFailedReason.selectorAbsent;
    }
    if (!callee.takesMessages) return openFailedReason.peerAbsent;
    if (!callee.incomingBucket.take(nowMs, 1)) return openFailedReason.tooManyChannels;
    const channel = this.relay.open(nowMs, session.party, callee.party);
    if (channel === undefined) return openFailedReason.tooManyChannels;
    this.watchList.delete(session, peerKey, selector);
    callee.messages?.send(nowMs, { type: "incoming", channel: channel.other.id, packet: message.packet });
    session.messages?.send(nowMs, { type: "opened", request: message.request, channel: channel.id });
    return undefined;
  }

  private closeChannel(session: AgentSession, id: Uint8Array): void {
    const channel = this.relay.find(id);
    // It may have been closed from the other side a moment ago.
    if (channel?.owner === session.party) this.relay.close(channel);
  }

  /** Tells agents what happened to their channels, and who has come. */
  private tell(nowMs: number): void {
    for (let event = this.relay.pollEvent(); event !== undefined; event = this.relay.pollEvent()) {
      if (event.type !== "closed") {
        this.strays.push(event);
        continue;
      }
      const messages = this.sessions.get(event.channel.owner)?.messages;
      // Sent even where the stream is full: there is one for each channel at most.
      messages?.send(nowMs, { type: "channel-closed", channel: event.channel.id, reason: event.reason });
    }
    for (;;) {
      const notice = this.watchList.pollNotice(nowMs);
      if (notice === undefined) break;
      const { watcher, watch } = notice;
      if (!watcher.takesMessages) continue;
      const peer = keyBytes(watch.peerKey);
      watcher.messages?.send(nowMs, { type: "present", peer, selector: keyBytes(watch.selector) });
    }
  }
}

/**
 * OPEN carries nothing, or one packet that is end to end.
 * @throws ProtocolError where it is anything else: the other agent is no target for what an agent makes up.
 */
function checkOpenPacket(packet: Uint8Array): void {
  if (packet.length === 0) return;
  const kind = packet[0] as number;
  const whole = kind >= packetKind.initiation && kind <= packetKind.data && packetLength(packet, 0, packet.length);
  if (packet.length > OPEN_PACKET_BYTES_MAX || whole !== packet.length) {
    throw new ProtocolError(closeCode.violation, "OPEN carries something that is not one end-to-end packet");
  }
}
