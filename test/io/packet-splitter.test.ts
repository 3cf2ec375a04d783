// Packets out of a stream: however it is cut, they come whole and in order, and what is no packet ends it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PacketSplitter } from "../../src/io/packet-splitter.ts";
import { packetLength, writeDataHeader, writeRelayHeader } from "../../src/wire/datagram.ts";
import { encodeIdentityRequest } from "../../src/wire/identity-exchange.ts";

/** @param lengthBytes at least 32. @param mark fills what would be sealed. */
function dataPacket(lengthBytes: number, mark: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes).fill(mark);
  writeDataHeader(bytes, 0, 0, lengthBytes, 7, 1, mark);
  return bytes;
}

function relayed(packet: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(packet.length + 12);
  writeRelayHeader(bytes, 0, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  bytes.set(packet, 12);
  return bytes;
}

const packets = [
  dataPacket(32, 1),
  relayed(dataPacket(100, 2)),
  encodeIdentityRequest(new Uint8Array(8).fill(9)),
  dataPacket(1200, 3),
  relayed(dataPacket(32, 4)),
  dataPacket(5000, 5),
];
const stream = Buffer.concat(packets);

/** Pushes copies of the chunks. @returns what was delivered, and whether the last push was taken. */
function split(chunks: readonly Uint8Array[]): { delivered: Uint8Array[]; taken: boolean; splitter: PacketSplitter } {
  const delivered: Uint8Array[] = [];
  const splitter = new PacketSplitter((bytes) => {
    for (let at = 0; at < bytes.length; ) {
      const length = packetLength(bytes, at, bytes.length);
      assert.ok(length > 0, "a delivery holds whole packets");
      delivered.push(bytes.slice(at, at + length));
      at += length;
    }
    // The machine opens packets in place.
    bytes.fill(0xee);
  });
  let taken = true;
  for (const chunk of chunks) taken = splitter.push(Uint8Array.from(chunk));
  return { delivered, taken, splitter };
}

test("packets come whole and in order, whichever byte the stream is cut at", () => {
  for (let cut = 0; cut <= stream.length; cut++) {
    const { delivered, taken, splitter } = split([stream.subarray(0, cut), stream.subarray(cut)]);
    assert.ok(taken && splitter.isBetween);
    assert.deepEqual(Buffer.concat(delivered).equals(stream) && delivered.length, packets.length, `cut at ${cut}`);
  }
});

test("packets come whole and in order where every byte comes alone", () => {
  const { delivered } = split(Array.from(stream, (byte) => Uint8Array.of(byte)));
  assert.deepEqual(delivered, packets);
});

test("packets come whole and in order, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 32, max: 3000 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 0, max: 36_000 }), { maxLength: 12 }),
      (lengths, cuts) => {
        const all = lengths.map((length, i) => (i % 2 === 0 ? dataPacket(length, i) : relayed(dataPacket(length, i))));
        const bytes = Buffer.concat(all);
        const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
        const chunks = places.slice(1).map((end, i) => bytes.subarray(places[i], end));
        assert.deepEqual(split(chunks).delivered, all);
      },
    ),
  );
});

test("a packet that has only begun is waited for, and is not between two packets", () => {
  const { delivered, taken, splitter } = split([stream.subarray(0, 10)]);
  assert.ok(taken);
  assert.equal(delivered.length, 0);
  assert.equal(splitter.isBetween, false);
});

test("bytes that are no packet end the stream, behind the packets before them", () => {
  const garbage = [
    Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    Buffer.from("SSH-2.0-OpenSSH_9.2\r\n"),
    Buffer.alloc(16),
    Buffer.from("c4000010", "hex"),
    Buffer.concat([Buffer.from("c500000000000000000000000", "hex"), Buffer.alloc(16)]),
    Buffer.from([0xc5, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0xc5, 0, 0, 0]),
  ];
  for (const bytes of garbage) {
    assert.equal(split([bytes]).taken, false, bytes.toString("hex"));
    const behind = split([Buffer.concat([dataPacket(40, 1), bytes])]);
    assert.equal(behind.taken, false);
    assert.deepEqual(behind.delivered, [dataPacket(40, 1)]);
    // Cut in the middle of what is no packet, it is found when the rest is there.
    assert.equal(split([bytes.subarray(0, 2), bytes.subarray(2)]).taken, false, bytes.toString("hex"));
  }
});

test("a header that promises much takes no memory before the bytes come", () => {
  const splitters: PacketSplitter[] = [];
  const header = dataPacket(65_535, 1).slice(0, 20);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 1_000; i++) {
    const splitter = new PacketSplitter(() => {});
    assert.ok(splitter.push(header));
    splitters.push(splitter);
  }
  const each = (process.memoryUsage().arrayBuffers - before) / splitters.length;
  assert.ok(each < 8_192, `${each} bytes each`);
});
