// Reading of sockets, those that were accepted and those that connected: every byte in order, pauses, and the end.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { WRITE_CHUNK_BYTES } from "../../src/base/limits.ts";
import { readSocket } from "../../src/io/socket-reader.ts";

interface Pair {
  readonly accepted: Socket;
  readonly connected: Socket;
  close(): void;
}

async function socketPair(): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connected = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  connected.once("connect", () => connected.pause());
  const [[accepted]] = (await Promise.all([once(server, "connection"), once(connected, "connect")])) as [[Socket], []];
  const close = (): void => {
    accepted.destroy();
    connected.destroy();
    server.close();
  };
  return { accepted, connected, close };
}

/** Reads to the end. @returns copies of the chunks. */
function readAll(socket: Socket, onChunk: (bytes: Uint8Array) => void = () => {}): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  const isShared = readSocket(socket, (bytes) => {
    chunks.push(bytes.slice());
    onChunk(bytes);
  });
  assert.ok(isShared, "this Node keeps the option onread where it is looked for");
  socket.resume();
  return new Promise((resolve, reject) => {
    socket.once("end", () => resolve(chunks));
    socket.once("error", reject);
  });
}

for (const reader of ["accepted", "connected"] as const) {
  test(`a socket that ${reader === "accepted" ? "was accepted" : "has connected"} is read to its end, whatever two others do`, async () => {
    const pairs = await Promise.all([socketPair(), socketPair(), socketPair()]);
    const sent = pairs.map(() => randomBytes(3_000_000));
    const received = pairs.map((pair) => readAll(pair[reader]));
    pairs.forEach((pair, i) => {
      pair[reader === "accepted" ? "connected" : "accepted"].end(sent[i] as Buffer);
    });
    for (const [i, chunks] of (await Promise.all(received)).entries()) {
      assert.equal(Buffer.compare(Buffer.concat(chunks), sent[i] as Buffer), 0);
      assert.ok(chunks.every((chunk) => chunk.length <= WRITE_CHUNK_BYTES));
    }
    for (const pair of pairs) pair.close();
  });
}

test("a socket is read in chunks as large as they are wanted at the time, and every byte in order", async () => {
  const { accepted, connected, close } = await socketPair();
  const sent = randomBytes(3_000_000);
  const sizes = [WRITE_CHUNK_BYTES, 8 * 1024, 20_000, 100_000];
  let reads = 0;
  const wanted = (): number => sizes[reads % sizes.length] as number;
  const chunks: Uint8Array[] = [];
  readSocket(
    accepted,
    (bytes) => {
      assert.ok(bytes.length <= wanted(), `${bytes.length} bytes for ${wanted()}`);
      chunks.push(bytes.slice());
      reads++;
    },
    wanted,
  );
  accepted.resume();
  connected.end(sent);
  await once(accepted, "end");
  assert.equal(Buffer.compare(Buffer.concat(chunks), sent), 0);
  assert.ok(
    chunks.some((chunk) => chunk.length > 64 * 1024),
    "large ones are used where they are wanted",
  );
  close();
});

test("a paused socket hands on nothing until it is resumed, and nothing is missing", async () => {
  const { accepted, connected, close } = await socketPair();
  const sent = randomBytes(2_000_000);
  let pauses = 0;
  let isPaused = false;
  const received = readAll(accepted, () => {
    assert.ok(!isPaused, "a pause is kept");
    accepted.pause();
    pauses++;
    isPaused = true;
    setTimeout(() => {
      isPaused = false;
      accepted.resume();
    }, 1);
  });
  connected.end(sent);
  assert.equal(Buffer.compare(Buffer.concat(await received), sent), 0);
  assert.ok(pauses >= sent.length / WRITE_CHUNK_BYTES);
  close();
});

test("a socket that always has more is read once in a turn of the event loop, as the others are", async () => {
  const pairs = await Promise.all([socketPair(), socketPair()]);
  let turn = 0;
  let isOver = false;
  const nextTurn = (): void => {
    turn++;
    if (!isOver) setImmediate(nextTurn);
  };
  const turnsOfReads = pairs.map((): number[] => []);
  const received = pairs.map((pair, i) => readAll(pair.accepted, () => turnsOfReads[i]?.push(turn)));
  for (const { connected } of pairs) connected.end(randomBytes(4_000_000));
  nextTurn();
  await Promise.all(received);
  isOver = true;
  for (const pair of pairs) pair.close();
  for (const turns of turnsOfReads) {
    assert.equal(new Set(turns).size, turns.length, `turns of reads: ${turns.join(" ")}`);
    assert.ok(turns.length >= 4_000_000 / WRITE_CHUNK_BYTES);
  }
});

test("what only looks like a socket is read by its events", () => {
  const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const chunks: Uint8Array[] = [];
  assert.equal(
    readSocket(duplex as unknown as Socket, (bytes) => chunks.push(bytes)),
    false,
  );
  duplex.push(Buffer.from("abc"));
  duplex.read(0);
  return new Promise<void>((resolve) => {
    setImmediate(() => {
      assert.equal(Buffer.concat(chunks).toString(), "abc");
      resolve();
    });
  });
});

test("a socket that has an option onread of its own keeps it", () => {
  const options = { onread: { buffer: new Uint8Array(10), callback: () => true } };
  const isShared = readSocket(new Socket(options as object), () => {});
  assert.equal(isShared, false);
});
