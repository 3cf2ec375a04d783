// The receiver over a C library in memory: senders of every kind, a bound for each turn, an end in the middle.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import { test } from "node:test";
import { setImmediate as turnEnd } from "node:timers/promises";
import { type SocketAddress, socketAddress } from "../../src/base/address.ts";
import type { Ecn } from "../../src/base/ecn.ts";
import { SOCKET_READ_BYTES, SOCKET_TURN_BYTES } from "../../src/base/limits.ts";
import type { DatagramCounters } from "../../src/io/datagram-socket.ts";
import { kernelAddress } from "../../src/io/offload-address.ts";
import { OffloadReceiver } from "../../src/io/offload-receiver.ts";
import { RECEIVE_BATCH_MESSAGES } from "../../src/io/receive-batch.ts";
import { MemoryLibc } from "./memory-libc.ts";

// The receive buffer belongs to all sockets of a process, and so do its addresses.
const libc = new MemoryLibc(8);

/** A receiver reads on by itself as long as something comes: the one of the test before must not take what is meant for the next. */
let latest: OffloadReceiver | undefined;

function makeReceiver(family: 4 | 6) {
  latest?.stop();
  libc.inbox.length = 0;
  libc.receiveError = 0;
  libc.watches = true;
  const counters: DatagramCounters = { sentDatagrams: 0, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 };
  const parsed: string[] = [];
  const parse = ({ address, port }: { address: string; port: number }): SocketAddress | undefined => {
    parsed.push(`${address} ${port}`);
    return socketAddress(address, port);
  };
  const receiver = new OffloadReceiver({ libc, fd: 7, family, counters, parse });
  latest = receiver;
  const received: { from: SocketAddress; bytes: number[] }[] = [];
  /** How many had been received each time that no more was to come. */
  const allRead: number[] = [];
  const handlers = {
    onDatagram: (from: SocketAddress, bytes: Uint8Array) => void received.push({ from, bytes: [...bytes] }),
    onAllRead: () => void allRead.push(received.length),
    onReady() {},
  };
  const deliver = (host: string, port: number, data: readonly number[]): void => {
    libc.inbox.push({ name: kernelAddress(family, host, port) as Uint8Array, data: Uint8Array.from(data) });
  };
  return { receiver, received, allRead, parsed, counters, handlers, deliver };
}

test("what waits is handed on in order, with its length and its sender", () => {
  const { receiver, received, counters, handlers, deliver } = makeReceiver(4);
  deliver("192.0.2.1", 4700, [1, 2, 3]);
  deliver("192.0.2.1", 4700, [4]);
  deliver("192.0.2.1", 4700, []);
  deliver("198.51.100.255", 65_535, [5, 6, 7]);
  receiver.receive(handlers);
  assert.deepEqual(received, [
    { from: socketAddress("192.0.2.1", 4700), bytes: [1, 2, 3] },
    { from: socketAddress("192.0.2.1", 4700), bytes: [4] },
    { from: socketAddress("192.0.2.1", 4700), bytes: [] },
    { from: socketAddress("198.51.100.255", 65_535), bytes: [5, 6, 7] },
  ]);
  assert.equal(counters.receivedDatagrams, 4);
});

test("a sender is looked at once, however many take turns, and is one object", () => {
  for (const [family, hosts] of [
    [4, ["192.0.2.1", "255.255.255.255"]],
    [6, ["192.0.2.1", "2001:db8::1", "2001:db8:1::", "::1"]],
  ] as const) {
    const { receiver, received, parsed, handlers, deliver } = makeReceiver(family);
    const senders = hosts.flatMap((host) => [1, 2].map((port) => [host, port] as const));
    for (let round = 0; round < 3; round++) for (const [host, port] of senders) deliver(host, port, [round]);
    receiver.receive(handlers);
    assert.equal(parsed.length, senders.length);
    for (const [i, { from, bytes }] of received.entries()) {
      const [host, port] = senders[i % senders.length] as (typeof senders)[number];
      assert.deepEqual(from, socketAddress(host, port));
      assert.equal(from, received[i % senders.length]?.from);
      assert.deepEqual(bytes, [Math.floor(i / senders.length)]);
    }
  }
});

test("senders are described as dgram describes them", () => {
  const { receiver, parsed, handlers, deliver } = makeReceiver(6);
  deliver("192.0.2.1", 80, [1]);
  deliver("2001:db8::1", 80, [1]);
  receiver.receive(handlers);
  assert.deepEqual(parsed, ["::ffff:192.0.2.1 80", "2001:db8::1 80"]);
});

test("a sender with a zone is counted, and nothing is handed on", () => {
  const { receiver, received, counters, handlers, deliver } = makeReceiver(6);
  const name = kernelAddress(6, "fe80::1", 80) as Uint8Array;
  name[24] = 2;
  libc.inbox.push({ name, data: Uint8Array.of(1) });
  deliver("2001:db8::1", 80, [2]);
  receiver.receive(handlers);
  assert.deepEqual(received, [{ from: socketAddress("2001:db8::1", 80), bytes: [2] }]);
  assert.equal(counters.receiveErrors, 1);
});

test("a flood, of large messages or of empty ones, is read in parts, one each turn of the event loop", async () => {
  for (const lengthBytes of [60_000, 0]) {
    const { receiver, received, handlers, deliver } = makeReceiver(4);
    const data = new Array<number>(lengthBytes).fill(1);
    for (let i = 0; i < 20_000; i++) deliver("192.0.2.1", 80, data.length > 0 && i > 200 ? [1] : data);
    for (let i = 0; i < 3; i++) receiver.receive(handlers);
    const first = received.length;
    assert.ok(first > 0 && first <= SOCKET_READ_BYTES / 1_024, `${first} messages of ${lengthBytes} bytes`);
    assert.ok(first * lengthBytes < SOCKET_READ_BYTES + RECEIVE_BATCH_MESSAGES * 60_000);
    await turnEnd();
    receiver.receive(handlers);
    assert.ok(received.length > first);
  }
});

test("what comes while a turn's messages are handled is read before dgram reads again", async () => {
  const { receiver, received, handlers, deliver } = makeReceiver(4);
  deliver("192.0.2.1", 80, [1]);
  receiver.receive(handlers);
  deliver("192.0.2.1", 80, [2]);
  await turnEnd();
  deliver("192.0.2.1", 80, [3]);
  await turnEnd();
  assert.deepEqual(
    received.map(({ bytes }) => bytes[0]),
    [1, 2, 3],
  );
  await turnEnd();
  deliver("192.0.2.1", 80, [4]);
  await turnEnd();
  assert.equal(received.length, 3, "a turn in which nothing came ends it");
});

test("a socket that is closed while a message is handled is not read again", () => {
  const { receiver, received, handlers, deliver } = makeReceiver(4);
  for (let i = 0; i < RECEIVE_BATCH_MESSAGES + 2; i++) deliver("192.0.2.1", 80, [i]);
  receiver.receive({
    ...handlers,
    onDatagram(from, bytes) {
      handlers.onDatagram(from, bytes);
      receiver.stop();
    },
  });
  receiver.receive(handlers);
  assert.deepEqual(
    received.map(({ bytes }) => bytes),
    [[0]],
  );
  assert.equal(libc.inbox.length, 2);
});

test("where messages come one by one, more is looked for now and then only, until there is more", () => {
  const { receiver, received, handlers, deliver } = makeReceiver(4);
  let looks = 0;
  const { recvmmsg } = libc;
  libc.recvmmsg = (...values) => {
    looks++;
    return recvmmsg.apply(libc, values);
  };
  try {
    for (let i = 0; i < 100; i++) receiver.receive(handlers);
    assert.ok(looks < 30, `${looks} looks after 100 single messages`);
    // A burst is found by the next look at the latest, and from then on each message is followed by one.
    for (let i = 0; i < 8 && received.length === 0; i++) {
      deliver("192.0.2.1", 80, [i]);
      receiver.receive(handlers);
    }
    assert.ok(received.length > 0);
    looks = 0;
    receiver.receive(handlers);
    assert.equal(looks, 1);
  } finally {
    libc.recvmmsg = recvmmsg;
  }
});

/** A receiver that has dgram's place as soon as it is told, and what dgram was told to do. */
function makeWatcher(family: 4 | 6 = 4) {
  const made = makeReceiver(family);
  const told: string[] = [];
  const dgram = { recvStop: () => void told.push("stop"), recvStart: () => void told.push("start") };
  return { ...made, told, dgram };
}

test("dgram reads until libuv has told for the first time, and then no more", () => {
  const { receiver, received, handlers, deliver, told, dgram } = makeWatcher();
  receiver.takeOver(handlers, dgram);
  assert.deepEqual(told, []);
  for (let i = 0; i < 3; i++) {
    deliver("192.0.2.1", 80, [i]);
    libc.tell?.(true);
  }
  assert.deepEqual(told, ["stop"]);
  assert.equal(received.length, 3);
  receiver.stop();
  assert.equal(libc.tell, undefined);
  assert.equal(libc.open.size, 0, "the watched descriptor is closed, after its watch");
});

for (const [family, name, level, type, value] of [
  [4, "IPv4, whose option has one byte", 0, 1, [0xa8]],
  [6, "IPv6", 41, 67, [0xb8, 0, 0, 0]],
  [6, "IPv4 on a socket of both families", 0, 1, [0x00]],
] as const) {
  test(`the codepoint of ECN comes with each message: ${name}`, () => {
    const { receiver, handlers, told, dgram } = makeWatcher(family);
    const codepoints: (Ecn | undefined)[] = [];
    receiver.takeOver({ ...handlers, onDatagram: (_from, _bytes, codepoint) => codepoints.push(codepoint) }, dgram);
    const sender = kernelAddress(family, "192.0.2.1", 80) as Uint8Array;
    const segment = [17, 104, [0xb0, 4, 0, 0]] as const;
    const message = (...control: (readonly [number, number, readonly number[]])[]): void => {
      libc.inbox.push({ name: sender, data: Uint8Array.of(1), control });
    };
    for (let codepoint = 0; codepoint < 4; codepoint++) {
      const [first = 0, ...rest] = value;
      message([level, type, [first + codepoint, ...rest]]);
      message(segment, [level, type, [first + codepoint, ...rest]]);
    }
    message();
    message(segment);
    libc.tell?.(true);
    assert.deepEqual(codepoints, [0, 0, 1, 1, 2, 2, 3, 3, 0, 0]);
    assert.deepEqual(told, ["stop"]);
  });
}

test("as long as dgram reads as well, which cannot tell, no codepoint is told", () => {
  const { receiver, handlers } = makeReceiver(4);
  const codepoints: (Ecn | undefined)[] = [];
  const name = kernelAddress(4, "192.0.2.1", 80) as Uint8Array;
  libc.inbox.push({ name, data: Uint8Array.of(1), control: [[0, 1, [2]]] });
  receiver.receive({ ...handlers, onDatagram: (_from, _bytes, codepoint) => codepoints.push(codepoint) });
  assert.deepEqual(codepoints, [0]);
});

test("a burst longer than one call takes is read whole in one turn", () => {
  const { receiver, received, handlers, deliver, dgram } = makeWatcher();
  receiver.takeOver(handlers, dgram);
  for (let i = 0; i < 100; i++) deliver("192.0.2.1", i + 1, [i, i]);
  libc.tell?.(true);
  assert.deepEqual(
    received.map(({ from, bytes }) => [from.port, bytes[0]]),
    Array.from({ length: 100 }, (_, i) => [i + 1, i]),
  );
});

test("a flood that libuv tells of is read in small parts, so that other sockets have their turn between", () => {
  for (const lengthBytes of [60_000, 1_200, 0]) {
    const { receiver, received, handlers, deliver, dgram } = makeWatcher();
    receiver.takeOver(handlers, dgram);
    const data = new Array<number>(lengthBytes).fill(1);
    for (let i = 0; i < 600; i++) deliver("192.0.2.1", 80, data);
    const parts: number[] = [];
    for (let before = 0; libc.inbox.length > 0; before = received.length) {
      libc.tell?.(true);
      parts.push(received.length - before);
    }
    const costBytes = Math.max(lengthBytes, 1_024);
    // What the first call of all asks for is not yet known to be large.
    assert.ok((parts[0] as number) * costBytes <= SOCKET_TURN_BYTES + RECEIVE_BATCH_MESSAGES * costBytes);
    for (const messages of parts.slice(1)) {
      assert.ok(messages * costBytes < SOCKET_TURN_BYTES + costBytes, `${messages} messages of ${lengthBytes} bytes`);
    }
    assert.equal(received.length, 600);
    receiver.stop();
  }
});

test("a descriptor that libuv gives up, or that cannot be read so, is dgram's again for good", () => {
  for (const [error, readable] of [
    [0, false],
    [constants.errno.ENOSYS, true],
  ] as const) {
    const { receiver, received, handlers, deliver, told, dgram } = makeWatcher();
    receiver.takeOver(handlers, dgram);
    deliver("192.0.2.1", 80, [1]);
    libc.tell?.(true);
    libc.receiveError = error;
    libc.tell?.(readable);
    assert.deepEqual(told, ["stop", "start"]);
    assert.equal(libc.tell, undefined);
    assert.equal(libc.open.size, 0);
    // From here on dgram tells of each first message, as it does where nothing can be watched.
    libc.receiveError = 0;
    deliver("192.0.2.1", 80, [2]);
    receiver.receive(handlers);
    assert.equal(received.length, 2);
  }
});

test("that all was read is told once for all that a turn brought, and not for a turn that brought nothing", () => {
  const { receiver, allRead, handlers, deliver, dgram } = makeWatcher();
  receiver.takeOver(handlers, dgram);
  for (let i = 0; i < 3; i++) deliver("192.0.2.1", 80, [i]);
  libc.tell?.(true);
  libc.tell?.(true);
  deliver("192.0.2.1", 80, [3]);
  libc.tell?.(true);
  assert.deepEqual(allRead, [3, 4]);
});

test("a flow of large packets is read some packets at a time where the machine behind it has patience", () => {
  /** The clock is the real one: four packets a millisecond, looked for whenever the receiver is told. @returns the pauses in so long, in ms. */
  const pausesOf = (patienceMs: number | undefined, limitMs: number): number[] => {
    const { receiver, dgram } = makeWatcher();
    libc.pausesMs.length = 0;
    const handlers = { onDatagram() {}, onAllRead() {}, onReady() {} };
    receiver.takeOver(patienceMs === undefined ? handlers : { ...handlers, patienceMs: () => patienceMs }, dgram);
    const message = { name: kernelAddress(4, "192.0.2.1", 80) as Uint8Array, data: new Uint8Array(1_400) };
    const startMs = performance.now();
    for (let i = 0, ms = 0; ms < limitMs && libc.pausesMs.length < 20; ms = performance.now() - startMs) {
      for (; i < ms * 4; i++) libc.inbox.push(message);
      libc.fireTimer(performance.now());
      if (libc.inbox.length > 0) libc.tell?.(true);
    }
    receiver.stop();
    return libc.pausesMs.filter((ms) => ms > 0);
  };
  libc.hasTimer = true;
  const pauses = pausesOf(10, 2_000);
  assert.ok(pauses.length > 10, `${pauses.length} pauses`);
  for (const ms of pauses) assert.ok(ms > 0.5 && ms <= 1, `${ms} ms`);
  assert.deepEqual(pausesOf(undefined, 60), [], "in a quarter of a millisecond there is but one");
  libc.hasTimer = false;
  assert.deepEqual(pausesOf(10, 60), []);
});

test("a turn for nothing is no reason to give anything up", () => {
  const { receiver, handlers, told, dgram } = makeWatcher();
  receiver.takeOver(handlers, dgram);
  for (let i = 0; i < 3; i++) libc.tell?.(true);
  assert.deepEqual(told, ["stop"]);
});

test("where nothing can be watched dgram goes on", () => {
  const { receiver, handlers, told, dgram } = makeWatcher();
  libc.watches = false;
  receiver.takeOver(handlers, dgram);
  assert.deepEqual(told, []);
  assert.equal(libc.open.size, 0);
  receiver.stop();
});

test("a socket that is closed by what it received is not read again, and its watch is gone", () => {
  const { receiver, received, handlers, deliver, told, dgram } = makeWatcher();
  for (let i = 0; i < 3; i++) deliver("192.0.2.1", 80, [i]);
  receiver.takeOver(
    {
      ...handlers,
      onDatagram(from, bytes) {
        handlers.onDatagram(from, bytes);
        receiver.stop();
      },
    },
    dgram,
  );
  libc.tell?.(true);
  assert.equal(received.length, 1);
  assert.deepEqual(told, ["stop"]);
  assert.equal(libc.open.size, 0);
});

test("what a handler throws does not go into libuv, and is not lost", () => {
  const script = `
    import { MemoryLibc } from ${JSON.stringify(new URL("./memory-libc.js", import.meta.url))};
    import { OffloadReceiver } from ${JSON.stringify(new URL("../../src/io/offload-receiver.js", import.meta.url))};
    const libc = new MemoryLibc(8);
    const receiver = new OffloadReceiver({ libc, fd: 7, family: 4, counters: {}, parse: () => ({}) });
    const dgram = { recvStop() {}, recvStart() {} };
    receiver.takeOver({ onDatagram() { throw new Error("a fault"); }, onAllRead() {}, onReady() {} }, dgram);
    libc.inbox.push({ name: new Uint8Array(16).fill(1), data: Uint8Array.of(1) });
    libc.tell(true);
    process.on("uncaughtException", (error) => process.stdout.write("told: " + error.message));
  `;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(child.stdout, "told: a fault", child.stderr);
});
