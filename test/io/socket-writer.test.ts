// Writing past Node's streams: what is taken arrives once and in its place, and wherever anything is in the way nothing is taken.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { loadLibc } from "../../src/io/libc.ts";
import { SocketWriter } from "../../src/io/socket-writer.ts";

const libc = loadLibc();
const skip = libc === undefined ? "there is no koffi for this machine" : false;

async function connectedPair(t: TestContext): Promise<{ near: Socket; far: Socket }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const near = connect(address.port, "127.0.0.1");
  const [far] = (await once(server, "connection")) as [Socket];
  if (near.connecting) await once(near, "connect");
  for (const socket of [near, far]) socket.on("error", () => {});
  t.after(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test("what the kernel takes arrives, between what Node itself writes", { skip }, async (t) => {
  const { near, far } = await connectedPair(t);
  const writer = new SocketWriter(near);
  assert.equal(writer.write(Buffer.from("one ")), 4);
  near.write("two ");
  assert.equal(writer.write(Buffer.from("three")), 5);
  near.end();
  assert.equal((await readAll(far)).toString(), "one two three");
});

test("of what is more than the kernel has room for it takes a part, and then nothing until Node's own bytes are gone", {
  skip,
}, async (t) => {
  const { near, far } = await connectedPair(t);
  const writer = new SocketWriter(near);
  const much = Buffer.alloc(64 * 1024 * 1024, 7);
  const taken = writer.write(much);
  assert.ok(taken > 0 && taken < much.length, `${taken} of ${much.length}`);
  assert.equal(writer.write(Buffer.from("x")), 0);
  near.write(much.subarray(taken));
  assert.ok(near.writableLength > 0);
  assert.equal(writer.write(Buffer.from("overtakes")), 0);
  near.end("end");
  const received = await readAll(far);
  assert.equal(received.length, much.length + 3);
  assert.equal(received.subarray(-3).toString(), "end");
});

test("nothing is taken while Node holds bytes back, after an end, and when the socket is gone", { skip }, async (t) => {
  const { near, far } = await connectedPair(t);
  const writer = new SocketWriter(near);
  near.cork();
  assert.equal(writer.write(Buffer.from("x")), 0);
  near.uncork();
  near.end();
  assert.equal(writer.write(Buffer.from("x")), 0);
  assert.equal((await readAll(far)).length, 0);

  const other = (await connectedPair(t)).near;
  const late = new SocketWriter(other);
  other.destroy();
  assert.equal(late.write(Buffer.from("x")), 0, "the number may be another socket's by now");
});

test("a reset of the peer is Node's to tell", { skip }, async (t) => {
  const { near, far } = await connectedPair(t);
  const writer = new SocketWriter(near);
  far.resetAndDestroy();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(writer.write(Buffer.from("x")), 0);
});

test("without the C library Node writes all", async (t) => {
  const { near } = await connectedPair(t);
  assert.equal(new SocketWriter(near, null).write(Buffer.from("x")), 0);
});
