// The agent's side of the messages: what is registered, which OPENs are under way, which relay channels there are. It goes on over
// one session after another: the registration is repeated in each, and channels live as long as the rendezvous knows them.

import {
  RENDEZVOUS_CHANNELS_MAX,
  RENDEZVOUS_OPEN_TIMEOUT_MS,
  RENDEZVOUS_OPENS_MAX,
  RENDEZVOUS_REGISTER_INTERVAL_MS,
} from "../base/limits.ts";
import { closeCode, ProtocolError } from "../base/protocol-error.ts";
import { MAIN_CARRIER, type Route, type RouteTable } from "../base/route.ts";
import { relayPrefix } from "../wire/datagram.ts";
import type { RendezvousMessage } from "../wire/rendezvous-message.ts";
import { byteKey } from "./byte-key.ts";
import type { MessageStream } from "./message-stream.ts";
import {
  type ChannelEnd,
  channelEndOf,
  type OpenFailure,
  openFailureOf,
  type RendezvousEvent,
} from "./rendezvous-event.ts";

/** What an introduction is asked for with. */
export interface OpenRequest {
  /** Ed25519 public key, 32 bytes. */
  readonly peer: Uint8Array;
  /** 8 bytes: which instance of the peer. */
  readonly selector: Uint8Array;
  /** The first packet for the peer, at most 1200 bytes; or nothing. */
  readonly packet: Uint8Array;
}

const CHANNEL_OFFSET = 4;

export class RendezvousConversation {
  private readonly routes: RouteTable;
  private readonly emit: (event: RendezvousEvent) => void;
  private messages: MessageStream | undefined;
  private relay: Route | undefined;
  private paused = false;
  private selectors: readonly Uint8Array[] = [];
  private registerAtMs = Number.POSITIVE_INFINITY;
  private registeredAtMs = Number.NEGATIVE_INFINITY;
  private nextRequest = 1;
  /** When each OPEN under way is given up, in order. */
  private readonly opens = new Map<number, number>();
  private readonly channels = new Map<string, Route>();

  constructor(routes: RouteTable, emit: (event: RendezvousEvent) => void) {
    this.routes = routes;
    this.emit = emit;
  }

  /** Whether there is a session that can be relied on. */
  get isUsable(): boolean {
    return this.messages !== undefined && !this.paused;
  }

  /** There is one that cannot. */
  get isPaused(): boolean {
    return this.paused;
  }

  /** There is a session. @param relay where the rendezvous is reached. */
  attach(nowMs: number, messages: MessageStream, relay: Route): void {
    this.detach();
    this.messages = messages;
    this.moveTo(relay);
    this.sendRegister(nowMs);
  }

  /** The session goes by this route now, and all channels with it. @returns whether it is another one than before. */
  moveTo(relay: Route): boolean {
    if (relay === this.relay) return false;
    this.relay = relay;
    for (const [key, from] of this.channels) {
      const to = this.routes.relay(relay.remote, from.prefix, relay.carrier);
      if (to === from) continue;
      this.channels.set(key, to);
      this.emit({ type: "channel-moved", from, to });
    }
    return true;
  }

  /** The session is over: what was asked over it has failed. */
  detach(): void {
    this.pause();
    this.paused = false;
    this.messages = undefined;
    this.registerAtMs = Number.POSITIVE_INFINITY;
  }

  /** The session does not answer. What it still says is heard, but whoever asks for something had better ask again. */
  pause(): void {
    this.paused = true;
    for (const request of [...this.opens.keys()]) this.fail(request, "no-answer");
  }

  /** The session answers again. */
  resume(nowMs: number): void {
    this.paused = false;
    this.register(nowMs, this.selectors);
  }

  /** The rendezvous has forgotten all channels. */
  forgetChannels(): void {
    for (const route of [...this.channels.values()]) this.endChannel(route, "rendezvous-lost");
  }

  /** Replaces the registration; it is remembered for every later session. */
  register(nowMs: number, selectors: readonly Uint8Array[]): void {
    this.selectors = selectors;
    if (this.messages === undefined) return;
    // Services often change several at a time: the changes are gathered.
    const allowedAtMs = this.registeredAtMs + RENDEZVOUS_REGISTER_INTERVAL_MS;
    if (nowMs >= allowedAtMs) this.sendRegister(nowMs);
    else this.registerAtMs = allowedAtMs;
  }

  /** @returns the request's number, by which "opened" or "open-failed" refers to it; one of them follows in any case. */
  open(nowMs: number, { peer, selector, packet }: OpenRequest): number {
    const request = this.nextRequest;
    this.nextRequest = (this.nextRequest + 1) >>> 0;
    if (this.messages === undefined || this.paused) {
      this.emit({ type: "open-failed", request, reason: "not-connected" });
    } else if (this.messages.isFull || this.opens.size >= RENDEZVOUS_OPENS_MAX) {
      this.emit({ type: "open-failed", request, reason: "too-many-channels" });
    } else {
      this.opens.set(request, nowMs + RENDEZVOUS_OPEN_TIMEOUT_MS);
      this.messages.send(nowMs, { type: "open", request, peer, selector, packet });
    }
    return request;
  }

  /** Gives a channel back. A route that is none of ours, or not any more, is passed over. */
  closeChannel(nowMs: number, route: Route): void {
    const channel = route.prefix.slice(CHANNEL_OFFSET);
    if (this.channels.get(byteKey(channel)) !== route) return;
    this.channels.delete(byteKey(channel));
    this.messages?.send(nowMs, { type: "close-channel", channel });
  }

  /** @throws ProtocolError where the rendezvous does not keep to the protocol; the session is to be closed. */
  handleReadable(nowMs: number): void {
    const { messages } = this;
    if (messages === undefined) return;
    for (let message = messages.receive(); message !== undefined; message = messages.receive()) {
      this.handleMessage(nowMs, message);
    }
    if (messages.isEnded) throw new ProtocolError(closeCode.none, "the rendezvous has ended the conversation");
  }

  handleWritable(): void {
    this.messages?.onWritable();
  }

  pollTimeout(): number {
    for (const deadlineMs of this.opens.values()) return Math.min(this.registerAtMs, deadlineMs);
    return this.registerAtMs;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs >= this.registerAtMs) this.sendRegister(nowMs);
    for (const [request, deadlineMs] of this.opens) {
      if (deadlineMs > nowMs) break;
      this.fail(request, "no-answer");
    }
  }

  private sendRegister(nowMs: number): void {
    this.registerAtMs = Number.POSITIVE_INFINITY;
    this.registeredAtMs = nowMs;
    this.messages?.send(nowMs, { type: "register", selectors: this.selectors });
  }

  private handleMessage(nowMs: number, message: RendezvousMessage): void {
    switch (message.type) {
      case "registered":
      case "observed":
        this.emit({ type: message.type, address: message.address, carrier: this.relay?.carrier ?? MAIN_CARRIER });
        break;
      case "opened":
        this.handleOpened(nowMs, message.request, message.channel);
        break;
      case "open-failed":
        if (this.opens.has(message.request)) this.fail(message.request, openFailureOf(message.reason));
        break;
      case "incoming": {
        const route = this.addChannel(nowMs, message.channel);
        if (route !== undefined) this.emit({ type: "incoming", route, packet: message.packet });
        break;
      }
      case "channel-closed": {
        const route = this.channels.get(byteKey(message.channel));
        if (route !== undefined) this.endChannel(route, channelEndOf(message.reason));
        break;
      }
      case "present":
        this.emit({ type: "present", peer: message.peer, selector: message.selector });
        break;
      default:
        throw new ProtocolError(closeCode.violation, `a rendezvous sent ${message.type}`);
    }
  }

  private handleOpened(nowMs: number, request: number, channel: Uint8Array): void {
    const route = this.opens.delete(request) ? this.addChannel(nowMs, channel) : undefined;
    if (route !== undefined) this.emit({ type: "opened", request, route });
    // It was given up meanwhile: nobody would ever close the channel.
    else this.messages?.send(nowMs, { type: "close-channel", channel });
  }

  private addChannel(nowMs: number, channel: Uint8Array): Route | undefined {
    if (this.relay === undefined) return undefined;
    if (this.channels.size >= RENDEZVOUS_CHANNELS_MAX) {
      for (const oldest of this.channels.values()) {
        this.closeChannel(nowMs, oldest);
        this.emit({ type: "channel-closed", route: oldest, reason: "idle" });
        break;
      }
    }
    const route = this.routes.relay(this.relay.remote, relayPrefix(channel), this.relay.carrier);
    this.channels.set(byteKey(channel), route);
    return route;
  }

  private endChannel(route: Route, reason: ChannelEnd): void {
    this.channels.delete(byteKey(route.prefix.subarray(CHANNEL_OFFSET)));
    this.emit({ type: "channel-closed", route, reason });
  }

  private fail(request: number, reason: OpenFailure): void {
    this.opens.delete(request);
    this.emit({ type: "open-failed", request, reason });
  }
}
