// The UDP socket on loopback: both families on one port, batches split into packets, and errors that end nothing.

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { formatSocketAddress, socketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import { RouteTable } from "../../src/base/route.ts";
import type { DatagramSocket } from "../../src/io/datagram-socket.ts";
import { openUdpSocket } from "../../src/io/udp-socket.ts";

const routes = new RouteTable();

interface Received {
  readonly from: string;
  readonly bytes: number[];
}

async function open(t: TestContext, host?: string): Promise<{ socket: DatagramSocket; received: Received[] }> {
  const socket = await openUdpSocket(host === undefined ? { log: silentLog } : { host, log: silentLog });
  const received: Received[] = [];
  socket.start({
    onDatagram: (from, bytes) => received.push({ from: formatSocketAddress(from), bytes: [...bytes] }),
    onReady() {},
  });
  t.after(() => socket.close());
  return { socket, received };
}

function send(socket: DatagramSocket, host: string, port: number, bytes: number[], segmentBytes = bytes.length): void {
  const to = socketAddress(host, port);
  assert.ok(to !== undefined);
  socket.transmit.begin(routes.direct(to));
  socket.transmit.buffer.set(bytes);
  socket.transmit.lengthBytes = bytes.length;
  socket.transmit.segmentBytes = segmentBytes;
  socket.send();
}

test("one socket talks to IPv4 and IPv6, and calls an IPv4 peer by its IPv4 address", async (t) => {
  const both = await open(t);
  const four = await open(t, "127.0.0.1");
  if (!both.socket.families.includes(6)) {
    // A machine without IPv6: the one socket is an IPv4 one and works.
    send(four.socket, "127.0.0.1", both.socket.localPort, [4]);
    await sleep(50);
    assert.equal(both.received.length, 1);
    return;
  }
  const six = await open(t, "::1");
  send(four.socket, "127.0.0.1", both.socket.localPort, [4]);
  send(six.socket, "::1", both.socket.localPort, [6]);
  send(both.socket, "127.0.0.1", four.socket.localPort, [44]);
  send(both.socket, "::1", six.socket.localPort, [66]);
  await sleep(50);
  assert.deepEqual(
    both.received.sort((a, b) => (a.bytes[0] as number) - (b.bytes[0] as number)),
    [
      { from: `127.0.0.1:${four.socket.localPort}`, bytes: [4] },
      { from: `[::1]:${six.socket.localPort}`, bytes: [6] },
    ],
  );
  assert.deepEqual(four.received, [{ from: `127.0.0.1:${both.socket.localPort}`, bytes: [44] }]);
  assert.deepEqual(six.received, [{ from: `[::1]:${both.socket.localPort}`, bytes: [66] }]);
});

test("a batch leaves as packets of its segment size, the last one shorter", async (t) => {
  const a = await open(t, "127.0.0.1");
  const b = await open(t, "127.0.0.1");
  send(a.socket, "127.0.0.1", b.socket.localPort, [1, 2, 3, 4, 5], 2);
  await sleep(50);
  assert.deepEqual(
    b.received.map(({ bytes }) => bytes),
    [[1, 2], [3, 4], [5]],
  );
});

test("a buffer may be filled again as soon as it was sent, however fast", async (t) => {
  const a = await open(t, "127.0.0.1");
  const b = await open(t, "127.0.0.1");
  let sent = 0;
  for (let i = 0; i < 400 && a.socket.ready; i++) {
    send(a.socket, "127.0.0.1", b.socket.localPort, new Array(1000).fill(i % 251));
    sent++;
  }
  await sleep(100);
  assert.ok(b.received.length > 0 && b.received.length <= sent);
  for (const { bytes } of b.received) assert.ok(bytes.every((byte) => byte === bytes[0]));
});

test("a packet that the kernel refuses is counted, and the next one goes", async (t) => {
  const a = await open(t, "127.0.0.1");
  const b = await open(t, "127.0.0.1");
  // A socket that is bound to loopback reaches no other network.
  send(a.socket, "192.0.2.1", 9, [1]);
  send(a.socket, "::1", 9, [1]);
  send(a.socket, "127.0.0.1", b.socket.localPort, [2]);
  await sleep(50);
  assert.deepEqual(
    b.received.map(({ bytes }) => bytes),
    [[2]],
  );
  assert.ok(a.socket.counters.sendErrors >= 1, `${a.socket.counters.sendErrors} errors`);
});

test("a port that is in use is the caller's to know", async (t) => {
  const a = await open(t, "127.0.0.1");
  const again = openUdpSocket({ host: "127.0.0.1", port: a.socket.localPort, log: silentLog });
  await assert.rejects(again, { code: "EADDRINUSE" });
});

test("sending on a closed socket is nothing", async (t) => {
  const a = await open(t, "127.0.0.1");
  a.socket.close();
  send(a.socket, "127.0.0.1", 9, [1]);
  a.socket.close();
});
