// Credit both ways: limits never shrink, are told in time, grow with the demand, and are kept to.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { closeCode, ProtocolError } from "../../src/base/protocol-error.ts";
import { BufferMemory, MemoryShare } from "../../src/transport/buffer-memory.ts";
import { ConnectionWindow, SendCredit, StreamWindow } from "../../src/transport/flow-control.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const connectionWindow = (
  windowBytes: number,
  windowBytesMax: number,
  memory = new BufferMemory(48 * MIB),
): ConnectionWindow => new ConnectionWindow(windowBytes, windowBytesMax, new MemoryShare(memory));
/** A stream's, in a connection that has all the memory that it could want. */
const streamWindow = (windowBytes: number, windowBytesMax: number): StreamWindow =>
  new StreamWindow(windowBytes, windowBytesMax, connectionWindow(MIB, 48 * MIB));

test("a byte beyond the limit breaks the protocol, the last one within it does not", () => {
  const window = streamWindow(100, 100);
  window.onReceived(100);
  assert.throws(
    () => window.onReceived(1),
    (error) => error instanceof ProtocolError && error.code === closeCode.flowControl,
  );
});

test("a new limit is worth telling when half of the window was read, not before", () => {
  const window = streamWindow(100, 100);
  window.onReceived(60);
  window.onConsumed(49);
  assert.equal(window.wantsUpdate, false);
  window.onConsumed(1);
  assert.equal(window.wantsUpdate, true);
  assert.equal(window.update(0, 10), 150);
  assert.equal(window.wantsUpdate, false);
});

test("a large window is told in eighths, so that a sender lacks little of it at any time", () => {
  const windowBytes = 16 * KIB * KIB;
  const window = streamWindow(windowBytes, windowBytes);
  window.onReceived(windowBytes);
  window.onConsumed(windowBytes / 8 - 1);
  assert.equal(window.wantsUpdate, false);
  window.onConsumed(1);
  assert.equal(window.wantsUpdate, true);
});

test("how often the limit is told does not change how fast the window grows", () => {
  const windowBytes = 8 * KIB * KIB;
  const grow = (halfMs: number): number => {
    const window = streamWindow(windowBytes, 4 * windowBytes);
    for (let eighth = 0; eighth <= 8; eighth++) {
      window.onReceived(windowBytes / 8);
      window.onConsumed(windowBytes / 8);
      window.update((eighth * halfMs) / 4, 10);
    }
    return window.currentWindowBytes;
  };
  assert.equal(grow(41), windowBytes, "half of it takes more than four round trips");
  assert.ok(grow(39) > windowBytes);
});

test("the window doubles while half of it goes within four round trips, up to its bound", () => {
  const window = streamWindow(100, 350);
  const sizes: number[] = [];
  for (let i = 0; i < 5; i++) {
    const bytes = window.limitBytes - window.receivedBytes;
    window.onReceived(bytes);
    window.onConsumed(bytes);
    window.update(i * 35, 10);
    sizes.push(window.currentWindowBytes);
  }
  assert.deepEqual(sizes, [100, 200, 350, 350, 350]);
});

test("the window of a slow reader stays as it is", () => {
  const window = streamWindow(100, 1000);
  for (let i = 0; i < 10; i++) {
    window.onReceived(window.limitBytes - window.receivedBytes);
    window.onConsumed(60);
    if (window.wantsUpdate) window.update(i * 1000, 10);
  }
  assert.equal(window.currentWindowBytes, 100);
});

test("telling the limit again because it was lost widens nothing", () => {
  const window = streamWindow(100, 10_000);
  window.onReceived(50);
  window.onConsumed(50);
  assert.equal(window.update(0, 100), 150);
  for (let i = 1; i < 10; i++) assert.equal(window.update(i, 100), 150);
  assert.equal(window.currentWindowBytes, 100);
});

test("the connection's window follows a stream's, up to its own bound", () => {
  const window = connectionWindow(100, 1000);
  window.atLeast(600);
  assert.equal(window.currentWindowBytes, 600);
  assert.equal(window.wantsUpdate, true);
  window.atLeast(5000);
  assert.equal(window.currentWindowBytes, 1000);
  window.atLeast(10);
  assert.equal(window.currentWindowBytes, 1000);
});

test("the connection's limit stays ahead of what came, until unread bytes fill its memory", () => {
  const window = connectionWindow(100, 350);
  window.onReceived(100);
  assert.equal(window.wantsUpdate, true, "nothing was read, and yet others may want to send");
  assert.equal(window.update(0, 10), 200);
  window.onReceived(100);
  window.update(1, 10);
  window.onReceived(100);
  assert.equal(window.update(2, 10), 350);
  window.onReceived(50);
  assert.equal(window.update(3, 10), 350);
  assert.equal(window.freeBytes, 0);
  window.onConsumed(200);
  assert.equal(window.update(1_000, 10), 450);
});

test("a sender that has little credit left is told of little more: unread streams may leave no more than that", () => {
  const window = connectionWindow(MIB, 24 * MIB, new BufferMemory(0));
  window.onReceived(600 * KIB);
  assert.equal(window.wantsUpdate, false);
  // Another stream is read.
  window.onReceived(100 * KIB);
  window.onConsumed(100 * KIB);
  assert.equal(window.wantsUpdate, true);
  assert.equal(window.update(0, 10), MIB + 100 * KIB);
});

test("connections that want more than they have from the start share the memory, and one that is over leaves its part", () => {
  const memory = new BufferMemory(8 * MIB);
  const shares = Array.from({ length: 4 }, () => new MemoryShare(memory));
  const windows = shares.map((share) => new ConnectionWindow(MIB, 24 * MIB, share));
  const limitOf = (window: ConnectionWindow): number => window.update(0, 10) - window.consumedBytes;
  const [first, second, third, fourth] = windows as [
    ConnectionWindow,
    ConnectionWindow,
    ConnectionWindow,
    ConnectionWindow,
  ];
  first.atLeast(24 * MIB);
  assert.equal(limitOf(first), 8 * MIB);
  second.atLeast(24 * MIB);
  assert.equal(limitOf(second), 4 * MIB);
  third.atLeast(24 * MIB);
  fourth.atLeast(24 * MIB);
  assert.equal(limitOf(fourth), 2 * MIB);
  // What was promised is kept, and no more is promised until it is used up.
  first.onReceived(7 * MIB);
  first.onConsumed(7 * MIB);
  assert.equal(limitOf(first), 2 * MIB);
  for (const share of shares.slice(1)) share.release();
  assert.equal(limitOf(first), 8 * MIB);
});

test("a connection that wants no more than it has from the start takes nothing from the others", () => {
  const memory = new BufferMemory(8 * MIB);
  const idle = connectionWindow(MIB, 24 * MIB, memory);
  for (let i = 0; i < 4; i++) {
    idle.onReceived(MIB / 4);
    idle.onConsumed(MIB / 4);
    assert.ok(idle.update(i * 1_000, 10) - idle.consumedBytes <= MIB);
  }
  const busy = connectionWindow(MIB, 24 * MIB, memory);
  busy.atLeast(24 * MIB);
  assert.equal(busy.update(0, 10), 8 * MIB);
});

test("no stream's window takes all that the connection has left", () => {
  const connection = connectionWindow(MIB, 9 * MIB);
  const first = new StreamWindow(KIB, 16 * MIB, connection);
  first.atLeast(16 * MIB);
  assert.equal(first.currentWindowBytes, 6 * MIB);
  connection.update(0, 10);
  connection.onReceived(MIB);
  const second = new StreamWindow(KIB, 16 * MIB, connection);
  second.atLeast(16 * MIB);
  assert.equal(Math.round(second.currentWindowBytes), Math.round((8 * MIB * 2) / 3));
});

test("limits never shrink, whatever is received, read and told, and promise no more than the bound", () => {
  const step = fc.record({
    receive: fc.integer({ min: 0, max: 4 * KIB }),
    read: fc.integer({ min: 0, max: 4 * KIB }),
    tell: fc.boolean(),
    afterMs: fc.integer({ min: 0, max: 50 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const window = streamWindow(2 * KIB, 16 * KIB);
      let nowMs = 0;
      let told = window.limitBytes;
      for (const { receive, read, tell, afterMs } of steps) {
        nowMs += afterMs;
        window.onReceived(Math.min(receive, told - window.receivedBytes));
        window.onConsumed(Math.min(read, window.receivedBytes - window.consumedBytes));
        if (tell) {
          const limit = window.update(nowMs, 20);
          assert.ok(limit >= told, "never below what was told before");
          told = limit;
        }
        assert.equal(window.limitBytes, told, "nothing is allowed that was not told");
        assert.ok(told - window.consumedBytes <= 16 * KIB, "unread bytes stay within the bound");
      }
    }),
  );
});

test("whoever reads to the end and is told is never left without credit", () => {
  const window = streamWindow(1, 1);
  for (let i = 0; i < 100; i++) {
    assert.ok(window.limitBytes > window.receivedBytes);
    window.onReceived(1);
    window.onConsumed(1);
    assert.ok(window.wantsUpdate);
    window.update(i, 1);
  }
});

test("an old announcement takes no credit away", () => {
  const credit = new SendCredit(100);
  credit.use(80);
  assert.equal(credit.raise(90), false);
  assert.equal(credit.availableBytes, 20);
  assert.equal(credit.raise(100), false);
  assert.equal(credit.raise(150), true);
  assert.equal(credit.availableBytes, 70);
});
