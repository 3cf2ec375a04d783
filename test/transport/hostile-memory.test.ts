// What a peer that holds the keys can make us hold: as much memory as it was granted, and not a block for each byte of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CONNECTION_WINDOW_BYTES, SEND_BLOCK_BYTES, WRITE_CHUNK_BYTES_MIN } from "../../src/base/limits.ts";
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
