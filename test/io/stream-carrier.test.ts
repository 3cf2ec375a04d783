// A stream in place of a socket: what is sent arrives as packets, a slow other side keeps nobody waiting, and one that sends
// anything else is dropped.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { SocketAddress } from "../../src/base/address.ts";
import { STREAM_QUEUE_BYTES_MAX } from "../../src/base/limits.ts";
import { RouteTable } from "../../src/base/route.ts";
import { QueueBudget } from "../../src/io/packet-queue.ts";
import { PacketSplitter } from "../../src/io/packet-splitter.ts";
import type { StreamCarrier } from "../../src/io/stream-carrier.ts";
import { tcpCarrier } from "../../src/io/tcp-carrier.ts";
import { packetLength, readPacketNumber, writeDataHeader } from "../../src/wire/datagram.ts";
import { until } from "./condition-wait.ts";

const remote: SocketAddress = { family: 4, host: "192.0.2.1", port: 4700 };
const route = new RouteTable().direct(remote, 1 << 20);

function numbered(number: number, lengthBytes = 1200): Uint8Array {
  const bytes = new Uint8Array(lengthBytes).fill(number & 0xff);
  writeDataHeader(bytes, 0, 0, lengthBytes, 7, 1, number);
  return bytes;
}

interface Pair {
  readonly carrier: StreamCarrier;
  readonly other: Socket;
  readonly received: { readonly from: SocketAddress; readonly bytes: Uint8Array }[];
  readonly closed: number[];
}

/** A carrier on one end of a real TCP connection, and the bare other end. */
async function pair(context: TestContext): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [other] = (await once(server, "connection")) as [Socket];
  await once(socket, "connect");
  other.on("error", () => {});
  context.after(() => {
    socket.destroy();
    other.destroy();
    server.close();
  });
  const received: Pair["received"] = [];
  const closed: number[] = [];
  const budget = new QueueBudget();
  const carrier = tcpCarrier(socket, { remote, budget, onClosed: () => closed.push(budget.usedBytes) });
  carrier.start({
    onDatagram: (from, bytes) => received.push({ from, bytes: Uint8Array.from(bytes) }),
    onAllRead() {},
    onReady: () => assert.fail("it is always ready"),
  });
  return { carrier, other, received, closed };
}

/** Sends what the machine wants sent, as the driver does. */
function send(carrier: StreamCarrier, ...packets: Uint8Array[]): void {
  const { transmit } = carrier;
  transmit.begin(route);
  for (const packet of packets) {
    transmit.buffer.set(packet, transmit.lengthBytes);
    transmit.lengthBytes += packet.length;
  }
  transmit.segmentBytes = packets[0]?.length ?? 0;
  assert.ok(carrier.ready);
  carrier.send();
}

test("a batch arrives as its packets, back to back", async (context) => {
  const { carrier, other } = await pair(context);
  const packets = [numbered(1), numbered(2), numbered(3, 100)];
  send(carrier, ...packets);
  const [bytes] = (await once(other, "data")) as [Buffer];
  assert.deepEqual(new Uint8Array(bytes), new Uint8Array(Buffer.concat(packets)));
});

test("packets come in from the carrier's one other side, however they were cut", async (context) => {
  const { other, received } = await pair(context);
  const packet = numbered(5, 300);
  other.setNoDelay(true);
  other.write(packet.subarray(0, 7));
  await sleep(20);
  other.write(packet.subarray(7));
  await until(() => received.length === 1);
  assert.deepEqual(received[0]?.bytes, packet);
  assert.equal(received[0]?.from, remote);
});

test("an other side that does not read makes nobody wait and holds a bounded queue, from which the oldest packets go", async (context) => {
  const { carrier, other } = await pair(context);
  other.pause();
  const total = 40_000;
  for (let number = 0; number < total; number += 20) {
    send(carrier, ...Array.from({ length: 20 }, (_, i) => numbered(number + i)));
    assert.ok(carrier.heldBytes <= STREAM_QUEUE_BYTES_MAX);
    if (number % 2_000 === 0) await sleep(0);
  }
  assert.ok(carrier.counters.sendErrors > 0, "something had to be dropped");

  const numbers: number[] = [];
  const splitter = new PacketSplitter((bytes) => {
    for (let at = 0; at < bytes.length; at += packetLength(bytes, at, bytes.length)) {
      numbers.push(readPacketNumber(bytes, at));
    }
  });
  other.on("data", (bytes: Buffer) => assert.ok(splitter.push(bytes), "only whole packets were dropped"));
  other.resume();
  await until(() => numbers.at(-1) === total - 1);
  assert.equal(numbers.length + carrier.counters.sendErrors, total);
  assert.deepEqual(
    numbers.slice(-100),
    Array.from({ length: 100 }, (_, i) => total - 100 + i),
  );
  await until(() => carrier.heldBytes === 0);
});

test("whoever sends anything but packets is cut off, once", async (context) => {
  const { carrier, other, received, closed } = await pair(context);
  other.write(numbered(1, 40));
  await until(() => received.length === 1);
  other.resume();
  other.write("GET / HTTP/1.1\r\n\r\n");
  await Promise.all([once(other, "end"), until(() => closed.length > 0)]);
  other.write(numbered(2, 40));
  await sleep(20);
  assert.deepEqual([received.length, closed, carrier.counters.receiveErrors], [1, [0], 1]);
});

test("one that is closed sends what waits, takes what is under way, and says so when it is gone", async (context) => {
  const { carrier, other, received, closed } = await pair(context);
  let bytes = 0;
  other.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  for (let i = 0; i < 200; i++) send(carrier, numbered(i));
  carrier.close();
  send(carrier, numbered(999));
  await once(other, "end");
  assert.equal(bytes, 200 * 1200);
  other.end(numbered(7));
  await until(() => closed.length === 1);
  assert.deepEqual(
    received.map((datagram) => datagram.bytes),
    [numbered(7)],
  );
});

test("when the other side goes, that is told once and nothing is held any more", async (context) => {
  const { carrier, other, closed } = await pair(context);
  other.pause();
  for (let i = 0; i < 5_000; i++) send(carrier, numbered(i));
  other.resetAndDestroy();
  await until(() => closed.length > 0);
  send(carrier, numbered(1));
  carrier.close();
  await sleep(20);
  assert.deepEqual(closed, [0]);
  assert.equal(carrier.heldBytes, 0);
});
