// The agent's side of the messages, without a transport.

import assert from "node:assert/strict";
import { test } from "node:test";
import { socketAddress } from "../../src/base/address.ts";
import {
  RENDEZVOUS_CHANNELS_MAX,
  RENDEZVOUS_OPEN_TIMEOUT_MS,
  RENDEZVOUS_OPENS_MAX,
  RENDEZVOUS_REGISTER_INTERVAL_MS,
} from "../../src/base/limits.ts";
import { ProtocolError } from "../../src/base/protocol-error.ts";
import { type Route, RouteTable } from "../../src/base/route.ts";
import { MessageStream } from "../../src/rendezvous/message-stream.ts";
import { RendezvousConversation } from "../../src/rendezvous/rendezvous-conversation.ts";
import type { RendezvousEvent } from "../../src/rendezvous/rendezvous-event.ts";
import { relayPrefix } from "../../src/wire/datagram.ts";
import { channelClosedReason, openFailedReason } from "../../src/wire/rendezvous-message.ts";
import { MessagePipe } from "./message-pipe.ts";

const remote = socketAddress("192.0.2.1", 4700)!;
const request = { peer: new Uint8Array(32).fill(1), selector: new Uint8Array(8), packet: Uint8Array.of(1, 2, 3) };

function channelOf(number: number): Uint8Array {
  const channel = new Uint8Array(8);
  new DataView(channel.buffer).setUint32(4, number);
  return channel;
}

interface Setup {
  readonly routes: RouteTable;
  readonly conversation: RendezvousConversation;
  readonly pipe: MessagePipe;
  /** The events since the last call. */
  take(): RendezvousEvent[];
}

function attached(): Setup {
  const events: RendezvousEvent[] = [];
  const routes = new RouteTable();
  const conversation = new RendezvousConversation(routes, (event) => events.push(event));
  const pipe = new MessagePipe();
  conversation.attach(0, new MessageStream(pipe), routes.direct(remote));
  pipe.take();
  return { routes, conversation, pipe, take: () => events.splice(0) };
}

/** A channel that somebody opened to us. */
function incoming({ conversation, pipe, take }: Setup, number: number): Route {
  pipe.put({ type: "incoming", channel: channelOf(number), packet: new Uint8Array(0) });
  conversation.handleReadable(0);
  const event = take().findLast(({ type }) => type === "incoming");
  assert.ok(event?.type === "incoming");
  return event.route;
}

test("what is registered before there is a session is sent when there is one, and again in each", () => {
  const conversation = new RendezvousConversation(new RouteTable(), () => {});
  const selectors = [new Uint8Array(8).fill(7)];
  conversation.register(0, selectors);
  for (let session = 0; session < 2; session++) {
    const pipe = new MessagePipe();
    conversation.attach(session, new MessageStream(pipe), new RouteTable().direct(remote));
    assert.deepEqual(pipe.take(), [{ type: "register", selectors }]);
  }
});

test("changes of the registration are gathered, and the last one counts", () => {
  const { conversation, pipe } = attached();
  const [first, last] = [[new Uint8Array(8).fill(1)], [new Uint8Array(8).fill(2)]];
  conversation.register(1, first);
  conversation.register(2, last);
  assert.deepEqual(pipe.take(), []);
  assert.equal(conversation.pollTimeout(), RENDEZVOUS_REGISTER_INTERVAL_MS);
  conversation.handleTimeout(RENDEZVOUS_REGISTER_INTERVAL_MS);
  assert.deepEqual(pipe.take(), [{ type: "register", selectors: last }]);
  assert.equal(conversation.pollTimeout(), Number.POSITIVE_INFINITY);
});

test("OPEN is answered by a route over the new channel", () => {
  const { conversation, pipe, take, routes } = attached();
  const number = conversation.open(0, request);
  assert.deepEqual(pipe.take(), [{ type: "open", request: number, ...request }]);
  pipe.put({ type: "opened", request: number, channel: channelOf(5) });
  conversation.handleReadable(0);
  const route = routes.relay(remote, relayPrefix(channelOf(5)));
  assert.deepEqual(take(), [{ type: "opened", request: number, route }]);
});

test("each OPEN is answered exactly once: by the rendezvous, by the clock, or by the end of the session", () => {
  const { conversation, pipe, take } = attached();
  const [refused, forgotten] = [conversation.open(0, request), conversation.open(0, request)];
  pipe.put({ type: "open-failed", request: refused, reason: openFailedReason.peerAbsent });
  conversation.handleReadable(0);
  conversation.handleTimeout(RENDEZVOUS_OPEN_TIMEOUT_MS - 1);
  assert.deepEqual(take(), [{ type: "open-failed", request: refused, reason: "peer-absent" }]);
  assert.equal(conversation.pollTimeout(), RENDEZVOUS_OPEN_TIMEOUT_MS);
  conversation.handleTimeout(RENDEZVOUS_OPEN_TIMEOUT_MS);
  assert.deepEqual(take(), [{ type: "open-failed", request: forgotten, reason: "no-answer" }]);
  const cut = conversation.open(0, request);
  conversation.detach();
  const late = conversation.open(0, request);
  assert.deepEqual(take(), [
    { type: "open-failed", request: cut, reason: "no-answer" },
    { type: "open-failed", request: late, reason: "not-connected" },
  ]);
});

test("a channel that comes too late for its request is given back", () => {
  const { conversation, pipe, take } = attached();
  const number = conversation.open(0, request);
  conversation.handleTimeout(RENDEZVOUS_OPEN_TIMEOUT_MS);
  pipe.take();
  take();
  pipe.put({ type: "opened", request: number, channel: channelOf(5) });
  conversation.handleReadable(0);
  assert.deepEqual(take(), []);
  assert.deepEqual(pipe.take(), [{ type: "close-channel", channel: channelOf(5) }]);
});

test("while the session does not answer nothing is asked of it, and what it still says is heard", () => {
  const setup = attached();
  const { conversation, take } = setup;
  const number = conversation.open(0, request);
  conversation.pause();
  assert.equal(conversation.isUsable, false);
  assert.deepEqual(take(), [{ type: "open-failed", request: number, reason: "no-answer" }]);
  incoming(setup, 3);
  conversation.resume(0);
  assert.equal(conversation.isUsable, true);
});

test("no more is asked for at once than there may be under way, nor while the stream is full", () => {
  const { conversation, pipe, take } = attached();
  for (let i = 0; i < RENDEZVOUS_OPENS_MAX; i++) conversation.open(0, request);
  assert.deepEqual(take(), []);
  conversation.open(0, request);
  assert.equal(take().length, 1);
  const other = attached();
  other.pipe.takesMore = false;
  other.conversation.open(0, request);
  const refused = other.conversation.open(0, request);
  assert.deepEqual(other.take(), [{ type: "open-failed", request: refused, reason: "too-many-channels" }]);
  other.conversation.handleWritable();
  other.conversation.open(0, request);
  assert.equal(other.pipe.take().length, 2);
  assert.equal(pipe.take().length, RENDEZVOUS_OPENS_MAX);
});

test("a closed channel is told of once, and one that is not ours is not", () => {
  const setup = attached();
  const { conversation, pipe, take } = setup;
  const route = incoming(setup, 1);
  for (const channel of [channelOf(1), channelOf(1), channelOf(2)]) {
    pipe.put({ type: "channel-closed", channel, reason: channelClosedReason.idle });
  }
  conversation.handleReadable(0);
  assert.deepEqual(take(), [{ type: "channel-closed", route, reason: "idle" }]);
  conversation.closeChannel(0, route);
  assert.deepEqual(pipe.take(), []);
});

test("a rendezvous that has forgotten all channels ends each of them", () => {
  const setup = attached();
  const routes = [incoming(setup, 1), incoming(setup, 2)];
  setup.conversation.forgetChannels();
  assert.deepEqual(
    setup.take(),
    routes.map((route) => ({ type: "channel-closed", route, reason: "rendezvous-lost" })),
  );
});

test("a hostile rendezvous cannot fill the agent's memory with channels", () => {
  const setup = attached();
  const first = incoming(setup, 1);
  for (let i = 2; i <= RENDEZVOUS_CHANNELS_MAX; i++) incoming(setup, i);
  setup.pipe.take();
  setup.pipe.put({ type: "incoming", channel: channelOf(9_999), packet: new Uint8Array(0) });
  setup.conversation.handleReadable(0);
  assert.deepEqual(setup.pipe.take(), [{ type: "close-channel", channel: channelOf(1) }]);
  assert.deepEqual(setup.take()[0], { type: "channel-closed", route: first, reason: "idle" });
});

test("messages that only an agent sends are a violation, and so is the end of the conversation", () => {
  const { conversation, pipe } = attached();
  pipe.put({ type: "register", selectors: [] });
  assert.throws(() => conversation.handleReadable(0), ProtocolError);
  pipe.readEnded = true;
  assert.throws(() => conversation.handleReadable(0), ProtocolError);
});
