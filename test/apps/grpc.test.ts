// gRPC by its JavaScript library: the four kinds of calls, a deadline that passes, and a call that is cancelled.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { type CallOptions, type Client, type ClientReadableStream, type ServiceError, status } from "@grpc/grpc-js";
import { tunnelTo } from "./app-tunnel.ts";
import { bytesService, connectToBytesService, type Silence, startBytesService } from "./grpc-service.ts";

/** Long enough for the call's first message on a busy machine. */
const DEADLINE_MS = 2000;
const NOTICE_LIMIT_MS = 5000;

async function deploy(t: TestContext): Promise<{ client: Client; silence: Silence }> {
  const { server, port, silence } = await startBytesService();
  const client = connectToBytesService(await tunnelTo(t, port));
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  return { client, silence };
}

const asItIs = (message: Buffer): Buffer => message;
const pathOf = (name: string): string => String(bytesService[name]?.path);

async function receiveAll(stream: ClientReadableStream<Buffer>): Promise<Buffer[]> {
  const received: Buffer[] = [];
  stream.on("data", (message: Buffer) => received.push(message));
  await once(stream, "end");
  return received;
}

function ask(client: Client, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(pathOf("unary"), asItIs, asItIs, message, (error, answer) =>
      error === null ? resolve(answer as Buffer) : reject(error),
    );
  });
}

const silent = (client: Client, options: CallOptions): ClientReadableStream<Buffer> =>
  client.makeServerStreamRequest(pathOf("never"), asItIs, asItIs, Buffer.alloc(0), options);

async function failure(stream: ClientReadableStream<Buffer>): Promise<ServiceError> {
  const [error] = (await once(stream, "error")) as [ServiceError];
  return error;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const endMs = performance.now() + NOTICE_LIMIT_MS;
  while (!holds()) {
    assert.ok(performance.now() < endMs, `${what} within ${NOTICE_LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("gRPC through the tunnel", async (t) => {
  const { client, silence } = await deploy(t);
  await t.test("a hundred unary calls at once each get their own answer", async () => {
    const messages = Array.from({ length: 100 }, () => randomBytes(20_000));
    const answers = await Promise.all(messages.map((message) => ask(client, message)));
    assert.deepEqual(
      answers,
      messages.map((message) => Buffer.from(message).reverse()),
    );
  });

  await t.test("a server's stream comes whole and in order", async () => {
    const path = pathOf("serverStream");
    const received = await receiveAll(client.makeServerStreamRequest(path, asItIs, asItIs, Buffer.from("5000")));
    assert.deepEqual(
      received.map(String),
      Array.from({ length: 5000 }, (_, index) => String(index)),
    );
  });

  await t.test("a client's stream arrives whole and in order", async () => {
    const messages = Array.from({ length: 200 }, () => randomBytes(10_000));
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const call = client.makeClientStreamRequest(pathOf("clientStream"), asItIs, asItIs, (error, given) =>
        error === null ? resolve(given as Buffer) : reject(error),
      );
      for (const message of messages) call.write(message);
      call.end();
    });
    assert.deepEqual(answer, Buffer.concat(messages));
  });

  await t.test("in a stream both ways each message is answered before the next one is sent", async () => {
    const call = client.makeBidiStreamRequest(pathOf("bidirectional"), asItIs, asItIs);
    for (let round = 0; round < 100; round++) {
      const message = randomBytes(1 + round * 100);
      call.write(message);
      const [answer] = (await once(call, "data")) as [Buffer];
      assert.deepEqual(answer, Buffer.from(message).reverse());
    }
    call.end();
    await once(call, "end");
  });

  await t.test("a deadline that passes ends the call on both sides, and the next call has its answer", async () => {
    const before = silence.cancelled;
    const call = silent(client, { deadline: Date.now() + DEADLINE_MS });
    const [first] = (await once(call, "data")) as [Buffer];
    assert.equal(String(first), "only this");
    assert.equal((await failure(call)).code, status.DEADLINE_EXCEEDED);
    await until("the server hears of it", () => silence.cancelled === before + 1);
    assert.equal(String(await ask(client, Buffer.from("abc"))), "cba");
  });

  await t.test("a call that is cancelled ends on both sides, and the next call has its answer", async () => {
    const before = silence.cancelled;
    const call = silent(client, {});
    const [first] = (await once(call, "data")) as [Buffer];
    assert.equal(String(first), "only this");
    const failed = failure(call);
    call.cancel();
    assert.equal((await failed).code, status.CANCELLED);
    await until("the server hears of it", () => silence.cancelled === before + 1);
    assert.equal(String(await ask(client, Buffer.from("abc"))), "cba");
  });
});
