// What the rendezvous does with its agents' messages, without any transport.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { socketAddress } from "../../src/base/address.ts";
import {
  INCOMINGS_BURST,
  MESSAGES_BURST,
  OPENS_BURST,
  PRESENT_BATCH,
  PRESENT_INTERVAL_MS,
  REGISTERS_BURST,
  RELAY_RATE_BYTES_PER_SECOND,
} from "../../src/base/limits.ts";
import { ProtocolError } from "../../src/base/protocol-error.ts";
import { randomBytes } from "../../src/base/random.ts";
import { RouteTable } from "../../src/base/route.ts";
import { AgentSession } from "../../src/rendezvous/agent-session.ts";
import { Introductions } from "../../src/rendezvous/introductions.ts";
import { MessageStream } from "../../src/rendezvous/message-stream.ts";
import { writeDataHeader } from "../../src/wire/datagram.ts";
import { channelClosedReason, openFailedReason, type RendezvousMessage } from "../../src/wire/rendezvous-message.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { MessagePipe } from "./message-pipe.ts";
import { relayedPacket } from "./relayed-datagram.ts";

const routes = new RouteTable();
const random = new SeededRandom(5);
const selector = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

interface Agent {
  readonly session: AgentSession;
  readonly stream: MessagePipe;
  send(message: RendezvousMessage, nowMs?: number): RendezvousMessage[];
}

let hosts = 0;

function agentAt(introductions: Introductions, identity = randomBytes(random, 32)): Agent {
  const host = `198.51.100.${++hosts % 250}`;
  const session = new AgentSession(identity, randomBytes(random, 8), host, RELAY_RATE_BYTES_PER_SECOND);
  const stream = new MessagePipe();
  session.messages = new MessageStream(stream);
  session.party.route = routes.direct(socketAddress(host, 4000)!);
  introductions.enter(session);
  const send = (message: RendezvousMessage, nowMs = 0): RendezvousMessage[] => {
    introductions.handleMessage(nowMs, session, message);
    return stream.take();
  };
  return { session, stream, send };
}

/** A packet as OPEN carries it. */
function firstPacket(lengthBytes = 300): Uint8Array {
  const packet = new Uint8Array(lengthBytes);
  writeDataHeader(packet, 0, 0, lengthBytes, 1, 1, 0);
  return packet;
}

function openOf(agent: Agent, by = selector, request = 7): RendezvousMessage {
  return { type: "open", request, peer: agent.session.identity, selector: by, packet: firstPacket() };
}

function world(): { introductions: Introductions; a: Agent; b: Agent } {
  const introductions = new Introductions(new SeededRandom(1));
  return { introductions, a: agentAt(introductions), b: agentAt(introductions) };
}

describe("introductions", () => {
  test("an agent that registers is told where it is seen to be", () => {
    const { a } = world();
    assert.deepEqual(a.send({ type: "register", selectors: [] }), [
      { type: "registered", address: a.session.party.route?.remote },
    ]);
  });

  test("OPEN gives both a channel of one pair, and the first packet goes along", () => {
    const { introductions, a, b } = world();
    b.send({ type: "register", selectors: [selector] });
    const [opened] = a.send(openOf(b));
    const [incoming] = b.stream.take();
    assert.ok(opened?.type === "opened" && incoming?.type === "incoming");
    assert.equal(opened.request, 7);
    assert.deepEqual(incoming.packet, firstPacket());
    const channel = introductions.relay.find(opened.channel);
    assert.equal(channel?.owner, a.session.party);
    assert.equal(introductions.relay.find(incoming.channel), channel?.other);
  });

  test("an instance is reached by its id without any selector", () => {
    const { a, b } = world();
    b.send({ type: "register", selectors: [] });
    const instance = Uint8Array.from(b.session.instanceKey, (character) => character.charCodeAt(0));
    assert.equal(a.send(openOf(b, instance))[0]?.type, "opened");
  });

  test("an agent that has not registered cannot be reached", () => {
    const { a, b } = world();
    assert.deepEqual(a.send(openOf(b)), [{ type: "open-failed", request: 7, reason: openFailedReason.peerAbsent }]);
  });

  test("OPEN may carry nothing, and never anything but one end-to-end packet", () => {
    const { a, b } = world();
    b.send({ type: "register", selectors: [selector] });
    const open = openOf(b) as Extract<RendezvousMessage, { type: "open" }>;
    assert.equal(a.send({ ...open, packet: new Uint8Array(0) })[0]?.type, "opened");
    const tooLong = firstPacket(1201);
    const twice = new Uint8Array(600);
    twice.set(firstPacket(), 0);
    twice.set(firstPacket(), 300);
    const relayed = firstPacket();
    relayed[0] = 0xc5;
    for (const packet of [tooLong, twice, relayed, Uint8Array.of(0), firstPacket().subarray(0, 299)]) {
      assert.throws(() => a.send({ ...open, packet }), ProtocolError);
    }
  });

  test("the very same instance is refused, another instance of the same peer is not", () => {
    const { introductions, a } = world();
    a.send({ type: "register", selectors: [selector] });
    assert.equal(a.send(openOf(a))[0]?.type, "open-failed");
    const other = agentAt(introductions, a.session.identity);
    assert.equal(other.send(openOf(a))[0]?.type, "opened");
    assert.equal(a.stream.take()[0]?.type, "incoming");
  });

  test("whoever misses a peer is told when it comes, and a wrong selector is told apart", () => {
    const { a, b } = world();
    a.send(openOf(b));
    b.send({ type: "register", selectors: [] });
    assert.deepEqual(a.stream.take(), []);
    assert.deepEqual(a.send(openOf(b)), [{ type: "open-failed", request: 7, reason: openFailedReason.selectorAbsent }]);
    b.send({ type: "register", selectors: [selector] }, PRESENT_INTERVAL_MS);
    assert.deepEqual(a.stream.take(), [{ type: "present", peer: b.session.identity, selector }]);
    assert.equal(a.send(openOf(b))[0]?.type, "opened");
  });

  test("whoever finds the peer before its turn to be told has no need to be told", () => {
    const { introductions, b } = world();
    const waiting = Array.from({ length: PRESENT_BATCH + 1 }, () => agentAt(introductions));
    for (const agent of waiting) agent.send(openOf(b));
    b.send({ type: "register", selectors: [selector] });
    const last = waiting.at(-1)!;
    assert.equal(last.send(openOf(b))[0]?.type, "opened");
    introductions.handleTimeout(PRESENT_INTERVAL_MS);
    assert.deepEqual(last.stream.take(), []);
    assert.equal(waiting[0]?.stream.take()[0]?.type, "present");
  });

  test("closing a channel tells the other side, and only its owner can", () => {
    const { introductions, a, b } = world();
    b.send({ type: "register", selectors: [selector] });
    const [opened] = a.send(openOf(b));
    const [incoming] = b.stream.take();
    assert.ok(opened?.type === "opened" && incoming?.type === "incoming");
    const stranger = agentAt(introductions);
    stranger.send({ type: "close-channel", channel: opened.channel });
    b.send({ type: "close-channel", channel: opened.channel });
    assert.deepEqual(a.stream.take(), []);
    a.send({ type: "close-channel", channel: opened.channel });
    assert.deepEqual(b.stream.take(), [
      { type: "channel-closed", channel: incoming.channel, reason: channelClosedReason.closedByPeer },
    ]);
    a.send({ type: "close-channel", channel: opened.channel });
  });

  test("an agent that goes takes along its channels, its registration and what it waits for", () => {
    const { introductions, a, b } = world();
    b.send({ type: "register", selectors: [selector] });
    const [opened] = a.send(openOf(b));
    assert.ok(opened?.type === "opened");
    const waiting = agentAt(introductions);
    waiting.send(openOf(a));
    assert.equal(waiting.session.watches.size, 1);
    introductions.leave(0, waiting.session);
    assert.equal(waiting.session.watches.size, 0);
    introductions.leave(0, b.session);
    assert.deepEqual(a.stream.take(), [
      { type: "channel-closed", channel: opened.channel, reason: channelClosedReason.peerGone },
    ]);
    assert.equal(introductions.relay.pairs, 0);
    assert.equal(a.send(openOf(b))[0]?.type, "open-failed");
    a.send({ type: "register", selectors: [selector] });
    assert.deepEqual(waiting.stream.take(), []);
  });

  test("an agent that uses a channel which does not exist is told that it ended", () => {
    const { introductions, a } = world();
    const channel = new Uint8Array(8);
    introductions.handleUnknownChannel(0, a.session, channel);
    introductions.handleUnknownChannel(0, undefined, channel);
    assert.deepEqual(a.stream.take(), [{ type: "channel-closed", channel, reason: channelClosedReason.peerGone }]);
  });

  test("an agent hears of its new address, at once or when it takes messages again", () => {
    const { introductions, a } = world();
    const moved = routes.direct(socketAddress("203.0.113.9", 1)!);
    a.session.party.route = moved;
    introductions.handleMoved(0, a.session);
    assert.deepEqual(a.stream.take(), [{ type: "observed", address: moved.remote }]);
    a.stream.takesMore = false;
    a.session.messages?.send(0, { type: "observed", address: moved.remote });
    a.stream.take();
    introductions.handleMoved(0, a.session);
    assert.deepEqual(a.stream.take(), []);
    assert.equal(a.session.owesObserved, true);
  });
});

describe("hostile agents", () => {
  test("OPEN has a rate", () => {
    const { a, b } = world();
    let refused = 0;
    for (let i = 0; i < OPENS_BURST + 50; i++) {
      const [answer] = a.send(openOf(b));
      if (answer?.type === "open-failed" && answer.reason === openFailedReason.tooManyChannels) refused++;
    }
    assert.equal(refused, 50);
    assert.deepEqual(a.send(openOf(b), 10_000), [
      { type: "open-failed", request: 7, reason: openFailedReason.peerAbsent },
    ]);
  });

  test("an agent is introduced to only so many a second", () => {
    const { introductions, b } = world();
    b.send({ type: "register", selectors: [selector] });
    let opened = 0;
    for (let i = 0; i < 10; i++) {
      const attacker = agentAt(introductions);
      for (let j = 0; j < 100; j++) if (attacker.send(openOf(b))[0]?.type === "opened") opened++;
    }
    assert.equal(opened, INCOMINGS_BURST);
  });

  test("nothing that others cause is sent to an agent whose stream is full", () => {
    const { a, b } = world();
    b.send({ type: "register", selectors: [selector] });
    b.stream.takesMore = false;
    assert.equal(a.send(openOf(b))[0]?.type, "opened");
    b.stream.take();
    for (let i = 0; i < 10; i++) {
      assert.deepEqual(a.send(openOf(b)), [{ type: "open-failed", request: 7, reason: openFailedReason.peerAbsent }]);
    }
    assert.deepEqual(b.stream.take(), []);
  });

  test("whoever floods with REGISTER or with messages at all is cut off", () => {
    const { introductions, a } = world();
    for (let i = 0; i < REGISTERS_BURST; i++) a.send({ type: "register", selectors: [] });
    assert.throws(() => a.send({ type: "register", selectors: [] }), ProtocolError);
    const b = agentAt(introductions);
    const close: RendezvousMessage = { type: "close-channel", channel: new Uint8Array(8) };
    for (let i = 0; i < MESSAGES_BURST; i++) b.send(close);
    assert.throws(() => b.send(close), ProtocolError);
  });

  test("messages that only a rendezvous sends are a violation", () => {
    const { a } = world();
    assert.throws(() => a.send({ type: "opened", request: 1, channel: new Uint8Array(8) }), ProtocolError);
  });
});

test("whatever agents do, the books agree, and nothing is left when all have gone", () => {
  const operation = fc.record({
    kind: fc.constantFrom("register", "open", "close", "leave", "enter", "relay", "wait"),
    agent: fc.nat(5),
    other: fc.nat(5),
    number: fc.nat(3),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
      const introductions = new Introductions(new SeededRandom(1));
      const { relay } = introductions;
      // Two instances each of three peers.
      const identities = [0, 1, 2, 0, 1, 2].map((peer) => new Uint8Array(32).fill(peer));
      const agents = identities.map((identity) => agentAt(introductions, identity));
      const present = new Set(agents);
      let nowMs = 0;
      for (const { kind, agent: from, other, number } of operations) {
        const agent = agents[from]!;
        const selectors = [0, 1, 2].slice(0, number).map((fill) => new Uint8Array(8).fill(fill));
        nowMs += kind === "wait" ? number * 30_000 : 1_000;
        if (kind === "wait") introductions.handleTimeout(nowMs);
        else if (kind === "enter" && !present.has(agent)) {
          agents[from] = agentAt(introductions, identities[from]);
          present.add(agents[from]);
        } else if (!present.has(agent)) continue;
        else if (kind === "register") agent.send({ type: "register", selectors }, nowMs);
        else if (kind === "open") agent.send(openOf(agents[other]!, new Uint8Array(8).fill(number)), nowMs);
        else if (kind === "leave") {
          introductions.leave(nowMs, agent.session);
          present.delete(agent);
        } else {
          const channel = [...agent.session.party.channels][number];
          if (channel === undefined) continue;
          if (kind === "close") agent.send({ type: "close-channel", channel: channel.id }, nowMs);
          else relay.handlePackets(nowMs, agent.session.party.route!.remote, relayedPacket(channel.id, 60), 0, 60);
        }
        let channels = 0;
        for (const { session } of present) {
          channels += session.party.channels.size;
          const outgoing = [...session.party.channels].filter(({ side }) => side === "opener").length;
          assert.equal(session.party.outgoing, outgoing);
          for (const half of session.party.channels) {
            assert.ok(half.open && half.other.owner.channels.has(half.other) && relay.find(half.id) === half);
            assert.equal(session.party.unanswered.has(half), half.side === "callee" && !half.used);
          }
        }
        assert.equal(relay.pairs, channels / 2);
      }
      for (const { session } of present) introductions.leave(nowMs, session);
      assert.equal(relay.pairs, 0);
      for (const { session } of agents) {
        const { party } = session;
        const left = [party.channels.size, party.unanswered.size, party.outgoing, party.queuedBytes];
        assert.deepEqual([...left, session.selectors.size, session.watches.size], [0, 0, 0, 0, 0, 0]);
      }
    }),
    { numRuns: 200 },
  );
});
