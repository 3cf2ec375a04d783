// What a peer that holds the keys and breaks the rules can do: end its own connection, and nothing else.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  DATAGRAM_BYTES_MIN,
  PATH_NUMBER_MAX,
  PROBES_AUTOMATIC_MAX,
  PROBES_OUT_MAX,
  RECEIVE_BLOCK_BYTES,
  RECEIVE_SPACES_MAX,
  SPARE_BLOCKS_MAX,
  STREAM_WINDOW_BYTES,
} from "../../src/base/limits.ts";
import { closeCode } from "../../src/base/protocol-error.ts";
import { frame as anyFrame } from "../wire/frame-arbitrary.ts";
import type { Frame } from "../wire/frame-recorder.ts";
import { addressOf } from "./datagram-tap.ts";
import { framesOf, type HeardPacket, PuppetPeer } from "./puppet-peer.ts";

const victimOfSpoofing = addressOf("203.0.113.66");

function stream(id: number, offset: number, lengthBytes: number, fin = false): Frame {
  return { type: "stream", id, offset, fin, data: new Uint8Array(lengthBytes) };
}

const token = (n: number): Uint8Array => Uint8Array.from([n >> 8, n, 1, 2, 3, 4, 5, 6]);

const bytesTo = (heard: readonly HeardPacket[], host: string): number =>
  heard.reduce((sum, packet) => sum + (packet.to.host === host ? packet.bytes : 0), 0);

const violations: readonly (readonly [string, number, readonly Frame[]])[] = [
  ["data beyond a stream's limit", closeCode.flowControl, [stream(0, 256 * 1024, 1)]],
  ["data at the end of all numbers", closeCode.flowControl, [stream(0, Number.MAX_SAFE_INTEGER - 1, 1)]],
  [
    "a final size beyond the connection's limit",
    closeCode.flowControl,
    [{ type: "reset-stream", id: 0, code: 0, finalSize: 2 ** 40 }],
  ],
  ["a stream beyond the limit", closeCode.streamLimit, [stream(4096 * 2, 0, 1)]],
  ["the highest stream there is", closeCode.streamLimit, [stream(Number.MAX_SAFE_INTEGER - 1, 0, 1)]],
  ["data on a stream that we never opened", closeCode.streamState, [stream(1, 0, 1)]],
  ["a limit for a stream that we never opened", closeCode.streamState, [{ type: "max-stream-data", id: 3, max: 9 }]],
  ["another final size", closeCode.finalSize, [stream(0, 0, 5, true), stream(0, 0, 6, true)]],
  ["data beyond the final size", closeCode.finalSize, [stream(0, 0, 5, true), stream(0, 5, 1)]],
  [
    "an acknowledgement of a packet that was never sent",
    closeCode.violation,
    [{ type: "ack", path: 1, delayUs: 0, ranges: [1_000_000, 1_000_000] }],
  ],
];

for (const [what, code, frames] of violations) {
  test(`${what} closes the connection with code ${code}, and it says so`, () => {
    const puppet = new PuppetPeer();
    const heard = puppet.send(frames);
    assert.equal(puppet.closeCode, code);
    assert.equal(framesOf(heard, "close")[0]?.code, code);
    puppet.pass(60_000);
    assert.equal(puppet.victim.endpoint.connectionCount, 0);
  });
}

test("frames that cannot be read close the connection", () => {
  const puppet = new PuppetPeer();
  puppet.deliver(puppet.rawPacket(Uint8Array.from([0x3f, 1, 2])));
  assert.equal(puppet.closeCode, closeCode.frameEncoding);
});

test("the probing space carries nothing but probes", () => {
  const puppet = new PuppetPeer();
  puppet.send([stream(0, 0, 1)], 0);
  assert.equal(puppet.closeCode, closeCode.frameEncoding);
});

test("a peer may have so many packet-number spaces and no more", () => {
  const puppet = new PuppetPeer();
  for (let path = 2; path <= RECEIVE_SPACES_MAX; path++) puppet.send([{ type: "ping" }], path);
  assert.equal(puppet.closeCode, undefined);
  puppet.send([{ type: "ping" }], RECEIVE_SPACES_MAX + 1);
  assert.equal(puppet.closeCode, closeCode.violation);
});

test("paths that are opened and given up by the ten thousand leave little behind", () => {
  const puppet = new PuppetPeer();
  for (let path = 2; path < 12_000; path++) {
    puppet.send([{ type: "ping" }], path);
    puppet.send([{ type: "path-status", path, sequence: 1, status: 0 }]);
  }
  assert.equal(puppet.closeCode, undefined);
  assert.ok(puppet.connection.spaces.size <= 2);
});

test("whoever gives up paths that it never had, and leaves every other one out, breaks the rules", () => {
  const puppet = new PuppetPeer();
  for (let path = PATH_NUMBER_MAX; path > 0 && puppet.closeCode === undefined; path -= 2) {
    puppet.send([{ type: "path-status", path, sequence: 1, status: 0 }]);
    const gone = (PATH_NUMBER_MAX - path) / 2 + 1;
    // A peer that keeps the rules has told of all but those that it may have at once.
    assert.ok(gone <= RECEIVE_SPACES_MAX + 2, `${gone} pieces are remembered`);
  }
  assert.equal(puppet.closeCode, closeCode.violation);
});

test("a packet of a path that was given up is refused, also one that never came before", () => {
  const puppet = new PuppetPeer();
  const replayed = puppet.packet([stream(0, 0, 10)], 7);
  const late = puppet.packet([stream(2, 0, 10)], 7);
  puppet.deliver(replayed);
  puppet.send([{ type: "path-status", path: 7, sequence: 1, status: 0 }]);
  const before = puppet.victim.endpoint.dropped.notAuthentic;
  for (const packet of [replayed, late, replayed]) assert.deepEqual(puppet.deliver(packet), []);
  assert.equal(puppet.victim.endpoint.dropped.notAuthentic, before + 3);
  assert.equal(puppet.connection.spaces.has(7), false);
});

test("a packet that comes again changes nothing and is not answered, however late", () => {
  const puppet = new PuppetPeer();
  const packets = [stream(0, 0, 100), { type: "ping" } as const, stream(0, 100, 0, true)].map((f) =>
    puppet.packet([f]),
  );
  for (const packet of packets) puppet.deliver(packet);
  // By then it has missed the puppet's answers, and said so.
  puppet.pass(4_000);
  const probes = puppet.packet([{ type: "path-challenge", token: token(1) }], 0);
  puppet.deliver(probes);
  puppet.hear();
  const events = puppet.victim.events.length;
  for (const packet of [...packets, probes]) assert.deepEqual(puppet.deliver(packet), []);
  puppet.pass(1_000);
  assert.equal(puppet.victim.events.length, events);
});

test("one packet full of challenges brings one answer: nobody is flooded through us", () => {
  const puppet = new PuppetPeer();
  const frames = Array.from({ length: 128 }, (_, i): Frame => ({ type: "path-challenge", token: token(i) }));
  for (const path of [0, 1]) {
    const packet = puppet.packet(frames, path);
    const heard = puppet.deliver(packet, victimOfSpoofing);
    assert.equal(framesOf(heard, "path-response").length, 1);
    assert.ok(bytesTo(heard, "203.0.113.66") <= packet.length);
  }
});

test("six hundred small packets with a forged source bring at most three times their bytes there", () => {
  const puppet = new PuppetPeer();
  let received = 0;
  let sent = 0;
  for (let i = 0; i < 600; i++) {
    puppet.pass(i % 3 === 0 ? 50 : 1);
    const frames: Frame[] = i % 2 === 0 ? [{ type: "path-challenge", token: token(i) }] : [{ type: "ping" }];
    const packet = puppet.packet(frames, i % 2);
    received += packet.length;
    sent += bytesTo(puppet.deliver(packet, victimOfSpoofing), "203.0.113.66");
    assert.ok(sent <= 3 * received + DATAGRAM_BYTES_MIN, `${sent} bytes for ${received}`);
  }
  assert.ok(sent > 0);
});

test("packets from ten thousand forged sources make us challenge few of them", () => {
  const puppet = new PuppetPeer();
  const challenged = new Set<string>();
  for (let i = 0; i < 10_000; i++) {
    const from = addressOf(`203.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    const heard = puppet.send([{ type: "path-challenge", token: token(i) }], i % 2, from);
    for (const packet of heard) {
      if (packet.frames.some((frame) => frame.type === "path-challenge")) challenged.add(packet.to.host);
    }
  }
  assert.ok(challenged.size <= PROBES_AUTOMATIC_MAX, `${challenged.size} challenged`);
});

test("an application that challenges everything it is told to stays within the bound on what is out", () => {
  const puppet = new PuppetPeer();
  let accepted = 0;
  for (let i = 0; i < 2 * PROBES_OUT_MAX; i++) {
    const route = puppet.victim.routes.direct(addressOf(`203.0.${(i >> 8) & 255}.${i & 255}`));
    if (puppet.connection.probe(puppet.nowMs, route)) accepted++;
    if (i % 100 === 0) puppet.hear();
  }
  assert.ok(accepted <= PROBES_OUT_MAX, `${accepted} at once`);
  puppet.pass(6_000);
  assert.ok(
    puppet.connection.probe(puppet.nowMs, puppet.victim.routes.direct(victimOfSpoofing)),
    "later there is room",
  );
});

test("floods of PUNCH and CANDIDATES bring one event for each higher sequence number", () => {
  const puppet = new PuppetPeer();
  const flood = (sequence: number): Frame[] =>
    Array.from(
      { length: 100 },
      (_, i): Frame => ({
        type: i % 2 === 0 ? "punch" : "candidates",
        sequence,
        body: new Uint8Array(4),
      }),
    );
  for (let i = 0; i < 50; i++) puppet.send(flood(1 + (i % 5)));
  assert.equal(puppet.victim.count("punch"), 5);
  assert.equal(puppet.victim.count("candidates"), 5);
});

test("bodies that are handed out stay as they were when the datagram's memory is used again", () => {
  const puppet = new PuppetPeer();
  const body = Uint8Array.from([1, 2, 3, 4]);
  const packet = puppet.packet([
    { type: "punch", sequence: 1, body },
    { type: "candidates", sequence: 1, body },
    { type: "datagram", data: body },
    { type: "path-challenge", token: token(513) },
  ]);
  const memory = packet.slice();
  puppet.victim.handleDatagram(puppet.nowMs, puppet.address, memory);
  memory.fill(0xdb);
  const heard = puppet.hear();
  for (const { event } of puppet.victim.events) {
    if (event.type === "punch" || event.type === "candidates") assert.deepEqual(event.body, body);
    if (event.type === "datagram") assert.deepEqual(event.data, body);
  }
  assert.deepEqual(framesOf(heard, "path-response")[0]?.token, token(513));
});

test("four thousand streams that a single frame opens hold a byte each, not a block each", () => {
  const puppet = new PuppetPeer();
  for (let at = 0; at < 4_096; at += 100) {
    const ids = Array.from({ length: Math.min(100, 4_096 - at) }, (_, i) => (at + i) * 2);
    puppet.send(ids.map((id) => stream(id, 0, 1)));
  }
  assert.equal(puppet.connection.streams.openCount, 4_096);
  let bytes = 0;
  for (const each of puppet.connection.streams.all) bytes += each.receive.memoryBytes;
  assert.ok(bytes <= SPARE_BLOCKS_MAX * RECEIVE_BLOCK_BYTES, `${bytes} bytes for streams that were read to the end`);
});

test("a reader that takes nothing is sent no more than its windows, and holds no more", () => {
  const puppet = new PuppetPeer();
  puppet.victim.onStream = (record) => {
    record.readPaused = true;
  };
  for (let at = 0; at < STREAM_WINDOW_BYTES; at += 1024) puppet.send([stream(0, at, 1024)]);
  assert.equal(puppet.closeCode, undefined);
  for (const each of puppet.connection.streams.all) {
    assert.ok(each.receive.memoryBytes <= STREAM_WINDOW_BYTES + RECEIVE_BLOCK_BYTES);
  }
  puppet.send([stream(0, STREAM_WINDOW_BYTES, 1)]);
  assert.equal(puppet.closeCode, closeCode.flowControl);
});

test("what stands behind a CLOSE is not looked at, and nothing follows the event", () => {
  const puppet = new PuppetPeer();
  puppet.send([
    { type: "close", code: 0, reason: "bye" },
    stream(0, 0, 10),
    { type: "path-challenge", token: token(1) },
    { type: "punch", sequence: 9, body: new Uint8Array(1) },
    { type: "ack", path: 1, delayUs: 0, ranges: [99, 99] },
  ]);
  assert.equal(puppet.victim.events.at(-1)?.event.type, "closed");
  assert.deepEqual(puppet.pass(10_000), []);
});

test("limits that are raised beyond all numbers, or lowered, do no harm", () => {
  const puppet = new PuppetPeer();
  puppet.send([
    { type: "max-data", max: Number.MAX_SAFE_INTEGER },
    { type: "max-data", max: 0 },
    { type: "max-streams", max: Number.MAX_SAFE_INTEGER },
    { type: "max-streams", max: 1 },
  ]);
  const record = puppet.victim.open(puppet.nowMs, puppet.connection);
  puppet.send([{ type: "max-stream-data", id: record.stream.id, max: Number.MAX_SAFE_INTEGER }]);
  puppet.victim.send(puppet.nowMs, record, 50_000);
  assert.ok(framesOf(puppet.hear(), "stream").length > 0);
});

test("no frames, in whatever order, make an endpoint throw or break its own rules", () => {
  const packets = fc.array(
    fc.tuple(fc.array(anyFrame, { maxLength: 6 }), fc.integer({ min: 0, max: 3 }), fc.boolean()),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(packets, (all) => {
      const puppet = new PuppetPeer();
      const record = puppet.victim.open(puppet.nowMs, puppet.connection);
      puppet.victim.send(puppet.nowMs, record, 20_000);
      puppet.hear();
      for (const [frames, path, moved] of all) {
        puppet.pass(7);
        puppet.send(frames, path, moved ? victimOfSpoofing : puppet.address);
      }
      puppet.pass(5_000);
    }),
    { numRuns: 80 },
  );
});

test("frames that are nearly right reach deep and break nothing", () => {
  const id = fc.integer({ min: 0, max: 9 });
  const offset = fc.integer({ min: 0, max: 3_000 });
  const near = fc.oneof(
    fc.record({
      type: fc.constant("stream" as const),
      id,
      offset,
      fin: fc.boolean(),
      data: fc.uint8Array({ maxLength: 300 }),
    }),
    fc.record({ type: fc.constant("reset-stream" as const), id, code: fc.nat(5), finalSize: offset }),
    fc.record({ type: fc.constant("stop-sending" as const), id, code: fc.nat(5) }),
    fc.record({ type: fc.constant("max-stream-data" as const), id, max: fc.nat(400_000) }),
    fc.record({ type: fc.constant("max-data" as const), max: fc.nat(2_000_000) }),
    fc.nat(12).map((n): Frame => ({ type: "ack", path: 1, delayUs: n, ranges: [n, Math.max(0, n - 3)] })),
    fc.nat(3).map((path): Frame => ({ type: "path-status", path: path + 1, sequence: 1, status: 0 })),
  );
  fc.assert(
    fc.property(fc.array(fc.array(near, { maxLength: 5 }), { maxLength: 25 }), (all) => {
      const puppet = new PuppetPeer();
      for (let i = 0; i < 3; i++) {
        const record = puppet.victim.open(puppet.nowMs, puppet.connection);
        puppet.victim.send(puppet.nowMs, record, 5_000);
      }
      puppet.hear();
      for (const frames of all) {
        puppet.pass(30);
        puppet.send(frames as Frame[], 1);
        if (puppet.nowMs % 7 === 0) puppet.pass(100);
      }
      puppet.pass(5_000);
      const sentTo = puppet.connection.paths.all.length;
      assert.ok(sentTo <= 16);
    }),
    { numRuns: 100 },
  );
});
