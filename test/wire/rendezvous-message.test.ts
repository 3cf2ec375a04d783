// The messages of agent and rendezvous in hex, and the reader that puts them together from a stream in any pieces.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { REGISTER_SELECTORS_MAX } from "../../src/base/limits.ts";
import { closeCode, ProtocolError } from "../../src/base/protocol-error.ts";
import {
  channelClosedReason,
  encodeRendezvousMessage,
  openFailedReason,
  type RendezvousMessage,
  RendezvousMessageReader,
} from "../../src/wire/rendezvous-message.ts";
import { bytesOf, counting, fromHex, hex, mutated, record, socketAddress, uint32 } from "./arbitrary.ts";

type Of<Type extends RendezvousMessage["type"]> = Extract<RendezvousMessage, { type: Type }>;

const channel = bytesOf(8);
const selector = bytesOf(8);
const peer = bytesOf(32);
const packet = fc.uint8Array({ maxLength: 300 });
const reason = fc.nat(255);

const message: fc.Arbitrary<RendezvousMessage> = fc.oneof(
  record<Of<"register">>({ type: fc.constant("register"), selectors: fc.array(selector, { maxLength: 70 }) }),
  record<Of<"open">>({ type: fc.constant("open"), request: uint32, peer, selector, packet }),
  record<Of<"close-channel">>({ type: fc.constant("close-channel"), channel }),
  record<Of<"registered">>({ type: fc.constant("registered"), address: socketAddress }),
  record<Of<"opened">>({ type: fc.constant("opened"), request: uint32, channel }),
  record<Of<"open-failed">>({ type: fc.constant("open-failed"), request: uint32, reason }),
  record<Of<"incoming">>({ type: fc.constant("incoming"), channel, packet }),
  record<Of<"observed">>({ type: fc.constant("observed"), address: socketAddress }),
  record<Of<"channel-closed">>({ type: fc.constant("channel-closed"), channel, reason }),
  record<Of<"present">>({ type: fc.constant("present"), peer, selector }),
);

/** All that a reader makes of the stream in these pieces. */
function read(...pieces: Uint8Array[]): RendezvousMessage[] {
  const reader = new RendezvousMessageReader();
  const messages: RendezvousMessage[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let next = reader.next(); next !== undefined; next = reader.next()) messages.push(next);
  }
  return messages;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

function isViolation(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === closeCode.violation;
}

test("every message has the bytes that the specification lists", () => {
  const peerKey = counting(0x10, 32);
  const peerHex = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";
  const eight = counting(0xa0, 8);
  const eightHex = "a0a1a2a3a4a5a6a7";
  const address = { family: 4, host: "192.0.2.1", port: 4700 } as const;
  const cases: [RendezvousMessage, string][] = [
    [{ type: "register", selectors: [] }, "0002 01 00"],
    [{ type: "register", selectors: [eight, counting(0xb0, 8)] }, `0012 01 02 ${eightHex} b0b1b2b3b4b5b6b7`],
    [
      { type: "open", request: 0xf102_0304, peer: peerKey, selector: eight, packet: counting(1, 3) },
      `0032 02 f1020304 ${peerHex} ${eightHex} 0003 010203`,
    ],
    [{ type: "close-channel", channel: eight }, `0009 03 ${eightHex}`],
    [{ type: "registered", address }, "0008 81 04 c0000201 125c"],
    [{ type: "opened", request: 1, channel: eight }, `000d 82 00000001 ${eightHex}`],
    [{ type: "open-failed", request: 1, reason: openFailedReason.selectorAbsent }, "0006 83 00000001 02"],
    [{ type: "incoming", channel: eight, packet: counting(1, 2) }, `000d 84 ${eightHex} 0002 0102`],
    [
      { type: "observed", address: { family: 6, host: "2001:db8::1", port: 443 } },
      "0014 85 06 20010db8000000000000000000000001 01bb",
    ],
    [{ type: "channel-closed", channel: eight, reason: channelClosedReason.idle }, `000a 86 ${eightHex} 03`],
    [{ type: "present", peer: peerKey, selector: eight }, `0029 87 ${peerHex} ${eightHex}`],
  ];
  for (const [value, text] of cases) {
    assert.equal(hex(encodeRendezvousMessage(value)), text.replaceAll(" ", ""), value.type);
    assert.deepEqual(read(fromHex(text)), [value]);
  }
});

test("the reasons have the numbers that the specification lists", () => {
  assert.deepEqual(Object.values(openFailedReason), [1, 2, 3]);
  assert.deepEqual(Object.values(channelClosedReason), [1, 2, 3]);
});

test("messages are read back from the stream in any pieces", () => {
  const cuts = fc.array(fc.nat(2000), { maxLength: 12 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), cuts, (messages, at) => {
      const stream = concat(messages.map(encodeRendezvousMessage));
      const places = [0, ...at.map((place) => place % (stream.length + 1)), stream.length].sort((a, b) => a - b);
      const pieces = places.slice(1).map((end, i) => stream.subarray(places[i], end));
      assert.deepEqual(read(...pieces), messages);
    }),
  );
});

test("messages are read back byte by byte", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 3 }), (messages) => {
      const stream = concat(messages.map(encodeRendezvousMessage));
      assert.deepEqual(read(...Array.from(stream, (byte) => Uint8Array.of(byte))), messages);
    }),
    { numRuns: 30 },
  );
});

test("the fields of a message are copies that hold nothing else in memory", () => {
  fc.assert(
    fc.property(message, (value) => {
      const [decoded] = read(encodeRendezvousMessage(value));
      assert(decoded !== undefined);
      for (const field of Object.values(decoded).flat()) {
        if (field instanceof Uint8Array) assert.equal(field.buffer.byteLength, field.length);
      }
    }),
  );
});

test("the end of one message and the beginning of the next may come together", () => {
  const messages = Array.from(
    { length: 12 },
    (_, i): RendezvousMessage => ({ type: "incoming", channel: counting(i, 8), packet: counting(i, 300) }),
  );
  const stream = concat(messages.map(encodeRendezvousMessage));
  for (const pieceBytes of [100, 313, 320, 700, 1000]) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += pieceBytes) pieces.push(stream.subarray(at, at + pieceBytes));
    assert.deepEqual(read(...pieces), messages);
  }
});

test("the longest message is read, and a longer one is never written", () => {
  const value = { type: "incoming", channel: counting(0, 8), packet: new Uint8Array(65_535 - 11) } as const;
  const bytes = encodeRendezvousMessage(value);
  assert.equal(hex(bytes.subarray(0, 2)), "ffff");
  assert.deepEqual(read(bytes.subarray(0, 1), bytes.subarray(1, 40_000), bytes.subarray(40_000)), [value]);
  const packetTooLong = new Uint8Array(65_535 - 10);
  assert.throws(() => encodeRendezvousMessage({ ...value, packet: packetTooLong }), AssertionError);
});

test("a reader that is not drained is an assertion, so that what it keeps stays bounded", () => {
  const reader = new RendezvousMessageReader();
  reader.push(new Uint8Array(70_000));
  assert.throws(() => reader.push(new Uint8Array(1)), AssertionError);
});

test("a message that cannot be read is a violation", () => {
  const broken: Record<string, string> = {
    "no type": "0000",
    "an unknown type": "0001 04",
    "a body that is cut": "0008 03 a0a1a2a3a4a5a6",
    "bytes behind the body": "000a 03 a0a1a2a3a4a5a6a7 00",
    "an OPEN whose packet reaches past it": `0030 02 00000001 ${"11".repeat(40)} 0003 01`,
    "an address of no known family": "0008 81 05 c0000201 125c",
    "an address with port 0": "0008 85 04 c0000201 0000",
    "fewer selectors than were counted": "000a 01 02 a0a1a2a3a4a5a6a7",
  };
  for (const [name, text] of Object.entries(broken)) assert.throws(() => read(fromHex(text)), isViolation, name);
});

test("more selectors than the bound are refused, and never written", () => {
  const selectors = new Array<Uint8Array>(REGISTER_SELECTORS_MAX).fill(counting(0, 8));
  const most: RendezvousMessage = { type: "register", selectors };
  const bytes = encodeRendezvousMessage(most);
  assert.deepEqual(read(bytes), [most]);
  const more = [...selectors, counting(0, 8)];
  assert.throws(() => encodeRendezvousMessage({ type: "register", selectors: more }), AssertionError);
  const count = REGISTER_SELECTORS_MAX + 1;
  const body = Uint8Array.of(0x01, 0x40 | (count >> 8), count & 0xff, ...new Uint8Array(8 * count));
  assert.throws(() => read(Uint8Array.of(body.length >> 8, body.length & 0xff, ...body)), isViolation);
});

test("no bytes make the reader throw anything but a violation", () => {
  const stream = fc
    .array(message, { minLength: 1, maxLength: 3 })
    .map((list) => concat(list.map(encodeRendezvousMessage)));
  fc.assert(
    fc.property(mutated(stream), fc.nat(50), (bytes, cut) => {
      try {
        for (const each of read(bytes.subarray(0, cut), bytes.subarray(cut))) encodeRendezvousMessage(each);
      } catch (error) {
        assert(isViolation(error), String(error));
      }
    }),
    { numRuns: 1000 },
  );
});
