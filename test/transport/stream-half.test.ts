// The two halves of a stream: what they hold, when they are done, and the credit they owe (RFC 9000 §3).

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/base/byte-writer.ts";
import { closeCode, ProtocolError } from "../../src/base/protocol-error.ts";
import { BufferMemory, MemoryShare } from "../../src/transport/buffer-memory.ts";
import { ConnectionWindow } from "../../src/transport/flow-control.ts";
import { ReceiveHalf } from "../../src/transport/receive-half.ts";
import { SendHalf } from "../../src/transport/send-half.ts";

const NOTHING = new Uint8Array(0);

function receiving(windowBytes = 1000): { half: ReceiveHalf; connection: ConnectionWindow } {
  const connection = new ConnectionWindow(5000, 5000, new MemoryShare(new BufferMemory(0)));
  return { half: new ReceiveHalf(windowBytes, windowBytes, connection), connection };
}

function frame(half: ReceiveHalf, offset: number, lengthBytes: number, fin = false): void {
  half.onFrame(offset, new Uint8Array(lengthBytes), 0, lengthBytes, fin);
}

const failsWith = (code: number) => (error: unknown) => error instanceof ProtocolError && error.code === code;

// ---- receiving

test("a FIN without data ends an empty stream", () => {
  const { half } = receiving();
  frame(half, 0, 0, true);
  assert.ok(half.hasNews);
  assert.ok(half.isEnded);
  assert.equal(half.read(), undefined);
});

test("a stream ends when the last byte before the FIN was read, even if the FIN came first", () => {
  const { half } = receiving();
  frame(half, 20, 10, true);
  assert.equal(half.isEnded, false);
  assert.equal(half.hasNews, false);
  frame(half, 0, 20);
  assert.equal(half.read()?.length, 30);
  assert.ok(half.isEnded);
  assert.ok(half.isDone);
});

test("the final size cannot change, nor can data go beyond it or it below data", () => {
  for (const act of [
    (half: ReceiveHalf) => frame(half, 0, 31),
    (half: ReceiveHalf) => frame(half, 0, 29, true),
    (half: ReceiveHalf) => frame(half, 30, 1, true),
    (half: ReceiveHalf) => half.onReset(29),
    (half: ReceiveHalf) => half.onReset(31),
  ]) {
    const { half } = receiving();
    frame(half, 10, 20, true);
    assert.throws(() => act(half), failsWith(closeCode.finalSize));
  }
  const { half } = receiving();
  frame(half, 0, 20);
  assert.throws(() => frame(half, 0, 10, true), failsWith(closeCode.finalSize));
  assert.throws(() => half.onReset(10), failsWith(closeCode.finalSize));
});

test("the stream's limit and the connection's are both kept to, and gaps count", () => {
  const { half } = receiving(100);
  assert.throws(() => frame(half, 100, 1), failsWith(closeCode.flowControl));
  const second = receiving(10_000);
  assert.throws(() => frame(second.half, 5000, 1), failsWith(closeCode.flowControl));
});

test("repeated data count once", () => {
  const { half, connection } = receiving();
  for (let i = 0; i < 5; i++) frame(half, 0, 100);
  frame(half, 50, 100);
  assert.equal(connection.receivedBytes, 150);
});

test("a reset gives the credit of unread bytes back, also of those that never came", () => {
  const { half, connection } = receiving();
  frame(half, 0, 100);
  half.read();
  frame(half, 200, 50);
  assert.equal(connection.consumedBytes, 100);
  assert.ok(half.onReset(400));
  assert.equal(connection.receivedBytes, 400);
  assert.equal(connection.consumedBytes, 400);
  assert.equal(half.read(), undefined);
  assert.equal(half.onReset(400), false, "the second reset is no news");
  frame(half, 250, 150);
  assert.equal(connection.consumedBytes, 400, "late data of a reset stream cost nothing more");
});

test("a reader that wants no more gives all credit back, then and later", () => {
  const { half, connection } = receiving();
  frame(half, 0, 100);
  half.discard();
  assert.equal(connection.consumedBytes, 100);
  frame(half, 100, 300);
  assert.equal(connection.consumedBytes, 400);
  assert.equal(half.isDone, false);
  frame(half, 400, 0, true);
  assert.ok(half.isDone);
});

test("a reset behind the end changes nothing, one before the end was read does", () => {
  const { half } = receiving();
  frame(half, 0, 10, true);
  assert.ok(half.onReset(10), "not read yet: the reset wins");
  const read = receiving().half;
  frame(read, 0, 10, true);
  read.read();
  assert.equal(read.onReset(10), false);
  assert.ok(read.isEnded);
});

// ---- sending

test("a FIN alone is sent once, again when lost, and no more when it was acknowledged", () => {
  const half = new SendHalf(0, 100);
  half.finish();
  assert.ok(half.hasToSend(0), "it needs no credit");
  assert.ok(half.takesFin(0));
  half.onFrameSent(0, 0, true);
  assert.equal(half.hasToSend(0), false);
  half.onFrameLost(0, 0, true);
  assert.ok(half.hasToSend(0));
  half.onFrameSent(0, 0, true);
  half.onFrameAcked(0, 0, true);
  assert.ok(half.isDone);
  half.onFrameLost(0, 0, true);
  assert.equal(half.hasToSend(0), false, "the copy that was lost does not matter");
});

test("a FIN waits behind data that have no credit", () => {
  const half = new SendHalf(0, 10);
  half.buffer.write(new Uint8Array(20));
  half.finish();
  assert.equal(half.newBytes, 10);
  assert.equal(half.takesFin(10), false);
  half.credit.use(10);
  half.onFrameSent(0, 10, false);
  assert.equal(half.hasToSend(100), false);
  half.credit.raise(20);
  assert.ok(half.hasToSend(100));
  assert.equal(half.hasToSend(0), false);
  assert.ok(half.takesFin(20));
});

test("the half is done when the FIN and every byte are acknowledged, in whatever order", () => {
  const half = new SendHalf(0, 100);
  half.buffer.write(new Uint8Array(30));
  half.finish();
  half.onFrameSent(0, 20, false);
  half.onFrameSent(20, 10, true);
  half.onFrameAcked(20, 10, true);
  assert.equal(half.isDone, false);
  half.onFrameAcked(0, 20, false);
  assert.ok(half.isDone);
});

test("lost data are sent again past any credit", () => {
  const half = new SendHalf(0, 20);
  half.buffer.write(new Uint8Array(20));
  half.credit.use(20);
  half.onFrameSent(0, 20, false);
  assert.equal(half.hasToSend(0), false);
  half.onFrameLost(0, 20, false);
  assert.ok(half.hasToSend(0));
});

test("a reset tells how much was sent, forgets the data, and is done when it is acknowledged", () => {
  const half = new SendHalf(4, 100);
  half.buffer.write(new Uint8Array(50));
  half.onFrameSent(0, 20, false);
  assert.ok(half.reset(7));
  assert.equal(half.reset(8), false);
  assert.equal(half.isOpen, false);
  assert.equal(half.hasToSend(100), false);
  const writer = new ByteWriter(new Uint8Array(half.bytesMax));
  half.write(writer);
  assert.deepEqual([...writer.written()], [0x04, 4, 7, 20]);
  half.onFrameLost(0, 20, false);
  assert.equal(half.hasToSend(100), false, "lost data of a reset stream are not missed");
  assert.ok(half.isWanted());
  half.onAcked();
  assert.equal(half.isWanted(), false);
  assert.ok(half.isDone);
});

test("what was delivered to the end cannot be reset", () => {
  const half = new SendHalf(0, 100);
  half.finish();
  half.onFrameSent(0, 0, true);
  half.onFrameAcked(0, 0, true);
  assert.equal(half.reset(1), false);
  assert.equal(half.wasReset, false);
});

test("writing nothing is nothing", () => {
  const half = new SendHalf(0, 100);
  half.buffer.write(NOTHING);
  assert.equal(half.hasToSend(100), false);
});
