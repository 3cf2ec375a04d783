// The watch on a real socket in which something lies that nobody reads: it tells of that again and again, or when it is asked to.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { dgramHandle } from "../../src/io/dgram-handle.ts";
import { type Libc, loadLibc } from "../../src/io/libc.ts";
import { PausingWatch } from "../../src/io/pausing-watch.ts";
import { until } from "./condition-wait.ts";
import { MemoryLibc } from "./memory-libc.ts";

const libc = loadLibc() as Libc;

interface Watched {
  readonly watch: PausingWatch;
  /** When it told, on the clock of performance.now(). */
  readonly told: number[];
  /** What it does with each. */
  onTold: () => void;
  close(): Promise<void>;
}

/** @returns a watch of a socket that a message has come to. */
async function watchMessage(): Promise<Watched> {
  const socket: Socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  dgramHandle(socket)?.recvStop();
  const fd = libc.duplicate((dgramHandle(socket) as unknown as { fd: number }).fd);
  socket.send("x", socket.address().port, "127.0.0.1");
  const told: number[] = [];
  const watch = PausingWatch.open(libc, fd, (readable) => {
    assert.ok(readable);
    told.push(performance.now());
    watched.onTold();
  });
  assert.ok(watch !== undefined, "koffi is installed here");
  const watched: Watched = {
    watch,
    told,
    onTold() {},
    async close() {
      watch.close();
      libc.close(fd);
      const before = told.length;
      await sleep(20);
      assert.equal(told.length, before, "nothing is told of after the end");
      socket.close();
    },
  };
  return watched;
}

test("without a pause it tells in each turn of the event loop", async () => {
  const { told, close } = await watchMessage();
  await until(() => told.length > 20);
  await close();
});

test("it tells when a pause is over and not before, as often as it is asked to", async () => {
  const watched = await watchMessage();
  const { watch, told } = watched;
  watched.onTold = () => watch.pause(5);
  await until(() => told.length >= 10);
  watched.onTold = () => {};
  const times = told.slice();
  for (let i = 1; i < times.length; i++) {
    const pauseMs = (times[i] as number) - (times[i - 1] as number);
    assert.ok(pauseMs >= 5, `${pauseMs} ms`);
  }
  await watched.close();
});

test("a pause is told of once, until the next one or its end", async () => {
  const watched = await watchMessage();
  const { watch, told } = watched;
  await until(() => told.length > 0);
  watch.pause(1);
  told.length = 0;
  await sleep(30);
  assert.equal(told.length, 1);
  watch.pause(0);
  await until(() => told.length > 20);
  await watched.close();
});

test("one that is closed in a pause tells no more", async () => {
  const watched = await watchMessage();
  watched.watch.pause(1);
  await watched.close();
});

test("where there is no timer that is fine enough it goes on without a pause", () => {
  const memory = new MemoryLibc(8);
  const told: boolean[] = [];
  const watch = PausingWatch.open(memory, memory.duplicate(7), (readable) => told.push(readable));
  watch?.pause(1);
  memory.tell?.(true);
  assert.deepEqual(told, [true]);
});

test("a descriptor that libuv does not take back is told of as one that cannot be read", () => {
  const memory = new MemoryLibc(8);
  const told: boolean[] = [];
  let fire = (): void => {};
  const watches: { stop(): void; start(): boolean; close(): void }[] = [];
  Object.assign(memory, {
    timer: () => 9,
    setTimer: () => 0,
    watch: (fd: number, onReadable: (readable: boolean) => void) => {
      if (fd === 9) fire = () => onReadable(true);
      const watch = { stop() {}, start: () => false, close() {} };
      watches.push(watch);
      return watch;
    },
  });
  const watch = PausingWatch.open(memory, 7, (readable) => told.push(readable));
  watch?.pause(1);
  fire();
  watch?.pause(0);
  assert.deepEqual(told, [true, false]);
});
