// What a peer that holds the keys can make us hold: as much memory as it was granted, and not a block for each byte of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CONNECTION_WINDOW_BYTES,
  RECEIVE_BLOCK_BYTES,
  RECEIVE_BLOCK_BYTES_FIRST,
  RECEIVE_SLACK_BYTES,
  SEND_BLOCK_BYTES,
  WRITE_CHUNK_BYTES_MIN,
} from "../../src/base/limits.ts";
import type { Frame } from "../wire/frame-recorder.ts";
import type { StreamRecord } from "./endpoint-machine.ts";
import { type HeardPacket, PuppetPeer } from "./puppet-peer.ts";

const MIB = 1024 * 1024;

/** Keys are not replaced: the puppet would lose its own. */
const keyUpdate = { firstPackets: Number.MAX_SAFE_INTEGER, packets: Number.MAX_SAFE_INTEGER };

const stream = (id: number, offset: number, lengthBytes: number): Frame => {
  return { type: "stream", id, offset, fin: false, data: new Uint8Array(lengthBytes) };
};

test("a peer that acknowledges all but the end of each stream keeps us from writing more before its blocks fill more than the memory", () => {
  const memoryBytes = MIB;
  const puppet = new PuppetPeer({ memoryBytes, keyUpdate });
  const records: StreamRecord[] = [];
  puppet.victim.onStream = (record, nowMs) => {
    records.push(record);
    record.stream.write(nowMs, new Uint8Array(Math.min(SEND_BLOCK_BYTES, record.stream.chunkBytes)));
  };
  const isEnd = (frame: Frame): boolean =>
    frame.type === "stream" &&
    records.some(
      ({ stream: { id, send } }) => id === frame.id && frame.offset + frame.data.length === send.buffer.endOffset,
    );
  const count = 80;
  puppet.send([{ type: "max-data", max: 2 ** 40 }]);
  for (let i = 0; i < count; i++) {
    let heard: HeardPacket[] = puppet.send([stream(2 * i, 0, 1), { type: "max-stream-data", id: 2 * i, max: 2 ** 40 }]);
    for (let rounds = 0; rounds < 30; rounds++) {
      heard = puppet.acknowledge(heard.filter(({ frames }) => !frames.some(isEnd)));
      heard.push(...puppet.pass(20));
    }
  }
  const memory = records.reduce((bytes, { stream: { send } }) => bytes + send.buffer.memoryBytes, 0);
  const ends = records.reduce((bytes, { stream: { send } }) => bytes + send.buffer.heldBytes, 0);
  assert.ok(ends < memory / 5, `${ends} bytes are not acknowledged`);
  assert.ok(memory > memoryBytes, "the blocks are pinned");
  const boundBytes = CONNECTION_WINDOW_BYTES + memoryBytes / 2 + SEND_BLOCK_BYTES + count * WRITE_CHUNK_BYTES_MIN;
  assert.ok(memory <= boundBytes, `${memory} bytes held`);
});

test("a peer that sends a byte behind a gap on each stream makes us hold little more than that, and all is read once the gaps are filled", () => {
  const memoryBytes = MIB;
  const puppet = new PuppetPeer({ memoryBytes, keyUpdate });
  const records: StreamRecord[] = [];
  puppet.victim.onStream = (record) => records.push(record);
  const count = 300;
  const deliver = (...frames: Frame[]): void => {
    for (const frame of frames) puppet.acknowledge(puppet.acknowledge(puppet.send([frame])));
    puppet.nowMs++;
  };
  for (let i = 0; i < count; i++) {
    deliver(stream(2 * i, 0, RECEIVE_BLOCK_BYTES), stream(2 * i, RECEIVE_BLOCK_BYTES + 1, 1));
  }
  assert.equal(puppet.closeCode, undefined);
  const held = (): number => records.reduce((bytes, record) => bytes + record.stream.receive.memoryBytes, 0);
  const restBytes = RECEIVE_SLACK_BYTES + count * RECEIVE_BLOCK_BYTES_FIRST;
  assert.ok(held() <= CONNECTION_WINDOW_BYTES + memoryBytes + restBytes, `${held()} bytes held`);
  for (let i = 0; i < count; i++) {
    for (const from of [0, 2, 2_000]) deliver(stream(2 * i, RECEIVE_BLOCK_BYTES + from, 2_000));
  }
  assert.equal(puppet.closeCode, undefined);
  assert.ok(records.every(({ received }) => received === RECEIVE_BLOCK_BYTES + 4_000));
  assert.ok(held() <= memoryBytes, `${held()} bytes held by streams that were read`);
});

test("a stream that closes before its reader has asked for more holds no memory either", () => {
  const puppet = new PuppetPeer();
  let ours: StreamRecord | undefined;
  puppet.victim.onStream = (record, nowMs) => {
    ours = record;
    record.readPaused = true;
    puppet.victim.send(nowMs, record, 10);
  };
  const heard = puppet.send([{ type: "stream", id: 0, offset: 0, fin: true, data: new Uint8Array(10) }]);
  assert.equal(ours?.stream.read()?.length, 10);
  assert.ok(puppet.connection.streams.window.heldBytes > 0);
  puppet.acknowledge(heard);
  assert.ok(ours?.closed);
  assert.equal(puppet.connection.streams.window.heldBytes, 0);
});
