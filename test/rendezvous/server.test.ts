// The rendezvous against whatever comes in at its port.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseSocketAddress, socketAddress } from "../../src/base/address.ts";
import { AGENT_SILENT_MS, ANSWERS_PER_HOST_BURST } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { randomBytes } from "../../src/base/random.ts";
import { Transmit } from "../../src/base/transmit.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { RendezvousServer, type RendezvousServerConfig } from "../../src/rendezvous/rendezvous-server.ts";
import type { Stream } from "../../src/transport/stream.ts";
import { decodeIdentityReply, encodeIdentityRequest } from "../../src/wire/identity-exchange.ts";
import { encodeRendezvousMessage } from "../../src/wire/rendezvous-message.ts";
import { decodeStun, encodeStun } from "../../src/wire/stun.ts";
import { seededIdentity } from "../crypto/seeded-identity.ts";
import { forSeeds, type Scenario } from "../sim/for-seeds.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import { twoNats } from "../sim/topology.ts";
import { EndpointMachine } from "../transport/endpoint-machine.ts";
import { joined, relayedPacket } from "./relayed-datagram.ts";
import { SmallRendezvous } from "./small-agent.ts";

const stranger = socketAddress("198.51.100.7", 1234)!;
const identity = seededIdentity(new SeededRandom(3));
const selector = new Uint8Array(8);

function serverWith(config: Partial<RendezvousServerConfig> = {}): RendezvousServer {
  const random = new SeededRandom(1);
  const instance = randomBytes(random, 8);
  return new RendezvousServer({ identity, instance, random, cipher: bestPacketCipher(), log: silentLog, ...config });
}

function answersOf(server: RendezvousServer, nowMs = 0): Uint8Array[] {
  const out = new Transmit();
  const answers: Uint8Array[] = [];
  while (server.pollTransmit(nowMs, out)) {
    assert.equal(out.route?.remote, stranger);
    answers.push(out.buffer.slice(0, out.lengthBytes));
  }
  return answers;
}

describe("strangers", () => {
  test("whoever asks for the identity is told, with no more bytes than were sent", () => {
    const server = serverWith();
    const nonce = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const request = encodeIdentityRequest(nonce);
    server.handleDatagram(0, stranger, request);
    const [answer, ...more] = answersOf(server);
    assert.equal(more.length, 0);
    assert.ok(answer && answer.length <= request.length);
    assert.deepEqual(decodeIdentityReply(answer), { nonce, publicKey: identity.publicKey });
  });

  test("STUN is answered on the same port, also in one datagram with other packets", () => {
    const server = serverWith();
    const stun = encodeStun({ class: "request", transactionId: new Uint8Array(12), fingerprint: true });
    server.handleDatagram(0, stranger, joined(stun, encodeIdentityRequest(new Uint8Array(8)), stun));
    const answers = answersOf(server);
    assert.equal(answers.length, 3);
    assert.deepEqual(decodeStun(answers[0]!)?.xorMappedAddress, stranger);
  });

  test("a flood of questions is answered within a rate", () => {
    const server = serverWith();
    const stun = encodeStun({ class: "request", transactionId: new Uint8Array(12), fingerprint: false });
    let answers = 0;
    for (let i = 0; i < 5_000; i++) {
      server.handleDatagram(i / 1000, stranger, stun.slice());
      answers += answersOf(server).length;
    }
    assert.ok(answers <= ANSWERS_PER_HOST_BURST + 100, `${answers}`);
  });

  test("an alternate socket answers STUN from where it was asked to, and nothing else", () => {
    const stunSockets = ["192.0.2.1:3478", "192.0.2.1:3479"].map((text, carrier) => ({
      carrier,
      address: parseSocketAddress(text)!,
    }));
    const server = serverWith({ stunSockets });
    const changeRequest = { changeAddress: false, changePort: true };
    const question = {
      class: "request",
      transactionId: new Uint8Array(12),
      fingerprint: false,
      changeRequest,
    } as const;
    server.handleDatagram(0, stranger, encodeStun(question));
    const out = new Transmit();
    assert.equal(server.pollTransmit(0, out), true);
    assert.equal(out.route?.carrier, 1);
    assert.deepEqual(decodeStun(out.buffer.slice(0, out.lengthBytes))?.responseOrigin, stunSockets[1]?.address);
    server.handleDatagram(0, stranger, encodeIdentityRequest(new Uint8Array(8)), 1);
    assert.deepEqual(answersOf(server), []);
  });

  test("no datagram makes the rendezvous throw, and noise is not answered", () => {
    const server = serverWith();
    let nowMs = 0;
    const kind = fc.constantFrom(0x00, 0x01, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xff);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), kind, fc.boolean(), (bytes, first, fits) => {
        bytes[0] = first;
        if (fits && bytes.length >= 4) {
          bytes[2] = bytes.length >> 8;
          bytes[3] = bytes.length;
        }
        server.handleDatagram(nowMs++, stranger, bytes);
        server.handleTimeout(nowMs);
        for (const answer of answersOf(server, nowMs)) assert.equal(answer[0], 0xc7);
      }),
    );
    assert.equal(server.statistics.agents, 0);
  });
});

interface Intruder {
  readonly world: ReturnType<Scenario["world"]>;
  readonly rendezvous: SmallRendezvous;
  readonly machine: EndpointMachine;
  readonly connection: ReturnType<EndpointMachine["connect"]>;
  /** The stream of the conversation, from which the intruder never reads. */
  open(): Stream;
  write(stream: Stream, bytes: Uint8Array): void;
  end(stream: Stream, how: "finish" | "reset"): void;
  run(durationMs: number): void;
}

/** Somebody with a valid handshake who does as he likes with the connection. */
function intrude(scenario: Scenario): Intruder {
  const world = scenario.world();
  const { a, r } = twoNats(world, { a: "none", b: "none" });
  const rendezvous = new SmallRendezvous(r, world.random.fork("rendezvous"));
  const machine = new EndpointMachine(world.random.fork("intruder"));
  a.run(machine, (nowMs) => machine.pump(nowMs));
  const connection = a.input((nowMs) => machine.connect(nowMs, rendezvous.identity, r.address));
  world.runUntil(() => connection.state === "connected" && rendezvous.server.statistics.agents === 1, 1_000);
  return {
    world,
    rendezvous,
    machine,
    connection,
    open: () => {
      const record = a.input((nowMs) => machine.open(nowMs, connection));
      record.readPaused = true;
      return record.stream;
    },
    write: (stream, bytes) => a.input((nowMs) => stream.write(nowMs, bytes)),
    end: (stream, how) => a.input((nowMs) => (how === "finish" ? stream.finish(nowMs) : stream.reset(nowMs, 0))),
    run: (durationMs) => world.runFor(durationMs),
  };
}

describe("agents that break the rules", () => {
  forSeeds(1, "whoever opens no conversation is sent away", (scenario) => {
    const { connection, rendezvous, run } = intrude(scenario);
    run(AGENT_SILENT_MS - 1_000);
    assert.equal(connection.state, "connected");
    run(2_000);
    assert.notEqual(connection.state, "connected");
    assert.equal(rendezvous.server.statistics.agents, 0);
  });

  forSeeds(1, "whoever speaks nonsense is sent away", (scenario) => {
    const { connection, rendezvous, open, write, run } = intrude(scenario);
    write(open(), Uint8Array.of(0, 3, 0x77, 1, 2));
    run(1_000);
    assert.notEqual(connection.state, "connected");
    assert.equal(rendezvous.server.statistics.agents, 0);
  });

  forSeeds(1, "whoever ends or resets the conversation is sent away", (scenario) => {
    for (const how of ["finish", "reset"] as const) {
      const { connection, rendezvous, open, write, end, run } = intrude(scenario);
      const stream = open();
      write(stream, encodeRendezvousMessage({ type: "register", selectors: [] }));
      run(100);
      assert.equal(rendezvous.server.statistics.agents, 1);
      end(stream, how);
      run(1_000);
      assert.notEqual(connection.state, "connected");
      assert.equal(rendezvous.server.statistics.agents, 0);
    }
  });

  forSeeds(1, "whoever asks and never takes the answers is not read from for long", (scenario) => {
    const { connection, rendezvous, open, write, run } = intrude(scenario);
    const stream = open();
    const register = encodeRendezvousMessage({ type: "register", selectors: [] });
    const peer = new Uint8Array(32);
    const open1 = encodeRendezvousMessage({ type: "open", request: 1, peer, selector, packet: new Uint8Array(0) });
    write(stream, register);
    for (let i = 0; i < 100_000; i++) write(stream, open1);
    run(30_000);
    // Either it was cut off for its rate or it stands still; what it costs is bounded by the windows.
    assert.ok(connection.state !== "connected" || stream.heldBytes > 0);
    assert.ok(rendezvous.server.statistics.agents <= 1);
  });
});

test("packets for channels of nobody are passed over", () => {
  const server = serverWith();
  for (let i = 0; i < 100; i++) {
    const id = randomBytes(new SeededRandom(i), 8);
    server.handleDatagram(i, stranger, joined(relayedPacket(id, 100), relayedPacket(id, 60)));
    server.handleTimeout(i);
    assert.deepEqual(answersOf(server, i), []);
  }
});
