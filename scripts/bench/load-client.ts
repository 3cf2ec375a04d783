// The user of every contender: one kind of load on a TCP address, bounded in count and time, and what it measured as one
// JSON line. It is the same program for all contenders. `load-server.ts` is at the other end.
//
// node load-client.js <host> <port> <order as JSON>

import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { LoadOrder } from "./load-order.ts";
import { percentile } from "./statistics.ts";

const CHUNK_BYTES = 65_536;
const CONNECT_TIMEOUT_MS = 10_000;

const [host = "127.0.0.1", port = "0", orderText = "{}"] = process.argv.slice(2);
const order = JSON.parse(orderText) as LoadOrder;
const say = (fields: Readonly<Record<string, unknown>>): void => console.log(JSON.stringify(fields));

/** Opens a connection and says what it is for. */
function open(command: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), noDelay: true });
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error(`no connection in ${CONNECT_TIMEOUT_MS} ms`)));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.write(`${command}\n`);
      resolve(socket);
    });
  });
}

/** Sends as fast as it is taken; `counted` hears how much has reached the far end. */
function pour(socket: Socket, counted: (bytes: number) => void): void {
  const zeros = Buffer.alloc(CHUNK_BYTES);
  const fill = (): void => {
    while (!socket.destroyed && socket.write(zeros)) {}
  };
  let line = "";
  let before = 0;
  socket.on("data", (chunk: Buffer) => {
    const lines = (line + chunk.toString("latin1")).split("\n");
    line = lines.pop() ?? "";
    const total = Number(lines.at(-1) ?? before);
    counted(total - before);
    before = total;
  });
  socket.on("drain", fill);
  fill();
}

/**
 * Streams in one direction. The warm-up is left out of the rate, but not of the bytes; it begins when data flow, because a forwarder
 * that takes a connection at once may still have to make its own.
 */
async function bulk(direction: "down" | "up", streams: number, warmUpMs: number, durationMs: number): Promise<void> {
  let bytes = 0;
  let flow = (): void => {};
  const flows = new Promise<void>((resolve) => {
    flow = resolve;
  });
  const counted = (more: number): void => {
    bytes += more;
    if (more > 0) flow();
  };
  const sockets = await Promise.all(Array.from({ length: streams }, () => open(direction)));
  let failures = 0;
  for (const socket of sockets) {
    socket.on("error", () => failures++);
    if (direction === "up") pour(socket, counted);
    else socket.on("data", (chunk: Buffer) => counted(chunk.length));
  }
  await flows;
  await sleep(warmUpMs);
  const [startMs, startBytes] = [performance.now(), bytes];
  say({ event: "warm" });
  await sleep(durationMs);
  const seconds = (performance.now() - startMs) / 1000;
  say({ event: "result", bytesPerSecond: (bytes - startBytes) / seconds, bytes, failures });
  for (const socket of sockets) socket.destroy();
}

/** One byte there and back, again and again on one connection. */
async function roundTrips(durationMs: number, countMax: number): Promise<void> {
  const socket = await open("echo");
  const timesMs: number[] = [];
  const byte = Buffer.alloc(1);
  let sentMs = 0;
  const send = (): void => {
    sentMs = performance.now();
    socket.write(byte);
  };
  let endMs = Number.POSITIVE_INFINITY;
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the connection was closed")));
    socket.on("data", () => {
      timesMs.push(performance.now() - sentMs);
      // The first may have waited for a forwarder to connect.
      if (timesMs.length === 1) endMs = performance.now() + durationMs;
      if (performance.now() >= endMs || timesMs.length >= countMax) resolve();
      else send();
    });
    send();
  });
  // The first finds cold code and, on the way, a connection that is only being made.
  const sorted = timesMs.slice(1).sort((a, b) => a - b);
  const [p50Ms, p95Ms, p99Ms, p999Ms] = [0.5, 0.95, 0.99, 0.999].map((part) => percentile(sorted, part));
  say({ event: "result", p50Ms, p95Ms, p99Ms, p999Ms, count: sorted.length });
  socket.removeAllListeners("close");
  socket.destroy();
}

/** Connections one after another in a few lanes, each for one answer of 1 kB. */
async function connections(durationMs: number, countMax: number, lanes: number): Promise<void> {
  const startMs = performance.now();
  let started = 0;
  let done = 0;
  let failures = 0;
  const ask = async (): Promise<number> => {
    const socket = await open("answer");
    let bytes = 0;
    return new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      socket.on("close", () => resolve(bytes));
    });
  };
  const lane = async (): Promise<void> => {
    while (performance.now() - startMs < durationMs && started < countMax) {
      started++;
      const bytes = await ask().catch(() => 0);
      if (bytes === 1000) done++;
      else failures++;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  say({ event: "result", perSecond: done / ((performance.now() - startMs) / 1000), count: done, failures });
}

/** Opens many connections, sends one byte there and back on each, and holds them until its input ends. */
async function crowd(count: number, lanes: number): Promise<void> {
  const startMs = performance.now();
  const held: Socket[] = [];
  let started = 0;
  let failures = 0;
  const greet = async (): Promise<void> => {
    const socket = await open("echo");
    held.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed")));
      socket.once("data", () => resolve());
      socket.write("x");
    });
  };
  const lane = async (): Promise<void> => {
    while (started < count) {
      started++;
      await greet().catch(() => failures++);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  say({ event: "result", openedMs: performance.now() - startMs, failures, open: held.length - failures });
  await new Promise((resolve) => process.stdin.once("end", resolve).resume());
  for (const socket of held) socket.destroy();
}

if (order.load === "bulk") await bulk(order.direction, order.streams, order.warmUpMs, order.durationMs);
else if (order.load === "round-trips") await roundTrips(order.durationMs, order.countMax);
else if (order.load === "connections") await connections(order.durationMs, order.countMax, order.lanes);
else await crowd(order.count, order.lanes);
process.exit(0);
