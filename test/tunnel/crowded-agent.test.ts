// What peers that are admitted can take from others by their number: connections and streams. An agent has to last for years, and a
// ticket, or the id of a public service, may be in anybody's hands.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import { PEERS_PER_IDENTITY_MAX, PREAMBLE_WAIT_MAX } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { randomBytes } from "../../src/base/random.ts";
import { RouteTable } from "../../src/base/route.ts";
import { Transmit } from "../../src/base/transmit.ts";
import type { Identity } from "../../src/crypto/identity.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { Endpoint, NO_PSK, NO_SECRET_TAG } from "../../src/transport/endpoint.ts";
import type { Stream } from "../../src/transport/stream.ts";
import { Agent } from "../../src/tunnel/agent.ts";
import { encodePreamble } from "../../src/wire/preamble.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const random = new SeededRandom(17);
const cipher = bestPacketCipher();
const out = new Transmit();
const AGENT_ADDRESS = socketAddress("198.51.100.2", 4000) ?? assert.fail();

/** An agent with a public service, and all who have come to it. */
class Crowd {
  nowMs = 1_000;
  readonly agent: Agent;
  readonly guests: Guest[] = [];

  constructor() {
    const identity = seededIdentity(random);
    this.agent = new Agent({ identity, instance: randomBytes(random, 8), random, cipher, log: silentLog });
    this.agent.expose(this.nowMs, { name: "web", allow: [], public: true });
  }

  /** Somebody connects. @param identity a new one unless told; each guest is an instance of its own. */
  come(identity = seededIdentity(random)): Guest {
    const guest = new Guest(identity, addressOf(this.guests.length), this.agent.identity, this.nowMs);
    this.guests.push(guest);
    this.settle([guest]);
    return guest;
  }

  /** Carries what the agent and these guests have to say; what the agent has for others is lost. */
  settle(guests: readonly Guest[] = this.guests): void {
    for (let isSilent = false; !isSilent; ) {
      isSilent = true;
      for (const guest of guests) {
        for (const datagram of guest.take(this.nowMs)) {
          this.agent.handleDatagram(this.nowMs, guest.address, datagram);
          isSilent = false;
        }
      }
      while (this.agent.pollTransmit(this.nowMs, out)) {
        isSilent = false;
        const { host } = out.route?.remote ?? assert.fail();
        const guest = guests.find(({ address }) => address.host === host);
        for (let at = 0; guest !== undefined && at < out.lengthBytes; at += out.segmentBytes) {
          guest.give(this.nowMs, out.buffer.slice(at, Math.min(at + out.segmentBytes, out.lengthBytes)));
        }
      }
    }
  }

  /** Lets time pass in which these guests are heard, and the others are not. */
  pass(durationMs: number, guests: readonly Guest[]): void {
    for (const endMs = this.nowMs + durationMs; this.nowMs < endMs; ) {
      const nextMs = Math.min(this.agent.pollTimeout(), ...guests.map(({ endpoint }) => endpoint.pollTimeout()));
      this.nowMs = Math.min(endMs, Math.max(this.nowMs, nextMs));
      this.agent.handleTimeout(this.nowMs);
      for (const { endpoint } of guests) endpoint.handleTimeout(this.nowMs);
      this.settle(guests);
    }
  }

  /** The instances of an identity that the agent has as peers, the oldest first. */
  instancesOf({ publicKey }: Identity): string[] {
    while (this.agent.pollEvent() !== undefined);
    const { peers } = this.agent as unknown as { readonly peers: ReadonlyMap<Connection, unknown> };
    const own = [...peers.keys()].filter(({ remoteIdentity }) => Buffer.compare(remoteIdentity, publicKey) === 0);
    return own.map(({ remoteInstance }) => remoteInstance.join());
  }

  /** Streams that the agent has handed to its application. */
  admitted(): Stream[] {
    const streams: Stream[] = [];
    for (let event = this.agent.pollEvent(); event !== undefined; event = this.agent.pollEvent()) {
      if (event.type === "stream") streams.push(event.stream);
    }
    return streams;
  }
}

class Guest {
  readonly endpoint: Endpoint;
  readonly connection: Connection;
  readonly address: SocketAddress;
  private readonly routes = new RouteTable();

  constructor(identity: Identity, address: SocketAddress, to: Identity, nowMs: number) {
    const admit = (): undefined => undefined;
    const instance = randomBytes(random, 8);
    this.address = address;
    this.endpoint = new Endpoint({ identity, instance, random, cipher, log: silentLog, admit });
    const connection = this.endpoint.connect(nowMs, {
      remoteIdentity: to.publicKey,
      psk: NO_PSK,
      secretTag: NO_SECRET_TAG,
      routes: [this.routes.direct(AGENT_ADDRESS)],
    });
    this.connection = connection ?? assert.fail();
  }

  take(nowMs: number): Uint8Array[] {
    const datagrams: Uint8Array[] = [];
    while (this.endpoint.pollTransmit(nowMs, out)) {
      for (let at = 0; at < out.lengthBytes; at += out.segmentBytes) {
        datagrams.push(out.buffer.slice(at, Math.min(at + out.segmentBytes, out.lengthBytes)));
      }
    }
    while (this.endpoint.pollEvent() !== undefined);
    return datagrams;
  }

  give(nowMs: number, datagram: Uint8Array): void {
    this.endpoint.handlePacket(nowMs, this.routes.direct(AGENT_ADDRESS), datagram, 0, datagram.length);
  }

  open(nowMs: number, bytes: Uint8Array): Stream {
    const stream = this.connection.openStream(nowMs) ?? assert.fail("no stream may be opened");
    stream.write(nowMs, bytes);
    return stream;
  }
}

const instanceOf = ({ endpoint }: Guest): string => endpoint.instance.join();

function addressOf(i: number): SocketAddress {
  return socketAddress(`203.0.${i >> 8}.${i & 255}`, 4000) ?? assert.fail();
}

test("an identity has so many connections: the one that was silent for longest makes room for another", () => {
  const crowd = new Crowd();
  const other = crowd.come();
  const identity = seededIdentity(random);
  const guests = Array.from({ length: PEERS_PER_IDENTITY_MAX + 10 }, () => {
    crowd.nowMs += 100;
    return crowd.come(identity);
  });
  assert.deepEqual(crowd.instancesOf(identity), guests.slice(10).map(instanceOf), "the oldest were told to go");
  assert.deepEqual(crowd.instancesOf(other.endpoint.identity), [instanceOf(other)], "nobody else had to go");
});

test("a peer that comes again and again without a farewell leaves a bounded number of connections behind", () => {
  const crowd = new Crowd();
  const identity = seededIdentity(random);
  for (let i = 0; i < 3 * PEERS_PER_IDENTITY_MAX; i++) {
    // Less than it takes for cookies to be asked for.
    crowd.nowMs += 20;
    crowd.come(identity);
  }
  assert.equal(crowd.instancesOf(identity).length, PEERS_PER_IDENTITY_MAX);
});

test("streams that never say what they want keep nobody else from being served", () => {
  const crowd = new Crowd();
  const [hostile, honest, another] = [crowd.come(), crowd.come(), crowd.come()];
  const web = encodePreamble({ kind: "service", name: "web" });
  for (let i = 0; i < PREAMBLE_WAIT_MAX; i++) hostile.open(crowd.nowMs, web.subarray(0, 1));
  crowd.settle();
  crowd.pass(2_000, crowd.guests);
  crowd.admitted();
  const slow = honest.open(crowd.nowMs, web.subarray(0, 1));
  crowd.settle();
  honest.open(crowd.nowMs, web);
  crowd.pass(1_000, crowd.guests);
  assert.equal(crowd.admitted().length, 1, "a stream that says at once what it wants");
  for (let i = 0; i < 10; i++) another.open(crowd.nowMs, web.subarray(0, 1));
  crowd.settle();
  slow.write(crowd.nowMs, web.subarray(1));
  crowd.pass(1_000, crowd.guests);
  assert.equal(crowd.admitted().length, 1, "and one that takes its time");
});
