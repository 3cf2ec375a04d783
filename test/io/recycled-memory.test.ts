// Memory that is used again, under all that a network and programs do to it at once: two endpoints on real sockets with loss and
// reordering between them, programs that send, pause, half-close and reset. Each direction of each connection carries bytes of its
// own key, so that a foreign byte is found; what is given back or has been handled is written over at once, so that whoever still
// looks at it is found out, and a block that is given back twice is a failure by itself.

import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { socketAddress } from "../../src/base/address.ts";
import { silentLog } from "../../src/base/log.ts";
import { randomBytes } from "../../src/base/random.ts";
import { RouteTable } from "../../src/base/route.ts";
import { createIdentity } from "../../src/crypto/identity.ts";
import { bestPacketCipher } from "../../src/crypto/packet-cipher.ts";
import { ConnectionQuota } from "../../src/io/connection-quota.ts";
import type { DatagramHandlers, DatagramSocket } from "../../src/io/datagram-socket.ts";
import { Driver } from "../../src/io/driver.ts";
import { loadLibc } from "../../src/io/libc.ts";
import { LocalListener } from "../../src/io/local-listener.ts";
import { monotonicNowMs } from "../../src/io/monotonic-clock.ts";
import { systemRandom } from "../../src/io/system-random.ts";
import { TcpForwarder } from "../../src/io/tcp-forwarder.ts";
import { openUdpSocket } from "../../src/io/udp-socket.ts";
import { type BlockPool, receiveBlocks, sendBlocks } from "../../src/transport/block-pool.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { Endpoint, type EndpointEvent, NO_PSK, NO_SECRET_TAG } from "../../src/transport/endpoint.ts";
import { packetLength } from "../../src/wire/datagram.ts";
import { SeededRandom } from "../sim/seeded-random.ts";

const POISON = 0xdb;
const CONNECTIONS = 100;
const AT_ONCE = 12;
const BYTES_MAX = 4_000_000;
const HEADER_BYTES = 12;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const libc = loadLibc();
const lacking = libc === undefined ? "koffi is not here, or the machine is not known" : false;

/** Blocks that are given back are written over; one that is given back twice is told of. */
function poison(t: TestContext, pool: BlockPool): { given: number; twice: number } {
  const counts = { given: 0, twice: 0 };
  const free = new WeakSet<Uint8Array>();
  const give = pool.give.bind(pool);
  const take = pool.take.bind(pool);
  pool.give = (block) => {
    counts.given++;
    if (free.has(block)) counts.twice++;
    free.add(block);
    block.fill(POISON);
    give(block);
  };
  pool.take = (bytes) => {
    const block = take(bytes);
    free.delete(block);
    return block;
  };
  t.after(() => Object.assign(pool, { give, take }));
  return counts;
}

/** Byte `offset` of the direction with this key. */
function byteOf(key: number, offset: number): number {
  const mixed = Math.imul(key ^ Math.imul(offset >>> 2, 0x9e3779b1), 0x85ebca6b);
  return ((mixed ^ (mixed >>> 15)) >>> ((offset & 3) * 5)) & 0xff;
}

function bytesOf(key: number, start: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = byteOf(key, start + i);
  return bytes;
}

/** A socket whose received messages get lost or late, and whose memory is written over when they have been handled. */
function troubled(socket: DatagramSocket, random: SeededRandom): DatagramSocket {
  const start = socket.start.bind(socket);
  socket.start = (handlers: DatagramHandlers) =>
    start({
      onAllRead: () => handlers.onAllRead(),
      onReady: () => handlers.onReady(),
      onDatagram: (from, bytes) => {
        if (random.chance(0.02)) return;
        if (random.chance(0.02)) {
          const late = bytes.slice();
          setTimeout(
            () => {
              handlers.onDatagram(from, late);
              handlers.onAllRead();
            },
            random.between(0, 8),
          );
        } else {
          handlers.onDatagram(from, bytes);
        }
        bytes.fill(POISON);
      },
    });
  return socket;
}

class Side {
  readonly routes = new RouteTable();
  readonly identity = createIdentity(systemRandom);
  readonly endpoint: Endpoint;
  readonly forwarder: TcpForwarder;
  readonly driver: Driver<EndpointEvent>;
  readonly socket: DatagramSocket;
  onFault: (error: unknown) => void = () => {};
  private readonly targetPort: number;

  constructor(socket: DatagramSocket, targetPort: number) {
    this.socket = socket;
    this.targetPort = targetPort;
    this.endpoint = new Endpoint({
      identity: this.identity,
      instance: randomBytes(systemRandom, 8),
      random: systemRandom,
      cipher: bestPacketCipher(),
      log: silentLog,
      admit: () => ({ psk: NO_PSK }),
      settings: { datagramBytesMax: 65_507 },
    });
    const { endpoint, routes } = this;
    this.driver = new Driver<EndpointEvent>({
      socket,
      machine: {
        handleDatagram(nowMs, from, bytes) {
          for (let at = 0; at < bytes.length; ) {
            const length = packetLength(bytes, at, bytes.length);
            if (length === 0) return;
            endpoint.handlePacket(nowMs, routes.direct(from), bytes, at, at + length);
            at += length;
          }
        },
        handleTimeout: (nowMs) => endpoint.handleTimeout(nowMs),
        pollTimeout: () => endpoint.pollTimeout(),
        pollTransmit: (nowMs, out) => endpoint.pollTransmit(nowMs, out),
        pollEvent: () => endpoint.pollEvent(),
      },
      onEvent: (_nowMs, event) => this.onEvent(event),
      onFault: (error) => this.onFault(error),
    });
    this.forwarder = new TcpForwarder({
      log: silentLog,
      nowMs: monotonicNowMs,
      wake: () => this.driver.wake(),
      settle: () => this.driver.settle(),
      quota: new ConnectionQuota(silentLog, 1_000),
    });
    this.driver.start();
  }

  private onEvent({ event }: EndpointEvent): void {
    if (event.type === "stream") {
      this.forwarder.accept(event.stream, { kind: "tcp", host: "127.0.0.1", port: this.targetPort });
    } else if (event.type === "readable") this.forwarder.onReadable(event.stream);
    else if (event.type === "writable") this.forwarder.onWritable(event.stream);
    else if (event.type === "stream-reset") this.forwarder.onStreamReset(event.stream);
    else if (event.type === "stop-sending") this.forwarder.onStopSending(event.stream);
  }

  close(): void {
    this.forwarder.resetAll();
    this.driver.stop();
    this.socket.close();
  }
}

/** What one end of a connection does: it sends and expects the bytes of a key each, in its own manner. */
interface Part {
  readonly sendKey: number;
  readonly sendBytes: number;
  readonly expectKey: number;
  readonly expectBytes: number;
}

/** How the part ended. */
type Ending = "clean" | "reset";

async function play(
  socket: Socket,
  part: Part,
  random: SeededRandom,
  skipBytes: number,
  failures: string[],
): Promise<Ending> {
  const resetsAt = random.chance(0.12) ? random.integer(0, part.sendBytes) : Number.POSITIVE_INFINITY;
  const waitsForEnd = random.chance(0.2);
  let received = 0;
  let wasReset = false;
  let isLazy = random.chance(0.3);
  const pauses = random.chance(0.5) ? random.between(0, 0.1) : 0;
  socket.on("data", (chunk: Buffer) => {
    for (let i = 0; i < chunk.length; i++) {
      if (chunk[i] === byteOf(part.expectKey, received + i)) continue;
      failures.push(
        `key ${part.expectKey}: byte ${received + i} is ${chunk[i]}, not ${byteOf(part.expectKey, received + i)}`,
      );
      socket.destroy();
      return;
    }
    received += chunk.length;
    if (!isLazy && !random.chance(pauses)) return;
    socket.pause();
    setTimeout(() => socket.resume(), isLazy ? 400 : random.between(0, 20));
    isLazy = false;
  });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const ended = new Promise<void>((resolve) => socket.once("end", () => resolve()));
  socket.on("error", () => {
    wasReset = true;
  });
  socket.resume();
  if (waitsForEnd && skipBytes === 0) await Promise.race([ended, closed, sleep(300)]);
  const reuse = Buffer.alloc(300_000);
  for (let sent = 0; sent < part.sendBytes && !socket.destroyed; ) {
    if (sent >= resetsAt) {
      wasReset = true;
      socket.resetAndDestroy();
      break;
    }
    const count = Math.min(part.sendBytes - sent, random.integer(1, random.pick([10, 2_000, 70_000, 300_000])));
    reuse.set(bytesOf(part.sendKey, sent, count));
    // The next round writes over what this one wrote: that has to be with the kernel by then.
    await Promise.race([
      new Promise<void>((resolve) => socket.write(reuse.subarray(0, count), () => resolve())),
      closed,
    ]);
    sent += count;
    if (random.chance(0.02)) await sleep(random.between(0, 15));
  }
  if (!socket.destroyed) socket.end();
  await closed;
  if (wasReset || received < part.expectBytes) return "reset";
  if (received > part.expectBytes) failures.push(`key ${part.expectKey}: ${received} of ${part.expectBytes} bytes`);
  return "clean";
}

/** Its connections say in their first bytes what they want. */
async function startService(random: SeededRandom, failures: string[], endings: Map<number, Ending>): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    const onReadable = (): void => {
      const header = socket.read(HEADER_BYTES) as Buffer | null;
      if (header === null) return;
      socket.off("readable", onReadable);
      const [key, expectBytes, sendBytes] = [header.readUInt32LE(0), header.readUInt32LE(4), header.readUInt32LE(8)];
      const part = { sendKey: key + 1, sendBytes, expectKey: key, expectBytes };
      void play(socket, part, random.fork(`server ${key}`), 0, failures).then((ending) => endings.set(key, ending));
    };
    socket.on("readable", onReadable);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

for (const offload of [true, false]) {
  const skip = offload && lacking;
  test(`${offload ? "with offload" : "on dgram"}: no byte of memory that was used again is ever seen`, {
    skip,
  }, async (t) => {
    const random = new SeededRandom(1).fork("recycled memory");
    const received = poison(t, receiveBlocks);
    const sent = poison(t, sendBlocks);
    const failures: string[] = [];
    const endings = new Map<number, Ending>();
    const service = await startService(random, failures, endings);
    const open = async (name: string): Promise<DatagramSocket> =>
      troubled(await openUdpSocket({ host: "127.0.0.1", log: silentLog, offload }), random.fork(name));
    const { port } = service.address() as AddressInfo;
    const [a, b] = [new Side(await open("a"), port), new Side(await open("b"), port)];
    t.after(() => {
      a.close();
      b.close();
      service.close();
    });
    const address = socketAddress("127.0.0.1", b.socket.localPort) ?? assert.fail();
    const connection = a.endpoint.connect(monotonicNowMs(), {
      remoteIdentity: b.identity.publicKey,
      psk: NO_PSK,
      secretTag: NO_SECRET_TAG,
      routes: [a.routes.direct(address)],
    }) as Connection;
    a.driver.wake();
    const listener = new LocalListener({
      log: silentLog,
      quota: new ConnectionQuota(silentLog, 1_000),
      onConnection: (socket) => {
        // A kernel that takes little: most of what is written waits in the forwarder's memory.
        const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
        if (random.chance(0.5)) libc?.setOption(fd, SOL_SOCKET, SO_SNDBUF, 16_384);
        const stream = connection.openStream(monotonicNowMs());
        if (stream === undefined) socket.destroy();
        else a.forwarder.attach(stream, socket);
      },
    });
    const localPort = await listener.listen("127.0.0.1", 0);
    t.after(() => listener.close());
    for (let i = 0; i < 200 && connection.state !== "connected"; i++) await sleep(10);
    assert.equal(connection.state, "connected");

    let next = 0;
    let clean = 0;
    const worker = async (): Promise<void> => {
      while (next < CONNECTIONS && failures.length === 0) {
        const key = ++next * 2;
        const own = random.fork(`client ${key}`);
        const size = (): number => own.integer(0, own.pick([0, 500, 20_000, 200_000, BYTES_MAX]));
        const part = { sendKey: key, sendBytes: size(), expectKey: key + 1, expectBytes: size() };
        const socket = connect({ port: localPort, host: "127.0.0.1", allowHalfOpen: true });
        const header = Buffer.alloc(HEADER_BYTES);
        header.writeUInt32LE(key, 0);
        header.writeUInt32LE(part.sendBytes, 4);
        header.writeUInt32LE(part.expectBytes, 8);
        socket.write(header);
        const ending = await play(socket, part, own, HEADER_BYTES, failures);
        for (let i = 0; i < 500 && !endings.has(key) && ending === "clean"; i++) await sleep(10);
        if (ending === "clean" && endings.get(key) === "clean") clean++;
      }
    };
    const fault = new Promise<void>((_, reject) => {
      a.onFault = reject;
      b.onFault = reject;
    });
    await Promise.race([Promise.all(Array.from({ length: AT_ONCE }, worker)), fault]);
    assert.deepEqual(failures, []);
    assert.equal(received.twice + sent.twice, 0, "a block is given back once");
    assert.ok(received.given > 100 && sent.given > 20, `${received.given} and ${sent.given} blocks were used again`);
    assert.ok(clean > CONNECTIONS / 4, `${clean} of ${CONNECTIONS} connections came to a clean end`);
  });
}
