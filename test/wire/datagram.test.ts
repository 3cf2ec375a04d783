// Packet kinds, lengths and headers in clear: what a receiver decides before it has authenticated anything.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  isStun,
  packetKind,
  packetLength,
  readKeyPhase,
  readPacketNumber,
  readPath,
  readSession,
  relayChannelHigh,
  relayChannelLow,
  relayPrefix,
  writeDataHeader,
  writeRelayChannel,
  writeRelayHeader,
} from "../../src/wire/datagram.ts";
import { bytesOf, counting, fromHex, hex, mutated, uint32 } from "./arbitrary.ts";

/** A packet of `kind` whose length field says `lengthBytes`. */
function packet(kind: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  bytes[0] = kind;
  bytes[2] = lengthBytes >> 8;
  bytes[3] = lengthBytes;
  return bytes;
}

const stunRequest = fromHex("0001 0000 2112a442 000102030405060708090a0b");
const channel = fromHex("8899aabbccddeeff");

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

test("the header of a data packet is kind, key phase, length, session, path, packet number", () => {
  const bytes = new Uint8Array(18).fill(0xee);
  writeDataHeader(bytes, 1, 1, 0x05dc, 0x8102_0304, 0xf102, 0x8102_0304_0506);
  assert.equal(hex(bytes), "eec40105dc81020304f102810203040506ee");
  bytes[2] = 0xfe;
  assert.equal(readKeyPhase(bytes, 1), 0, "the other flags are no part of the key phase");
});

test("what a data header says is read back from any position", () => {
  const path = fc.nat(65_535);
  const packetNumber = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.constant(2 ** 48 - 1));
  fc.assert(
    fc.property(fc.nat(5), fc.nat(1), uint32, path, packetNumber, (at, keyPhase, session, pathNumber, number) => {
      const bytes = new Uint8Array(at + 32);
      writeDataHeader(bytes, at, keyPhase, 32, session, pathNumber, number);
      assert.equal(readKeyPhase(bytes, at), keyPhase);
      assert.equal(readSession(bytes, at), session);
      assert.equal(readPath(bytes, at), pathNumber);
      assert.equal(readPacketNumber(bytes, at), number);
      assert.equal(packetLength(bytes, at, bytes.length), 32);
    }),
  );
});

test("the relay's header is kind, zeros, channel", () => {
  assert.equal(hex(relayPrefix(channel)), "c50000008899aabbccddeeff");
  const bytes = new Uint8Array(14).fill(0xee);
  writeRelayHeader(bytes, 1, channel);
  assert.equal(hex(bytes), "eec50000008899aabbccddeeffee");
  assert.equal(relayChannelHigh(bytes, 1), 0x8899_aabb);
  assert.equal(relayChannelLow(bytes, 1), 0xccdd_eeff);
});

test("a channel is swapped in place", () => {
  fc.assert(
    fc.property(uint32, uint32, (high, low) => {
      const bytes = concat(relayPrefix(channel), Uint8Array.of(0xaa));
      writeRelayChannel(bytes, 0, high, low);
      assert.equal(relayChannelHigh(bytes, 0), high);
      assert.equal(relayChannelLow(bytes, 0), low);
      assert.equal(bytes[0], packetKind.relayed);
      assert.equal(bytes[12], 0xaa);
    }),
  );
});

test("each kind of packet has its least length, and some their only one", () => {
  const cases: [kind: number, good: number[], bad: number[]][] = [
    [packetKind.initiation, [264, 300, 65_535], [0, 4, 263]],
    [packetKind.response, [156, 300], [155]],
    [packetKind.cookieReply, [64], [63, 65]],
    [packetKind.data, [32, 1400, 65_535], [16, 31]],
    [packetKind.identityRequest, [44], [43, 45]],
    [packetKind.identityReply, [44], [43, 45]],
    [0xc0, [], [64]],
    [0xc8, [], [64]],
    [0xff, [], [64]],
    [0x40, [], [64]],
  ];
  for (const [kind, good, bad] of cases) {
    for (const length of good) {
      const bytes = packet(kind, length);
      assert.equal(packetLength(bytes, 0, length), length);
      assert.equal(packetLength(bytes, 0, length - 1), 0, "cut short");
    }
    for (const length of bad) {
      const bytes = packet(kind, Math.max(length, 4));
      bytes[3] = length;
      assert.equal(packetLength(bytes, 0, bytes.length), 0, `${kind.toString(16)} ${length}`);
    }
  }
});

test("a relayed packet is 12 bytes longer than the packet in it, which is one of c1 to c4", () => {
  for (const [kind, length] of [
    [packetKind.initiation, 264],
    [packetKind.response, 156],
    [packetKind.cookieReply, 64],
    [packetKind.data, 100],
  ] as const) {
    const bytes = concat(relayPrefix(channel), packet(kind, length));
    assert.equal(packetLength(bytes, 0, bytes.length), length + 12);
    assert.equal(packetLength(bytes, 0, bytes.length - 1), 0);
  }
  for (const inner of [packet(packetKind.identityRequest, 44), stunRequest, relayPrefix(channel), new Uint8Array(0)]) {
    const bytes = concat(relayPrefix(channel), inner);
    assert.equal(packetLength(bytes, 0, bytes.length), 0);
  }
  const twice = concat(relayPrefix(channel), relayPrefix(channel), packet(packetKind.data, 100));
  assert.equal(packetLength(twice, 0, twice.length), 0);
});

test("STUN is known by its first bits and the magic cookie, and delimits itself", () => {
  assert.equal(isStun(stunRequest, 0), true);
  assert.equal(packetLength(stunRequest, 0, 20), 20);
  assert.equal(packetLength(stunRequest, 0, 19), 0);
  const withAttribute = concat(stunRequest, fromHex("8022 0000"));
  withAttribute[3] = 4;
  assert.equal(packetLength(withAttribute, 0, 24), 24);
  assert.equal(packetLength(withAttribute, 0, 23), 0);
  for (const [at, byte] of [
    [0, 0xc4],
    [0, 0x40],
    [4, 0x20],
    [7, 0x43],
  ] as const) {
    const bytes = stunRequest.slice();
    bytes[at] = byte;
    assert.equal(isStun(bytes, 0), false);
    assert.equal(packetLength(bytes, 0, 20), 0);
  }
});

test("packets that a kernel joined are told apart", () => {
  const packets = [
    packet(packetKind.data, 1400),
    concat(relayPrefix(channel), packet(packetKind.data, 32)),
    packet(packetKind.data, 40),
    stunRequest,
    packet(packetKind.response, 156),
  ];
  const datagram = concat(...packets);
  const lengths: number[] = [];
  for (let at = 0; at < datagram.length; ) {
    const length = packetLength(datagram, at, datagram.length);
    assert(length > 0);
    lengths.push(length);
    at += length;
  }
  assert.deepEqual(
    lengths,
    packets.map((bytes) => bytes.length),
  );
});

test("no bytes make packetLength throw or answer beyond the datagram", () => {
  const start = fc.oneof(
    bytesOf(12).map((head) => concat(Uint8Array.of(0xc0 + ((head[0] as number) % 8), 0, 0), head)),
    fc.constant(concat(relayPrefix(channel), packet(packetKind.data, 40))),
    fc.constant(concat(stunRequest, counting(0, 8))),
  );
  fc.assert(
    fc.property(mutated(start), fc.nat(20), fc.nat(20), (bytes, from, cut) => {
      const end = Math.max(0, bytes.length - cut);
      const length = packetLength(bytes, from, end);
      assert(Number.isInteger(length) && length >= 0);
      assert(length === 0 || from + length <= end);
    }),
    { numRuns: 1000 },
  );
});
