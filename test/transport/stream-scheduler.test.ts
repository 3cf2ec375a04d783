// Who fills the next packet: fairness, newcomers first but not for ever, and no stream forgotten.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { STREAM_QUANTUM_BYTES, STREAM_QUANTUM_WINDOW_PART } from "../../src/base/limits.ts";
import { BufferMemory, MemoryShare } from "../../src/transport/buffer-memory.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { ConnectionWindow } from "../../src/transport/flow-control.ts";
import { ReceiveHalf } from "../../src/transport/receive-half.ts";
import { SendHalf } from "../../src/transport/send-half.ts";
import { Stream, type StreamOwner } from "../../src/transport/stream.ts";
import { StreamScheduler } from "../../src/transport/stream-scheduler.ts";

const owner: StreamOwner = {
  get connection(): Connection {
    return assert.fail("no stream of these has a connection");
  },
  chunkBytes: 0,
  mayWriteOn: () => true,
  onWritten: () => {},
  onReset: () => {},
  queueControl: () => {},
  onRead: () => {},
  onMaybeClosed: () => {},
  rttMs: () => 0,
};

const PACKET = 1000;
const window = new ConnectionWindow(1, 1, new MemoryShare(new BufferMemory(0)));
const streamOf = (id: number): Stream => new Stream(id, owner, new SendHalf(id, 0), new ReceiveHalf(1, 1, window));

/** Serves packets to streams that never run dry. @returns how many packets each id got. */
function serve(scheduler: StreamScheduler, packets: number, each: (stream: Stream) => void = () => {}): number[] {
  const order: number[] = [];
  for (let i = 0; i < packets; i++) {
    const stream = scheduler.next ?? assert.fail("nothing to serve");
    order.push(stream.id);
    scheduler.served(stream, PACKET);
    each(stream);
  }
  return order;
}

const countOf = (order: readonly number[], id: number): number => order.filter((other) => other === id).length;

test("streams that always have something to send share alike", () => {
  const scheduler = new StreamScheduler();
  const streams = [0, 4, 8, 12].map(streamOf);
  for (const stream of streams) scheduler.add(stream);
  const order = serve(scheduler, 400);
  for (const { id } of streams) assert.ok(Math.abs(countOf(order, id) - 100) <= 9, `stream ${id}`);
});

test("a stream that has just become busy passes those that have been busy for a while", () => {
  const scheduler = new StreamScheduler();
  for (const id of [0, 4, 8]) scheduler.add(streamOf(id));
  serve(scheduler, 50);
  const keystroke = streamOf(12);
  scheduler.add(keystroke);
  assert.equal(scheduler.next, keystroke);
  scheduler.served(keystroke, 50);
  scheduler.emptied(keystroke);
  // One that stops and starts again at once has to stand in line with the others.
  scheduler.add(keystroke);
  assert.notEqual(scheduler.next, keystroke);
});

test("a newcomer stands in line when it has sent its quantum", () => {
  const scheduler = new StreamScheduler();
  scheduler.add(streamOf(0));
  serve(scheduler, 20);
  const bulk = streamOf(4);
  scheduler.add(bulk);
  const order = serve(scheduler, 40);
  assert.equal(countOf(order.slice(0, STREAM_QUANTUM_BYTES / PACKET), 4), Math.floor(STREAM_QUANTUM_BYTES / PACKET));
  assert.ok(countOf(order, 0) >= 12);
});

test("a turn is a part of the path's window where that is large", () => {
  const scheduler = new StreamScheduler();
  for (const id of [0, 4]) scheduler.add(streamOf(id));
  serve(scheduler, 40);
  const turns: number[] = [];
  for (let packets = 0, last = -1; packets < 400; packets++) {
    const stream = scheduler.next ?? assert.fail("nothing to serve");
    if (stream.id === last) turns[turns.length - 1] = (turns.at(-1) as number) + 1;
    else turns.push(1);
    last = stream.id;
    scheduler.served(stream, PACKET, 4 * STREAM_QUANTUM_BYTES * STREAM_QUANTUM_WINDOW_PART);
  }
  const wanted = Math.ceil((4 * STREAM_QUANTUM_BYTES) / PACKET);
  assert.ok(
    turns.slice(1, -1).every((turn) => turn === wanted),
    turns.join(" "),
  );
});

test("an endless supply of new streams does not starve an old one", () => {
  const scheduler = new StreamScheduler();
  const old = streamOf(0);
  scheduler.add(old);
  serve(scheduler, 20);
  let id = 4;
  scheduler.add(streamOf(id));
  const order = serve(scheduler, 2_000, (stream) => {
    if (stream === old) return;
    // Each sends one packet and is gone, and two others come.
    stream.closed = true;
    scheduler.remove(stream);
    for (let i = 0; i < 2; i++) {
      id += 4;
      scheduler.add(streamOf(id));
    }
  });
  assert.ok(countOf(order, 0) > 150, `${countOf(order, 0)} of 2000 packets`);
});

test("a blocked stream is passed over until there is credit, and for something else it is let back in", () => {
  const scheduler = new StreamScheduler();
  const [a, b] = [streamOf(0), streamOf(4)];
  scheduler.add(a);
  scheduler.add(b);
  scheduler.block(a);
  scheduler.add(a);
  assert.equal(scheduler.next, b, "a write brings no credit");
  scheduler.block(b);
  assert.equal(scheduler.next, undefined);
  scheduler.unblock(b);
  assert.equal(scheduler.next, b);
  scheduler.unblock(b);
  scheduler.unblockAll();
  assert.equal(scheduler.next, b);
  scheduler.emptied(b);
  assert.equal(scheduler.next, a);
});

test("every stream that was added and is not taken out gets its turn", () => {
  const action = fc.tuple(
    fc.integer({ min: 0, max: 9 }),
    fc.constantFrom("add", "serve", "serve", "empty", "block", "unblock", "unblockAll", "remove"),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const scheduler = new StreamScheduler();
      const streams = Array.from({ length: 10 }, (_, i) => streamOf(i * 4));
      const ready = new Set<Stream>();
      const blocked = new Set<Stream>();
      for (const [i, kind] of actions) {
        const stream = streams[i] as Stream;
        const { next } = scheduler;
        if (next !== undefined) assert.equal(blocked.has(next), false);
        if (kind === "add" && !blocked.has(stream)) {
          scheduler.add(stream);
          ready.add(stream);
        } else if (kind === "serve" && next !== undefined) {
          scheduler.served(next, PACKET);
        } else if (kind === "empty" && next !== undefined) {
          scheduler.emptied(next);
          ready.delete(next);
        } else if (kind === "block" && next !== undefined) {
          scheduler.block(next);
          ready.delete(next);
          blocked.add(next);
        } else if (kind === "unblock") {
          scheduler.unblock(stream);
          if (blocked.delete(stream)) ready.add(stream);
        } else if (kind === "unblockAll") {
          scheduler.unblockAll();
          for (const woken of blocked) ready.add(woken);
          blocked.clear();
        } else if (kind === "remove") {
          scheduler.remove(stream);
          ready.delete(stream);
          blocked.delete(stream);
        }
      }
      for (const stream of blocked) assert.equal(stream.queue, "blocked");
      const served = new Set(serve(scheduler, ready.size === 0 ? 0 : 400).map((id) => id / 4));
      for (const stream of ready) assert.ok(served.has(stream.id / 4), `stream ${stream.id} is never served`);
    }),
    { numRuns: 300 },
  );
});
