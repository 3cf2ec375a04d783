// The relay's channels and its fast path.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import {
  BATCH_PACKETS_MAX,
  RELAY_ANSWER_MS,
  RELAY_CHANNELS_PER_AGENT_MAX,
  RELAY_CHANNELS_PER_HOST_MAX,
  RELAY_IDLE_MS,
  RELAY_PAIRS_MAX,
  RELAY_RATE_BYTES_PER_SECOND,
  RELAY_STRAY_INTERVAL_MS,
  RELAY_UNANSWERED_BYTES,
} from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import { TRANSMIT_BYTES_MAX, Transmit } from "../../src/base/transmit.ts";
import { Relay, type RelayEvent } from "../../src/rendezvous/relay.ts";
import { type RelayChannel, RelayParty } from "../../src/rendezvous/relay-channel.ts";
import { channelClosedReason } from "../../src/wire/rendezvous-message.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { joined, relayedPacket } from "./relayed-datagram.ts";

const routes = new RouteTable();

function partyAt(host: string, rate = RELAY_RATE_BYTES_PER_SECOND): RelayParty {
  const party = new RelayParty(host, rate);
  party.route = routes.direct(socketAddress(host, 1000)!);
  return party;
}

const addressOf = (party: RelayParty): SocketAddress => party.route!.remote;

interface Sent {
  readonly to: SocketAddress;
  readonly bytes: Uint8Array;
  readonly segmentBytes: number;
}

function sentBy(relay: Relay, nowMs = 0): Sent[] {
  const out = new Transmit();
  const sent: Sent[] = [];
  while (relay.pollTransmit(nowMs, out)) {
    sent.push({
      to: out.route!.remote,
      bytes: out.buffer.slice(0, out.lengthBytes),
      segmentBytes: out.segmentBytes,
    });
  }
  return sent;
}

function eventsOf(relay: Relay): RelayEvent[] {
  const events: RelayEvent[] = [];
  for (let event = relay.pollEvent(); event !== undefined; event = relay.pollEvent()) events.push(event);
  return events;
}

/** Hands a whole datagram over, as the server does. */
function deliver(relay: Relay, nowMs: number, from: SocketAddress, datagram: Uint8Array): void {
  for (let at = 0; at < datagram.length; ) at = relay.handlePackets(nowMs, from, datagram, at, datagram.length);
}

/** A pair on which the callee has answered, so that the opener may send as it likes. */
function openAnswered(relay: Relay, opener: RelayParty, callee: RelayParty): RelayChannel {
  const channel = relay.open(0, opener, callee);
  assert.ok(channel);
  deliver(relay, 0, addressOf(callee), relayedPacket(channel.other.id, 44));
  sentBy(relay);
  return channel;
}

function pair(): { relay: Relay; opener: RelayParty; callee: RelayParty; channel: RelayChannel } {
  const relay = new Relay(new SeededRandom(1));
  const [opener, callee] = [partyAt("192.0.2.1"), partyAt("192.0.2.2")];
  const channel = relay.open(0, opener, callee);
  assert.ok(channel);
  return { relay, opener, callee, channel };
}

describe("forwarding", () => {
  test("a packet goes to the other side under the other channel, and is not touched otherwise", () => {
    const { relay, opener, callee, channel } = pair();
    deliver(relay, 0, addressOf(opener), relayedPacket(channel.id, 100, 9));
    deliver(relay, 0, addressOf(callee), relayedPacket(channel.other.id, 60, 8));
    assert.deepEqual(sentBy(relay), [
      { to: addressOf(callee), bytes: relayedPacket(channel.other.id, 100, 9), segmentBytes: 100 },
      { to: addressOf(opener), bytes: relayedPacket(channel.id, 60, 8), segmentBytes: 60 },
    ]);
  });

  test("joined packets of one channel leave as one batch with their segment size", () => {
    const { relay, opener, channel } = pair();
    const sizes = [200, 200, 200, 90];
    deliver(relay, 0, addressOf(opener), joined(...sizes.map((size, i) => relayedPacket(channel.id, size, i))));
    const [batch, ...more] = sentBy(relay);
    assert.equal(more.length, 0);
    assert.equal(batch?.segmentBytes, 200);
    assert.deepEqual(batch?.bytes, joined(...sizes.map((size, i) => relayedPacket(channel.other.id, size, i))));
  });

  test("a batch ends at a shorter packet, a longer one, and at another channel", () => {
    const { relay, opener, channel } = pair();
    const third = partyAt("192.0.2.3");
    const second = relay.open(0, opener, third)!;
    const packets = [
      relayedPacket(channel.id, 100, 1),
      relayedPacket(channel.id, 80, 2),
      relayedPacket(channel.id, 80, 3),
      relayedPacket(channel.id, 100, 4),
      relayedPacket(second.id, 100, 5),
    ];
    deliver(relay, 0, addressOf(opener), joined(...packets));
    const sent = sentBy(relay);
    assert.deepEqual(
      sent.map(({ bytes, segmentBytes }) => [bytes.length, segmentBytes]),
      [
        [180, 100],
        [80, 80],
        [100, 100],
        [100, 100],
      ],
    );
    assert.equal(sent[3]?.to, addressOf(third));
    assert.deepEqual(sent[3]?.bytes, relayedPacket(second.other.id, 100, 5));
  });

  test("a batch never holds more than one call of the kernel takes", () => {
    const { relay, opener, channel } = pair();
    const small = Array.from({ length: BATCH_PACKETS_MAX + 6 }, () => relayedPacket(channel.id, 50));
    deliver(relay, 0, addressOf(opener), joined(...small));
    assert.deepEqual(
      sentBy(relay).map(({ bytes }) => bytes.length),
      [BATCH_PACKETS_MAX * 50, 6 * 50],
    );
    const large = Array.from({ length: 50 }, () => relayedPacket(channel.id, 1400));
    deliver(relay, 0, addressOf(opener), joined(...large));
    for (const { bytes } of sentBy(relay)) assert.ok(bytes.length <= TRANSMIT_BYTES_MAX);
  });

  test("a malformed packet is dropped with all that follows it, and what came before goes on", () => {
    const { relay, opener, channel } = pair();
    const broken = relayedPacket(channel.id, 100);
    broken[12] = 0xc5;
    deliver(
      relay,
      0,
      addressOf(opener),
      joined(relayedPacket(channel.id, 100), broken, relayedPacket(channel.id, 100)),
    );
    assert.deepEqual(
      sentBy(relay).map(({ bytes }) => bytes.length),
      [100],
    );
  });

  test("nothing is forwarded from an address that is not the owner's, and the owner is asked there once in a while", () => {
    const { relay, opener, callee, channel } = pair();
    const stranger = socketAddress("192.0.2.1", 2000)!;
    deliver(relay, 0, stranger, relayedPacket(channel.id, 100));
    deliver(relay, 1, stranger, relayedPacket(channel.id, 100));
    deliver(relay, 2, addressOf(callee), relayedPacket(channel.id, 100));
    assert.deepEqual(sentBy(relay), []);
    assert.deepEqual(eventsOf(relay), [{ type: "misplaced", party: opener, from: stranger, by: 0 }]);
    deliver(relay, RELAY_STRAY_INTERVAL_MS, stranger, relayedPacket(channel.id, 100));
    assert.equal(eventsOf(relay).length, 1);
  });

  test("a stranger who is not answered sends a handshake's worth and no more", () => {
    const { relay, opener, callee, channel } = pair();
    const passed = (): number => sentBy(relay).reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (let i = 0; i < 100; i++) deliver(relay, 0, addressOf(opener), relayedPacket(channel.id, 1000));
    const before = passed();
    assert.ok(before > RELAY_UNANSWERED_BYTES - 1000 && before <= RELAY_UNANSWERED_BYTES, `${before}`);
    deliver(relay, 0, addressOf(callee), relayedPacket(channel.other.id, 100));
    passed();
    for (let i = 0; i < 100; i++) deliver(relay, 0, addressOf(opener), relayedPacket(channel.id, 1000));
    assert.equal(passed(), 100_000);
  });

  test("a channel follows its owner to a new address, both ways", () => {
    const { relay, opener, callee, channel } = pair();
    const moved = socketAddress("198.51.100.7", 5000)!;
    opener.route = routes.direct(moved);
    deliver(relay, 0, moved, relayedPacket(channel.id, 100));
    deliver(relay, 0, addressOf(callee), relayedPacket(channel.other.id, 100));
    assert.deepEqual(
      sentBy(relay).map(({ to }) => to),
      [addressOf(callee), moved],
    );
  });

  test("a channel that nobody knows is told of, within a rate", () => {
    const { relay, opener, channel } = pair();
    const id = channel.id;
    id[7]! ^= 1;
    for (let i = 0; i < 1000; i++) deliver(relay, 0, addressOf(opener), relayedPacket(id, 100));
    assert.deepEqual(sentBy(relay), []);
    const events = eventsOf(relay);
    assert.deepEqual(events[0], { type: "unknown-channel", from: addressOf(opener), by: 0, id });
    assert.ok(events.length < 20);
  });
});

describe("channels", () => {
  test("closing one tells the other side, and nothing passes any more", () => {
    const { relay, opener, callee, channel } = pair();
    deliver(relay, 0, addressOf(opener), relayedPacket(channel.id, 100));
    relay.close(channel);
    assert.deepEqual(eventsOf(relay), [
      { type: "closed", channel: channel.other, reason: channelClosedReason.closedByPeer },
    ]);
    assert.deepEqual(sentBy(relay), []);
    assert.equal(relay.pairs, 0);
    assert.equal(relay.find(channel.id), undefined);
    assert.equal(opener.channels.size + callee.channels.size + opener.outgoing, 0);
  });

  test("an agent that leaves takes its channels along, those it opened and those it was asked for", () => {
    const { relay, opener, callee, channel } = pair();
    const third = partyAt("192.0.2.3");
    const other = relay.open(0, third, opener)!;
    deliver(relay, 0, addressOf(opener), relayedPacket(channel.id, 100));
    relay.leave(opener);
    assert.deepEqual(eventsOf(relay), [
      { type: "closed", channel: channel.other, reason: channelClosedReason.peerGone },
      { type: "closed", channel: other, reason: channelClosedReason.peerGone },
    ]);
    assert.equal(relay.pairs + callee.channels.size + third.channels.size + third.outgoing, 0);
    assert.equal(opener.queuedBytes, 0);
  });

  test("an idle pair is closed on both sides, one that is used is not", () => {
    const { relay, opener, callee, channel } = pair();
    const kept = relay.open(0, opener, callee)!;
    let nowMs = 0;
    for (const half of [channel, kept]) {
      deliver(relay, nowMs, addressOf(opener), relayedPacket(half.id, 100));
      deliver(relay, nowMs, addressOf(callee), relayedPacket(half.other.id, 100));
    }
    while (nowMs < RELAY_IDLE_MS * 2) {
      nowMs = relay.pollTimeout();
      deliver(relay, nowMs, addressOf(opener), relayedPacket(kept.id, 100));
      relay.handleTimeout(nowMs);
    }
    assert.deepEqual(eventsOf(relay), [
      { type: "closed", channel, reason: channelClosedReason.idle },
      { type: "closed", channel: channel.other, reason: channelClosedReason.idle },
    ]);
    assert.equal(relay.pairs, 1);
  });

  test("a pair whose callee never answered ends early, however much the opener sends", () => {
    const { relay, opener, channel } = pair();
    let nowMs = 0;
    while (channel.open && nowMs < RELAY_IDLE_MS) {
      nowMs = relay.pollTimeout();
      deliver(relay, nowMs, addressOf(opener), relayedPacket(channel.id, 100));
      relay.handleTimeout(nowMs);
    }
    assert.ok(nowMs <= RELAY_ANSWER_MS + 20_000);
    assert.equal(relay.pollTimeout(), Number.POSITIVE_INFINITY);
  });

  test("an agent opens no more than its most", () => {
    const relay = new Relay(new SeededRandom(1));
    const opener = partyAt("192.0.2.1");
    let opened = 0;
    for (let i = 0; i < RELAY_CHANNELS_PER_AGENT_MAX + 10; i++) {
      if (relay.open(0, opener, partyAt(`10.0.${i >> 8}.${i & 255}`)) !== undefined) opened++;
    }
    assert.equal(opened, RELAY_CHANNELS_PER_AGENT_MAX);
  });

  test("agents behind one address open no more than its most", () => {
    const relay = new Relay(new SeededRandom(1));
    let opened = 0;
    for (let agent = 0; agent < 10; agent++) {
      const opener = partyAt("192.0.2.1");
      for (let i = 0; i < RELAY_CHANNELS_PER_AGENT_MAX; i++) {
        if (relay.open(0, opener, partyAt(`10.${agent}.${i >> 8}.${i & 255}`)) !== undefined) opened++;
      }
    }
    assert.equal(opened, RELAY_CHANNELS_PER_HOST_MAX);
    assert.ok(relay.open(0, partyAt("192.0.2.2"), partyAt("10.0.0.1")));
  });

  test("in a full relay what was never answered makes room, and what is in use does not", () => {
    const relay = new Relay(new SeededRandom(1));
    const used = relay.open(0, partyAt("198.51.100.1"), partyAt("198.51.100.2"))!;
    deliver(relay, 0, addressOf(used.other.owner), relayedPacket(used.other.id, 100));
    let opener = partyAt("192.0.2.1");
    for (let i = 1; i < RELAY_PAIRS_MAX + 10; i++) {
      if (i % 1_000 === 0) opener = partyAt(`192.0.2.${i / 1_000}`);
      assert.ok(relay.open(0, opener, new RelayParty("callee", 1)));
    }
    assert.equal(relay.pairs, RELAY_PAIRS_MAX);
    assert.ok(used.open);
  });

  test("strangers who are never answered push out each other, not a channel that is in use", () => {
    const relay = new Relay(new SeededRandom(1));
    const [friend, victim] = [partyAt("192.0.2.1"), partyAt("192.0.2.2")];
    const used = relay.open(0, friend, victim)!;
    deliver(relay, 0, addressOf(victim), relayedPacket(used.other.id, 100));
    for (let i = 0; i < RELAY_CHANNELS_PER_AGENT_MAX * 2; i++) {
      assert.ok(relay.open(0, partyAt(`10.0.${i >> 8}.${i & 255}`), victim));
    }
    assert.equal(victim.channels.size, RELAY_CHANNELS_PER_AGENT_MAX);
    assert.ok(used.open);
    assert.ok(relay.open(0, friend, victim));
  });
});

describe("quotas", () => {
  test("an agent above its rate is slowed down to it, and its oldest packets go first", () => {
    const rate = 100_000;
    const relay = new Relay(new SeededRandom(1));
    const [opener, callee] = [partyAt("192.0.2.1", rate), partyAt("192.0.2.2")];
    const channel = openAnswered(relay, opener, callee);
    let forwardedBytes = 0;
    let lastMark = -1;
    let nowMs = 0;
    // 1 MB/s against 100 kB/s for 20 s.
    for (let i = 0; nowMs < 20_000; i++) {
      const datagram = relayedPacket(channel.id, 1000);
      new DataView(datagram.buffer).setUint32(996, i);
      deliver(relay, nowMs, addressOf(opener), datagram);
      relay.handleTimeout(nowMs);
      for (const { bytes } of sentBy(relay, nowMs)) {
        forwardedBytes += bytes.length;
        const mark = new DataView(bytes.buffer).getUint32(996);
        assert.ok(mark > lastMark, "order is kept");
        lastMark = mark;
      }
      nowMs += 1;
    }
    const expected = 20 * rate + 512 * 1024;
    assert.ok(forwardedBytes <= expected && forwardedBytes > 0.9 * expected, `${forwardedBytes}`);
    assert.ok(lastMark > 18_000, `the last that passed is ${lastMark}: what waited longest was dropped`);
    assert.ok(relay.counters.droppedPackets > 10_000);
  });

  test("a packet that waits for its agent's rate goes out when the timer says, and an early call changes nothing", () => {
    const relay = new Relay(new SeededRandom(1));
    const [opener, callee] = [partyAt("192.0.2.1", 1000), partyAt("192.0.2.2")];
    const channel = openAnswered(relay, opener, callee);
    for (let passed = 1, i = 0; passed > 0 && i < 1_000; i++) {
      deliver(relay, 0, addressOf(opener), relayedPacket(channel.id, 1400));
      passed = sentBy(relay).length;
    }
    const atMs = relay.pollTimeout();
    assert.ok(atMs > 0 && atMs < 2000);
    relay.handleTimeout(atMs - 1);
    assert.deepEqual(sentBy(relay, atMs - 1), []);
    relay.handleTimeout(atMs);
    assert.equal(sentBy(relay, atMs).length, 1);
  });

  test("where the socket is slow, a flood does not keep another agent's packets from passing", () => {
    const relay = new Relay(new SeededRandom(1));
    const [greedy, modest, callee] = [partyAt("192.0.2.1"), partyAt("192.0.2.2"), partyAt("192.0.2.3")];
    const [flood, trickle] = [openAnswered(relay, greedy, callee), openAnswered(relay, modest, callee)];
    const out = new Transmit();
    let passed = 0;
    for (let nowMs = 0; nowMs < 1000; nowMs++) {
      const batch = Array.from({ length: 40 }, () => relayedPacket(flood.id, 1400));
      for (let i = 0; i < 5; i++) deliver(relay, nowMs, addressOf(greedy), joined(...batch));
      deliver(relay, nowMs, addressOf(modest), relayedPacket(trickle.id, 100));
      // The socket takes two batches a millisecond, a fraction of what comes in.
      for (let i = 0; i < 2; i++) {
        if (relay.pollTransmit(nowMs, out) && out.lengthBytes === 100) passed++;
      }
    }
    assert.ok(passed > 300, `${passed} of 1000 small packets passed`);
  });

  test("what waits is bounded, whoever floods", () => {
    const relay = new Relay(new SeededRandom(1));
    const callee = partyAt("192.0.2.250");
    let queued = 0;
    const openers = Array.from({ length: 64 }, (_, i) => partyAt(`192.0.2.${i + 1}`));
    const channels = openers.map((opener) => openAnswered(relay, opener, callee));
    for (const [agent, opener] of openers.entries()) {
      for (let i = 0; i < 64; i++) {
        const batch = Array.from({ length: 40 }, () => relayedPacket(channels[agent]!.id, 1400));
        deliver(relay, 0, addressOf(opener), joined(...batch));
      }
      queued = Math.max(queued, opener.queuedBytes);
    }
    assert.ok(queued <= 1024 * 1024);
    const waiting = sentBy(relay, 1_000_000).reduce((sum, { bytes }) => sum + bytes.length, 0);
    assert.ok(waiting <= 16 * 1024 * 1024 && waiting > 8 * 1024 * 1024, `${waiting}`);
  });
});
