// The socket made by hand: what the kernel grants it, what it delivers, and that everything works where it cannot be had.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import Module from "node:module";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { socketAddress } from "../../src/base/address.ts";
import { SOCKET_BUFFER_BYTES } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { RouteTable } from "../../src/base/route.ts";
import { Transmit } from "../../src/base/transmit.ts";
import type { DatagramCounters } from "../../src/io/datagram-socket.ts";
import { type Libc, loadLibc } from "../../src/io/libc.ts";
import { type OffloadSocket, openOffloadSocket } from "../../src/io/offload-socket.ts";

const withoutOffload = loadLibc() === undefined ? "koffi is not here, or the machine is not known" : false;
const routes = new RouteTable();

function open(host: string, libc?: Libc): OffloadSocket {
  const family = host.includes(":") ? "udp6" : "udp4";
  const opened = openOffloadSocket({ host, port: 0, log: silentLog }, () => createSocket(family), libc);
  assert.ok(opened !== undefined, "the kernel has no such socket");
  return opened;
}

/** Sends a batch from one socket to another. @returns the sizes of the messages that came. */
async function messageSizes(from: OffloadSocket, to: Socket, host: string, batch: [number, number]): Promise<number[]> {
  const sizes: number[] = [];
  to.on("message", (bytes) => sizes.push(bytes.length));
  const counters: DatagramCounters = { sentDatagrams: 0, receivedDatagrams: 0, sendErrors: 0, receiveErrors: 0 };
  const address = socketAddress(host, to.address().port);
  assert.ok(address !== undefined);
  const transmit = new Transmit();
  transmit.begin(routes.direct(address));
  [transmit.lengthBytes, transmit.segmentBytes] = batch;
  from.createSender(counters).send(transmit);
  const sum = () => sizes.reduce((total, size) => total + size, 0);
  for (let i = 0; i < 50 && sum() < transmit.lengthBytes; i++) await sleep(10);
  return sizes;
}

test("a batch leaves and arrives in one call each, as large as a datagram can be", {
  skip: withoutOffload,
}, async (t) => {
  for (const [host, to] of [
    ["127.0.0.1", "127.0.0.1"],
    ["::", "127.0.0.1"],
    ["::", "::1"],
  ] as const) {
    const [a, b] = [open(host), open(host)];
    t.after(() => [a, b].map(({ socket }) => socket.close()));
    // dgram reads into 64 KiB, which is as much as the kernel joins: nothing is cut off.
    assert.deepEqual(await messageSizes(a, b.socket, to, [54 * 1_200, 1_200]), [54 * 1_200], `${host} to ${to}`);
    assert.deepEqual(await messageSizes(a, b.socket, to, [2_500, 1_000]), [2_500], `${host} to ${to}`);
  }
});

test("both buffers are as large as was asked, or as the system allows", { skip: withoutOffload }, (t) => {
  const { socket } = open("127.0.0.1");
  t.after(() => socket.close());
  for (const [granted, name] of [
    [socket.getRecvBufferSize(), "rmem_max"],
    [socket.getSendBufferSize(), "wmem_max"],
  ] as const) {
    const allowed = Number(readFileSync(`/proc/sys/net/core/${name}`, "utf8"));
    assert.ok(granted >= 2 * Math.min(allowed, SOCKET_BUFFER_BYTES), `${name}: ${granted}`);
  }
});

test("buffers beyond the system's maximum are asked for first, which only root may", { skip: withoutOffload }, (t) => {
  const libc = loadLibc() as Libc;
  for (const [mayForce, expected] of [
    [true, [33, 32]],
    [false, [33, 8, 32, 7]],
  ] as const) {
    const asked: number[] = [];
    const setOption: Libc["setOption"] = (fd, level, name, value) => {
      if (level !== 1) return libc.setOption(fd, level, name, value);
      if (value === SOCKET_BUFFER_BYTES) asked.push(name);
      return !mayForce && (name === 33 || name === 32) ? -1 : 0;
    };
    const place = { host: "127.0.0.1", port: 0, log: silentLog };
    const opened = openOffloadSocket(place, () => createSocket("udp4"), { ...libc, setOption });
    t.after(() => opened?.socket.close());
    assert.deepEqual(asked, expected);
  }
});

test("a kernel without UDP_SEGMENT or UDP_GRO has the rest", { skip: withoutOffload }, async (t) => {
  const libc = loadLibc() as Libc;
  const old: Libc = {
    ...libc,
    setOption: (fd, level, name, value) => (level === 17 ? -1 : libc.setOption(fd, level, name, value)),
    getOption: (fd, level, name) => (level === 17 ? undefined : libc.getOption(fd, level, name)),
  };
  const [a, b] = [open("127.0.0.1", old), open("127.0.0.1", old)];
  t.after(() => [a, b].map(({ socket }) => socket.close()));
  assert.deepEqual(await messageSizes(a, b.socket, "127.0.0.1", [2_500, 1_000]), [1_000, 1_000, 500]);
});

test("a place that cannot be had is left to the plain socket to explain", { skip: withoutOffload }, async (t) => {
  const { socket } = open("127.0.0.1");
  t.after(() => socket.close());
  const place = { host: "127.0.0.1", port: socket.address().port, log: silentLog };
  assert.equal(
    openOffloadSocket(place, () => createSocket("udp4")),
    undefined,
  );
  assert.equal(
    openOffloadSocket({ ...place, host: "192.0.2.1" }, () => createSocket("udp4")),
    undefined,
  );
});

test("a descriptor that cannot be handed over is closed", { skip: withoutOffload }, async () => {
  const descriptors = () => readFileSync("/proc/self/net/udp", "utf8").split("\n").length;
  const bound = createSocket("udp4").bind(0, "127.0.0.1");
  await once(bound, "listening");
  const before = descriptors();
  // A socket that is bound already takes no other descriptor, and is closed with it.
  assert.equal(
    openOffloadSocket({ host: "127.0.0.1", port: 0, log: silentLog }, () => bound),
    undefined,
  );
  await once(bound, "close");
  assert.ok(descriptors() < before);
});

test("without koffi, or with one that is broken, there is no C library and nothing is thrown", async () => {
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown };
  const original = loader._load;
  const missing = (): never => {
    throw new Error("Cannot find module 'koffi'");
  };
  for (const [i, load] of [missing, () => undefined, () => ({}), () => ({ sizeof: () => 2 })].entries()) {
    loader._load = (request, ...rest) => (request === "koffi" ? load() : original.call(loader, request, ...rest));
    try {
      // A module of its own, which has not loaded anything yet.
      const fresh = new URL(`../../src/io/libc.js?${i}`, import.meta.url);
      const { loadLibc: loadFresh } = (await import(fresh.href)) as { loadLibc: typeof loadLibc };
      assert.equal(loadFresh(), undefined);
    } finally {
      loader._load = original;
    }
  }
});
