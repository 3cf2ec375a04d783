// Streams between two endpoints whose packets arrive at once, and with a puppet where a packet has to be lost on purpose.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  SPARE_BLOCKS_MAX,
  STREAM_WINDOW_BYTES,
  STREAM_WINDOW_BYTES_USUAL,
  WRITE_CHUNK_BYTES,
  WRITE_CHUNK_BYTES_MIN,
} from "../../src/base/limits.ts";
import type { Connection } from "../../src/transport/connection.ts";
import type { TransportSettings } from "../../src/transport/transport-settings.ts";
import { SeededRandom } from "../sim/seeded-random.ts";
import type { Frame } from "../wire/frame-recorder.ts";
import { Tap } from "./datagram-tap.ts";
import { EndpointMachine, pattern, type StreamRecord } from "./endpoint-machine.ts";
import { framesOf, type HeardPacket, PuppetPeer } from "./puppet-peer.ts";

const MIB = 1024 * 1024;

function connected(
  settings: Partial<TransportSettings> = {},
  settingsOfPeer = settings,
): { tap: Tap; ours: Connection; theirs: Connection } {
  const random = new SeededRandom(31);
  const [a, b] = [
    new EndpointMachine(random.fork("a"), settings),
    new EndpointMachine(random.fork("b"), settingsOfPeer),
  ];
  const tap = new Tap(a, b);
  const ours = tap.a.connect(tap.nowMs, tap.b.identity, tap.addressB);
  tap.pass(100);
  return { tap, ours, theirs: tap.b.accepted[0] ?? assert.fail() };
}

const twinOf = (tap: Tap, record: StreamRecord): StreamRecord =>
  [...tap.b.records.values()].find(({ stream }) => stream.id === record.stream.id) ?? assert.fail();

/** What the victim sends again when everything heard so far is lost: it is told of three later packets that arrived. */
function loseAll(puppet: PuppetPeer): HeardPacket[] {
  const later: HeardPacket[] = [];
  for (let i = 0; i < 4; i++) {
    puppet.connection.ping();
    later.push(...puppet.hear());
  }
  return [...later, ...puppet.acknowledge(later), ...puppet.pass(1_000)];
}

// ---- opening

test("a frame of a later stream opens those before it, in order", () => {
  const puppet = new PuppetPeer();
  puppet.send([{ type: "stream", id: 8, offset: 0, fin: true, data: new Uint8Array(3) }]);
  const opened = puppet.victim.events.flatMap(({ event }) => (event.type === "stream" ? [event.stream.id] : []));
  assert.deepEqual(opened, [0, 2, 4, 6, 8]);
});

test("ten thousand streams go through a limit of eight, and their number is told now and then, not each time", () => {
  const { tap, ours } = connected({ streamsMax: 8 });
  tap.b.onStream = (record, nowMs) => tap.b.send(nowMs, record, 3);
  const total = 2_000;
  let opened = 0;
  while (opened < total) {
    for (let stream = ours.openStream(tap.nowMs); stream !== undefined; stream = ours.openStream(tap.nowMs)) {
      tap.a.send(tap.nowMs, tap.a.track(stream), 2);
      if (++opened === total) break;
    }
    const before = tap.a.count("streams-available");
    tap.pass(100);
    assert.ok(opened === total || tap.a.count("streams-available") > before, `stuck after ${opened} streams`);
  }
  tap.pass(1_000);
  assert.ok([...tap.a.records.values()].every((record) => record.closed && record.received === 3));
  assert.equal(ours.streams.openCount, 0);
});

test("as long as half of the allowed streams are left, no new limit is told", () => {
  const puppet = new PuppetPeer({ streamsMax: 100 });
  puppet.victim.onStream = (record, nowMs) => puppet.victim.send(nowMs, record, 0);
  let told = 0;
  for (let i = 0; i < 150; i++) {
    const heard = puppet.send([{ type: "stream", id: i * 2, offset: 0, fin: true, data: new Uint8Array(1) }]);
    heard.push(...puppet.acknowledge([...heard, ...puppet.pass(1)]));
    told += framesOf(heard, "max-streams").length;
  }
  assert.equal(puppet.closeCode, undefined);
  assert.ok(told >= 1 && told <= 4, `${told} announcements for 150 streams`);
});

test("a new limit counts streams of which both halves are gone", () => {
  const { tap, ours } = connected({ streamsMax: 2 });
  tap.b.onStream = () => {};
  const records = [tap.a.open(tap.nowMs, ours), tap.a.open(tap.nowMs, ours)];
  for (const record of records) tap.a.send(tap.nowMs, record, 10);
  tap.pass(1_000);
  assert.equal(ours.openStream(tap.nowMs), undefined, "the peer's halves are open");
  tap.b.send(tap.nowMs, twinOf(tap, records[0] as StreamRecord), 0);
  tap.pass(1_000);
  assert.equal(tap.a.count("streams-available"), 1);
  assert.ok(ours.openStream(tap.nowMs));
  assert.equal(ours.openStream(tap.nowMs), undefined);
});

// ---- ends

test("a stream without a byte ends both ways", () => {
  const { tap, ours } = connected();
  tap.b.onStream = (record, nowMs) => tap.b.send(nowMs, record, 0);
  const record = tap.a.open(tap.nowMs, ours);
  tap.a.send(tap.nowMs, record, 0);
  tap.pass(1_000);
  assert.ok(record.ended && record.closed && twinOf(tap, record).ended && twinOf(tap, record).closed);
});

test("half-close: the other way goes on after a FIN", () => {
  const { tap, ours } = connected();
  tap.b.onStream = () => {};
  const record = tap.a.open(tap.nowMs, ours);
  tap.a.send(tap.nowMs, record, 10);
  tap.pass(60_000);
  const twin = twinOf(tap, record);
  assert.ok(twin.ended);
  assert.equal(record.ended, false);
  tap.b.send(tap.nowMs, twin, 50_000);
  tap.pass(5_000);
  assert.equal(record.received, 50_000);
  assert.ok(record.closed);
});

for (const [what, act] of [
  ["a reset", (tap: Tap, record: StreamRecord) => tap.a.reset(tap.nowMs, record, 5)],
  ["a wish to stop", (tap: Tap, record: StreamRecord) => tap.b.stopSending(tap.nowMs, twinOf(tap, record), 6)],
  [
    "both at once",
    (tap: Tap, record: StreamRecord) => {
      tap.a.reset(tap.nowMs, record, 5);
      tap.b.stopSending(tap.nowMs, twinOf(tap, record), 6);
    },
  ],
  [
    "a wish to stop and a FIN at once",
    (tap: Tap, record: StreamRecord) => {
      record.stream.finish(tap.nowMs);
      tap.b.stopSending(tap.nowMs, twinOf(tap, record), 6);
    },
  ],
] as const) {
  test(`${what} in mid-transfer ends the half, and all credit is given back`, () => {
    const { tap, ours, theirs } = connected({ initialDataBytes: 30_000, dataBytesMax: 30_000 });
    tap.b.onStream = (record) => {
      record.readPaused = true;
    };
    const record = tap.a.open(tap.nowMs, ours);
    record.toSend = 1;
    record.stream.write(tap.nowMs, new Uint8Array(100_000));
    tap.pass(1_000);
    act(tap, record);
    tap.b.send(tap.nowMs, twinOf(tap, record), 0);
    tap.pass(5_000);
    assert.ok(record.closed && twinOf(tap, record).closed);
    assert.equal(theirs.streams.window.receivedBytes, theirs.streams.window.consumedBytes);
    // The connection's credit serves the next stream.
    tap.b.onStream = () => {};
    const next = tap.a.open(tap.nowMs, ours);
    tap.a.send(tap.nowMs, next, 60_000);
    tap.pass(5_000);
    assert.equal(twinOf(tap, next).received, 60_000);
  });
}

test("streams that ended hold no memory for what they received", () => {
  const { tap, ours } = connected();
  const records: StreamRecord[] = [];
  for (let i = 0; i < 4 * SPARE_BLOCKS_MAX; i++) {
    const record = tap.a.open(tap.nowMs, ours);
    tap.a.send(tap.nowMs, record, 100);
    records.push(record);
    tap.pass(10);
  }
  for (const record of records) assert.equal(twinOf(tap, record).stream.receive.memoryBytes, 0);
});

// ---- writers

test("a writer that was told to pause is always told to go on, even if it wrote on all the same", () => {
  const puppet = new PuppetPeer();
  puppet.send([{ type: "max-data", max: 10_000_000 }]);
  const record = puppet.victim.open(puppet.nowMs, puppet.connection);
  const { stream } = record;
  puppet.send([{ type: "max-stream-data", id: stream.id, max: 10_000_000 }]);
  // The machine keeps out of it.
  record.finished = true;
  while (stream.write(puppet.nowMs, new Uint8Array(10_000)));
  const heldAtPause = stream.heldBytes;
  const deliver = (untilHeld: number): void => {
    while (stream.heldBytes > untilHeld) {
      for (const packet of puppet.pass(5)) if (stream.heldBytes > untilHeld) puppet.acknowledge([packet]);
    }
  };
  // Most of it is delivered, but not so much that "writable" is due; then one more chunk comes from a source that was just paused.
  deliver(heldAtPause * 0.7);
  assert.equal(puppet.victim.count("writable"), 0);
  stream.write(puppet.nowMs, new Uint8Array(1));
  deliver(0);
  assert.equal(puppet.victim.count("writable"), 1, "else the writer sleeps for ever");
});

test("a paused writer is told to go on after its stream's credit had run out", () => {
  const { tap, ours } = connected({ initialStreamDataBytes: 10_000, streamDataBytesMax: 10_000 });
  tap.b.onStream = (record) => {
    record.readPaused = true;
  };
  const record = tap.a.open(tap.nowMs, ours);
  tap.a.send(tap.nowMs, record, 1_000_000);
  tap.pass(5_000);
  assert.ok(record.writeRefused && record.sent < 1_000_000);
  const twin = twinOf(tap, record);
  twin.readPaused = false;
  tap.b.read(twin);
  tap.pass(60_000);
  assert.equal(twin.received, 1_000_000);
});

test("a stream is not kept waiting by others that have run out of their own credit", () => {
  const { tap, ours } = connected({ initialStreamDataBytes: 5_000, streamDataBytesMax: 5_000 });
  tap.b.onStream = (record) => {
    record.readPaused = record.stream.id < 20;
  };
  for (let i = 0; i < 10; i++) tap.a.send(tap.nowMs, tap.a.open(tap.nowMs, ours), 50_000);
  tap.pass(2_000);
  const quick = tap.a.open(tap.nowMs, ours);
  tap.a.send(tap.nowMs, quick, 4_000);
  tap.pass(1_000);
  assert.equal(twinOf(tap, quick).received, 4_000);
});

// ---- memory

/** @returns the streams of our side; at the other one nobody reads them. */
function openUnread(tap: Tap, ours: Connection, count: number, lengthBytes: number): StreamRecord[] {
  tap.b.onStream = (record) => {
    record.readPaused = true;
  };
  const records = Array.from({ length: count }, () => tap.a.open(tap.nowMs, ours));
  for (const record of records) tap.a.send(tap.nowMs, record, lengthBytes);
  tap.pass(20_000);
  return records;
}

const unreadBytes = ({ streams }: Connection): number => streams.window.receivedBytes - streams.window.consumedBytes;

for (const count of [480, 520, 600]) {
  test(`${count} streams whose readers have stopped do not keep another one waiting`, () => {
    const { tap, ours } = connected();
    openUnread(tap, ours, count, 100_000);
    tap.b.onStream = () => {};
    const quick = tap.a.open(tap.nowMs, ours);
    tap.a.send(tap.nowMs, quick, 200_000);
    tap.pass(1_000);
    assert.equal(twinOf(tap, quick).received, 200_000);
  });
}

test("what unread streams hold stays within the memory, however many there are, and all of it arrives once they are read", () => {
  const { tap, ours, theirs } = connected({ memoryBytes: 4 * MIB, dataBytesMax: 24 * MIB });
  const records = openUnread(tap, ours, 200, 100_000);
  assert.ok(unreadBytes(theirs) <= 4 * MIB, `${unreadBytes(theirs)} bytes unread`);
  assert.ok(unreadBytes(theirs) > 3 * MIB, "the memory there is is used");
  for (const record of records) {
    const twin = twinOf(tap, record);
    twin.readPaused = false;
    tap.b.read(twin);
    tap.pass(50);
  }
  tap.pass(20_000);
  for (const record of records) assert.equal(twinOf(tap, record).received, 100_000);
});

test("writers pause when all streams together hold what they may, and all of them go on once there is room", () => {
  const { tap, ours } = connected({ memoryBytes: 2 * MIB });
  const records = openUnread(tap, ours, 400, 100_000);
  const chunkBytes = 10_000;
  assert.ok(ours.streams.heldBytes <= 2 * MIB + records.length * chunkBytes, `${ours.streams.heldBytes} bytes held`);
  assert.ok(records.some((record) => record.writeRefused));
  for (const record of tap.b.records.values()) {
    record.readPaused = false;
    tap.b.read(record);
  }
  tap.b.onStream = () => {};
  tap.pass(60_000);
  for (const record of records) assert.equal(twinOf(tap, record).received, 100_000);
  assert.equal(ours.streams.heldBytes, 0);
});

test("a stream that holds nothing may write, whatever the others hold", () => {
  const { tap, ours } = connected({ memoryBytes: MIB }, {});
  openUnread(tap, ours, 200, 100_000);
  assert.ok(ours.streams.heldBytes >= MIB, "the memory is full");
  tap.b.onStream = () => {};
  const quick = tap.a.open(tap.nowMs, ours);
  tap.a.send(tap.nowMs, quick, 100_000);
  tap.pass(60_000);
  assert.equal(twinOf(tap, quick).received, 100_000);
});

test("the answer on a stream that is opened here may be long at once, a question once some of it was read", () => {
  const { tap, ours } = connected();
  const record = tap.a.open(tap.nowMs, ours);
  assert.equal(record.stream.send.credit.limitBytes, STREAM_WINDOW_BYTES);
  record.stream.write(tap.nowMs, pattern(record.stream.id, 0, STREAM_WINDOW_BYTES / 2));
  tap.settle();
  assert.equal(twinOf(tap, record).stream.send.credit.limitBytes, STREAM_WINDOW_BYTES_USUAL);
  assert.equal(record.stream.send.credit.limitBytes, STREAM_WINDOW_BYTES / 2 + STREAM_WINDOW_BYTES_USUAL);
});

test("thousands of streams are written to in small chunks and begin with small windows, a few with large ones", () => {
  const { tap, ours } = connected();
  const first = tap.a.open(tap.nowMs, ours).stream;
  assert.ok(first.chunkBytes > WRITE_CHUNK_BYTES / 2, `${first.chunkBytes} bytes`);
  assert.equal(first.receive.window.currentWindowBytes, STREAM_WINDOW_BYTES_USUAL);
  for (let i = 0; i < 3_500; i++) tap.a.open(tap.nowMs, ours);
  assert.equal(first.chunkBytes, WRITE_CHUNK_BYTES_MIN);
  assert.equal(tap.a.open(tap.nowMs, ours).stream.receive.window.currentWindowBytes, STREAM_WINDOW_BYTES);
});

// ---- lost frames

test("a lost MAX_DATA and a lost MAX_STREAM_DATA are replaced by their latest values", () => {
  const windows = { initialDataBytes: 10_000, dataBytesMax: 10_000, initialStreamDataBytes: 10_000 };
  const puppet = new PuppetPeer({ ...windows, streamDataBytesMax: 10_000 });
  const send = (offset: number, lengthBytes: number): HeardPacket[] =>
    puppet.send([{ type: "stream", id: 0, offset, fin: false, data: new Uint8Array(lengthBytes) }]);
  const first = send(0, 6_000);
  const [limit] = framesOf(first, "max-data");
  const [streamLimit] = framesOf(first, "max-stream-data");
  assert.ok(limit && streamLimit);
  // More is read meanwhile, too little for an update of its own.
  send(6_000, 1_000);
  const again = loseAll(puppet);
  assert.equal(framesOf(again, "max-data").at(-1)?.max, limit.max + 1_000);
  assert.equal(framesOf(again, "max-stream-data").at(-1)?.max, streamLimit.max + 1_000);
});

test("lost RESET_STREAM, STOP_SENDING, CANDIDATES and PUNCH are sent again, the latest of each", () => {
  const puppet = new PuppetPeer();
  const record = puppet.victim.open(puppet.nowMs, puppet.connection);
  puppet.victim.reset(puppet.nowMs, record, 3);
  puppet.victim.stopSending(puppet.nowMs, record, 4);
  puppet.connection.sendCandidates(Uint8Array.from([1]));
  puppet.connection.sendPunch(Uint8Array.from([1]));
  const first = puppet.hear();
  puppet.connection.sendCandidates(Uint8Array.from([2]));
  const again = loseAll(puppet);
  for (const heard of [first, again]) {
    assert.equal(framesOf(heard, "reset-stream")[0]?.code, 3);
    assert.equal(framesOf(heard, "stop-sending")[0]?.code, 4);
    assert.equal(framesOf(heard, "punch").length > 0, true);
  }
  assert.deepEqual([...(framesOf(again, "candidates").at(-1)?.body ?? [])], [2]);
  // What has arrived is not sent a third time.
  puppet.acknowledge(again);
  const types = (packets: readonly HeardPacket[]): Frame["type"][] =>
    packets.flatMap((p) => p.frames.map((f) => f.type));
  assert.deepEqual(
    types(loseAll(puppet)).filter((type) => type !== "ping" && type !== "ack"),
    [],
  );
});

test("a lost MAX_STREAMS is told again", () => {
  const puppet = new PuppetPeer({ streamsMax: 1 });
  puppet.victim.onStream = (record, nowMs) => puppet.victim.send(nowMs, record, 0);
  const heard = puppet.send([{ type: "stream", id: 0, offset: 0, fin: true, data: new Uint8Array(1) }]);
  const answers = puppet.acknowledge(heard);
  assert.equal(framesOf([...heard, ...answers], "max-streams")[0]?.max, 2);
  assert.equal(framesOf(loseAll(puppet), "max-streams")[0]?.max, 2);
});

test("datagrams that cannot be sent do not keep those behind them waiting", () => {
  const { tap, ours, theirs } = connected();
  ours.sendDatagram(new Uint8Array(5_000));
  ours.sendDatagram(new Uint8Array(1_300));
  ours.sendDatagram(Uint8Array.from([1, 2, 3]));
  tap.settle();
  const got = tap.b.events.flatMap(({ event, connection }) =>
    event.type === "datagram" && connection === theirs ? [event.data.length] : [],
  );
  assert.ok(got.includes(3), `${got}`);
  assert.equal(ours.datagrams.length, 0);
});
