// How much of a stream is read for a socket, and when: with a socket whose kernel does as the test says.

import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { FORWARD_BUFFER_BYTES, FORWARD_BUFFER_BYTES_MIN } from "../../src/base/limits.ts";
import { ForwardedConnection } from "../../src/io/forwarded-connection.ts";
import { MemoryStream } from "./memory-stream.ts";

const CHUNK_BYTES = 16 * 1024;
const silent = { onReadable() {}, onWritable() {}, onStreamReset() {}, onStopSending() {} };

interface Fixture {
  readonly connection: ForwardedConnection;
  readonly far: MemoryStream;
  /** What the stream holds for the socket. */
  readonly stream: MemoryStream;
  /** First byte of each chunk that the kernel has taken. */
  readonly taken: number[];
  /** The kernel takes what it was left with. */
  takeRest(): void;
}

/** @param takesAtOnce whether the kernel takes a write before it returns. */
function makeConnection(chunks: number, takesAtOnce: boolean, backlogBytes = FORWARD_BUFFER_BYTES): Fixture {
  const taken: number[] = [];
  let rest: (() => void) | undefined;
  const take = (written: readonly Uint8Array[], done: () => void): void => {
    const finish = (): void => {
      for (const chunk of written) taken.push(chunk[0] as number);
      done();
    };
    if (takesAtOnce) finish();
    else rest = finish;
  };
  const socket = new Duplex({
    writableHighWaterMark: FORWARD_BUFFER_BYTES_MIN,
    read() {},
    write: (chunk: Uint8Array, _encoding, done) => take([chunk], done),
    writev: (written, done) =>
      take(
        written.map(({ chunk }) => chunk as Uint8Array),
        done,
      ),
  });
  const [far, stream] = MemoryStream.pair(silent, silent);
  const connection = new ForwardedConnection({
    stream,
    socket: socket as unknown as Socket,
    nowMs: () => 0,
    backlogBytes: () => backlogBytes,
    wake() {},
    settle() {},
    onClosed() {},
  });
  for (let i = 0; i < chunks; i++) far.write(0, new Uint8Array(CHUNK_BYTES).fill(i));
  return { connection, far, stream, taken, takeRest: () => rest?.() };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test("what the kernel takes at once is followed by the rest of the stream at once, however much it is", () => {
  const chunks = (4 * FORWARD_BUFFER_BYTES) / CHUNK_BYTES;
  const { connection, stream, taken } = makeConnection(chunks, true);
  connection.onReadable();
  assert.deepEqual(taken, upTo(chunks));
  assert.equal(stream.heldBytes, 0);
});

test("a kernel that takes nothing leaves the stream unread beyond one buffer, and has all of it in the end, in order", async () => {
  const chunks = (4 * FORWARD_BUFFER_BYTES) / CHUNK_BYTES;
  const { connection, stream, taken, takeRest } = makeConnection(chunks, false);
  for (let i = 0; i < 3; i++) connection.onReadable();
  assert.equal(stream.heldBytes, 3 * FORWARD_BUFFER_BYTES);
  for (let i = 0; i < 20 && taken.length < chunks; i++) {
    takeRest();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(taken, upTo(chunks));
});

for (const backlogBytes of [FORWARD_BUFFER_BYTES_MIN, 64 * 1024]) {
  test(`a socket whose part of the memory is ${backlogBytes} bytes holds no more than that and what was read at once`, async () => {
    const chunks = FORWARD_BUFFER_BYTES / CHUNK_BYTES;
    const { connection, stream, taken, takeRest } = makeConnection(chunks, false, backlogBytes);
    connection.onReadable();
    const queuedBytes = FORWARD_BUFFER_BYTES - stream.heldBytes;
    assert.ok(queuedBytes >= backlogBytes && queuedBytes <= backlogBytes + 2 * CHUNK_BYTES, `${queuedBytes} bytes`);
    for (let i = 0; i < 100 && taken.length < chunks; i++) {
      takeRest();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(taken, upTo(chunks));
  });
}

test("what is smaller than a buffer and was not taken at once holds nothing up", () => {
  const { connection, far, stream } = makeConnection(2, false);
  connection.onReadable();
  assert.equal(stream.heldBytes, 0);
  far.write(0, new Uint8Array(CHUNK_BYTES));
  connection.onReadable();
  assert.equal(stream.heldBytes, 0);
});
