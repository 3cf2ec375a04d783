// The UDP socket on loopback, on dgram alone, with offload where dgram tells that something came, and where libuv does: both families on one port, batches split into packets, and errors
// that end nothing.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { formatSocketAddress, type SocketAddress, socketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import { RouteTable } from "../../src/base/route.ts";
import type { DatagramSocket } from "../../src/io/datagram-socket.ts";
import { loadLibc } from "../../src/io/libc.ts";
import { openUdpSocket, type UdpSocketOptions } from "../../src/io/udp-socket.ts";

const routes = new RouteTable();

interface Received {
  readonly sender: SocketAddress;
  readonly from: string;
  readonly bytes: number[];
}

interface OpenSocket {
  readonly socket: DatagramSocket;
  readonly received: Received[];
}

type Open = (
  host?: string,
  options?: Partial<UdpSocketOptions>,
  onReceived?: (socket: DatagramSocket) => void,
) => Promise<OpenSocket>;

const lacking = loadLibc() === undefined ? "koffi is not here, or the machine is not known" : false;

/** The kinds of socket, by what their tests are called. */
const kinds = {
  "on dgram": { offload: false },
  "with offload, told by dgram": { offload: true, watch: false },
  "with offload": { offload: true },
} satisfies Record<string, Partial<UdpSocketOptions>>;

async function openSocket(
  t: TestContext,
  kind: Partial<UdpSocketOptions>,
  host?: string,
  options?: Partial<UdpSocketOptions>,
  onReceived?: (socket: DatagramSocket) => void,
): Promise<OpenSocket> {
  const socket = await openUdpSocket({ ...(host && { host }), log: silentLog, ...kind, ...options });
  const received: Received[] = [];
  socket.start({
    onDatagram(from, bytes) {
      received.push({ sender: from, from: formatSocketAddress(from), bytes: [...bytes] });
      onReceived?.(socket);
    },
    onAllRead() {},
    onReady() {},
  });
  t.after(() => socket.close());
  return { socket, received };
}

/** A test of each kind of socket. */
function testAll(claim: string, body: (t: TestContext, open: Open) => Promise<void> | void): void {
  for (const [name, kind] of Object.entries(kinds)) {
    test(`${name}: ${claim}`, { skip: kind.offload && lacking }, (t) =>
      body(t, (...rest) => openSocket(t, kind, ...rest)),
    );
  }
}

function send(
  socket: DatagramSocket,
  host: string,
  port: number,
  bytes: ArrayLike<number>,
  segmentBytes?: number,
): void {
  const to = socketAddress(host, port);
  assert.ok(to !== undefined);
  socket.transmit.begin(routes.direct(to));
  socket.transmit.buffer.set(bytes);
  socket.transmit.lengthBytes = bytes.length;
  socket.transmit.segmentBytes = segmentBytes ?? bytes.length;
  socket.send();
}

/** Waits until `count` bytes came, or for so long that they will not. */
async function receivedBytes({ received }: OpenSocket, count: number): Promise<number[]> {
  for (let i = 0; i < 50 && received.reduce((sum, { bytes }) => sum + bytes.length, 0) < count; i++) await sleep(10);
  return received.flatMap(({ bytes }) => bytes);
}

testAll("one socket talks to IPv4 and IPv6, and calls an IPv4 peer by its IPv4 address", async (t, open) => {
  const both = await open();
  if (!both.socket.families.includes(6)) return t.skip("no IPv6 here");
  const four = await open("127.0.0.1");
  const six = await open("::1");
  send(four.socket, "127.0.0.1", both.socket.localPort, [4]);
  send(six.socket, "::1", both.socket.localPort, [6]);
  send(both.socket, "127.0.0.1", four.socket.localPort, [44]);
  send(both.socket, "::1", six.socket.localPort, [66]);
  await sleep(200);
  const seen = ({ received }: OpenSocket) => received.map(({ from, bytes }) => ({ from, bytes }));
  assert.deepEqual(
    seen(both).sort((a, b) => (a.bytes[0] as number) - (b.bytes[0] as number)),
    [
      { from: `127.0.0.1:${four.socket.localPort}`, bytes: [4] },
      { from: `[::1]:${six.socket.localPort}`, bytes: [6] },
    ],
  );
  assert.deepEqual(seen(four), [{ from: `127.0.0.1:${both.socket.localPort}`, bytes: [44] }]);
  assert.deepEqual(seen(six), [{ from: `[::1]:${both.socket.localPort}`, bytes: [66] }]);
});

testAll("a batch leaves as packets of its segment size, the last one shorter", async (_t, open) => {
  const both = await open();
  for (const host of both.socket.families.includes(6) ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
    // A receiver that joins nothing shows the packets as they came over the wire.
    const receiver = await open(host, { offload: false });
    const sameFamily = await open(host);
    for (const sender of [both, sameFamily]) {
      receiver.received.length = 0;
      send(sender.socket, host, receiver.socket.localPort, [1, 2, 3, 4, 5], 2);
      send(sender.socket, host, receiver.socket.localPort, [6, 7, 8, 9], 2);
      send(sender.socket, host, receiver.socket.localPort, [10, 11], 2);
      await receivedBytes(receiver, 11);
      const packets = receiver.received.map(({ bytes }) => bytes);
      assert.deepEqual(packets, [[1, 2], [3, 4], [5], [6, 7], [8, 9], [10, 11]], host);
    }
  }
});

test("with offload: a batch is handed over in one call, and so are packets that the kernel joined", {
  skip: lacking,
}, async (t) => {
  const [a, b] = [await openSocket(t, {}, "127.0.0.1"), await openSocket(t, {}, "127.0.0.1")];
  send(a.socket, "127.0.0.1", b.socket.localPort, new Uint8Array(64_000), 1_000);
  await receivedBytes(b, 64_000);
  assert.deepEqual(
    b.received.map(({ bytes }) => bytes.length),
    [64_000],
  );
});

test("TUNNEL_TEST_NO_OFFLOAD=1 leaves everything to dgram", { skip: lacking }, () => {
  const script = `
    const { openUdpSocket } = await import(${JSON.stringify(new URL("../../src/io/udp-socket.js", import.meta.url))});
    const socket = await openUdpSocket({ host: "127.0.0.1", log: console });
    process.stdout.write(String(socket.neverFragments));
    socket.close();
  `;
  for (const [value, offload] of [["1", false] as const, ["", true] as const]) {
    const env = { ...process.env, TUNNEL_TEST_NO_OFFLOAD: value };
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", env });
    assert.ok(child.stdout.endsWith(String(offload)), child.stdout + child.stderr);
  }
});

testAll("packets of every size and number arrive byte for byte, in order", async (_t, open) => {
  const a = await open("127.0.0.1");
  const b = await open("127.0.0.1");
  const batches = [
    [1, 1],
    [65_507, 65_507],
    [65_507, 1_200],
    [64 * 1_000, 1_000],
    [65 * 900 + 1, 900],
    [1_505, 10],
    [100, 99],
    [30_000, 29_999],
  ] as const;
  for (const [lengthBytes, segmentBytes] of batches) {
    b.received.length = 0;
    const bytes = Uint8Array.from({ length: lengthBytes }, (_, i) => (i * 31 + segmentBytes) % 253);
    send(a.socket, "127.0.0.1", b.socket.localPort, bytes, segmentBytes);
    const arrived = await receivedBytes(b, lengthBytes);
    assert.equal(Buffer.compare(Buffer.from(arrived), bytes), 0, `${lengthBytes} bytes by ${segmentBytes}`);
    for (const [i, message] of b.received.entries()) {
      const isLast = i === b.received.length - 1;
      assert.ok(isLast || message.bytes.length % segmentBytes === 0, "packets are joined whole");
    }
  }
  assert.equal(a.socket.counters.sendErrors, 0);
  const packets = batches.reduce((sum, [lengthBytes, segmentBytes]) => sum + Math.ceil(lengthBytes / segmentBytes), 0);
  assert.equal(a.socket.counters.sentDatagrams, packets);
});

testAll("many senders are told apart, and each is one object", async (_t, open) => {
  const b = await open();
  const hosts = b.socket.families.includes(6) ? ["127.0.0.1", "::1"] : ["127.0.0.1"];
  const senders = await Promise.all([...hosts, ...hosts].map((host) => open(host)));
  for (let i = 0; i < 90; i++) {
    const { socket } = senders[i % senders.length] as OpenSocket;
    send(socket, socket.localHost, b.socket.localPort, [i]);
    if (i % 30 === 29) await receivedBytes(b, i + 1);
  }
  assert.equal((await receivedBytes(b, 90)).length, 90);
  for (const { from, bytes } of b.received) {
    const { socket } = senders[(bytes[0] as number) % senders.length] as OpenSocket;
    assert.equal(from, formatSocketAddress(socketAddress(socket.localHost, socket.localPort) as SocketAddress));
  }
  assert.equal(new Set(b.received.map(({ sender }) => sender)).size, senders.length);
});

testAll("a socket may be closed by what it received", async (_t, open) => {
  const a = await open("127.0.0.1");
  const b = await open("127.0.0.1", {}, (socket) => socket.close());
  for (let i = 0; i < 5; i++) send(a.socket, "127.0.0.1", b.socket.localPort, [i]);
  await sleep(200);
  assert.deepEqual(
    b.received.map(({ bytes }) => bytes),
    [[0]],
  );
});

testAll("a buffer may be filled again as soon as it was sent, however fast", async (_t, open) => {
  const a = await open("127.0.0.1");
  const b = await open("127.0.0.1");
  let sent = 0;
  for (let i = 0; i < 400 && a.socket.ready; i++) {
    send(a.socket, "127.0.0.1", b.socket.localPort, new Array(1000).fill(i % 251));
    sent++;
  }
  await sleep(100);
  const packets = b.received.flatMap(({ bytes }) =>
    Array.from({ length: bytes.length / 1000 }, (_, i) => bytes.slice(i * 1000, i * 1000 + 1000)),
  );
  assert.ok(packets.length > 0 && packets.length <= sent);
  for (const bytes of packets) assert.ok(bytes.every((byte) => byte === bytes[0]));
});

testAll("a packet that the kernel refuses is counted, and the next one goes", async (_t, open) => {
  const a = await open("127.0.0.1");
  const b = await open("127.0.0.1");
  // A socket that is bound to loopback reaches no other network.
  send(a.socket, "192.0.2.1", 9, [1]);
  send(a.socket, "::1", 9, [1]);
  send(a.socket, "127.0.0.1", b.socket.localPort, [2]);
  await sleep(200);
  assert.deepEqual(
    b.received.map(({ bytes }) => bytes),
    [[2]],
  );
  assert.ok(a.socket.counters.sendErrors >= 1, `${a.socket.counters.sendErrors} errors`);
});

testAll("a port where nobody listens ends nothing", async (_t, open) => {
  const a = await open("127.0.0.1");
  const b = await open("127.0.0.1");
  const gone = await open("127.0.0.1");
  gone.socket.close();
  for (let i = 0; i < 3; i++) {
    send(a.socket, "127.0.0.1", gone.socket.localPort, new Array(3000).fill(i), 1000);
    await sleep(5);
  }
  send(a.socket, "127.0.0.1", b.socket.localPort, [2]);
  assert.deepEqual(await receivedBytes(b, 1), [2]);
});

testAll("a port that is in use is the caller's to know", async (_t, open) => {
  const a = await open("127.0.0.1");
  await assert.rejects(open("127.0.0.1", { port: a.socket.localPort }), { code: "EADDRINUSE" });
});

testAll("no other program can share the port", async (t, open) => {
  const a = await open("127.0.0.1");
  const other = createSocket({ type: "udp4", reuseAddr: true });
  t.after(() => other.close());
  other.bind(a.socket.localPort, "127.0.0.1");
  await assert.rejects(once(other, "listening"), { code: "EADDRINUSE" });
});

testAll("sending on a closed socket is nothing", async (_t, open) => {
  const a = await open("127.0.0.1");
  const b = await open("127.0.0.1");
  a.socket.close();
  send(a.socket, "127.0.0.1", b.socket.localPort, [1]);
  a.socket.close();
  await sleep(20);
  assert.deepEqual(b.received, []);
});

test("a socket that is told by libuv holds the process up until it is closed, and no longer", { skip: lacking }, () => {
  const script = `
    import { openUdpSocket } from ${JSON.stringify(new URL("../../src/io/udp-socket.js", import.meta.url))};
    import { readdirSync, readlinkSync } from "node:fs";
    const log = { debug() {}, info() {} };
    const sockets = () =>
      readdirSync("/proc/self/fd")
        .map((fd) => {
          try {
            return readlinkSync("/proc/self/fd/" + fd);
          } catch {
            return ""; // The one that was read with.
          }
        })
        .filter((link) => link.startsWith("socket:"));
    const before = sockets();
    const socket = await openUdpSocket({ host: "127.0.0.1", log });
    const ours = sockets().filter((link) => !before.includes(link));
    if (ours.length === 0) process.stdout.write("not seen ");
    socket.start({
      async onDatagram(from, bytes) {
        if (bytes[0] === 1) return;
        // Nothing else happens in this process any more that would have promises go on.
        await Promise.resolve();
        socket.close();
        process.on("exit", () => process.stdout.write(sockets().some((link) => ours.includes(link)) ? "left open" : "closed"));
      },
      onAllRead() {}, onReady() {},
    });
    const { createSocket } = await import("node:dgram");
    const other = createSocket("udp4");
    other.send(Uint8Array.of(1), socket.localPort, "127.0.0.1", () =>
      setTimeout(() => other.send(Uint8Array.of(2), socket.localPort, "127.0.0.1", () => {}), 50),
    );
    other.unref();
  `;
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.equal(child.stdout + child.stderr, "closed");
  assert.equal(child.status, 0);
});
