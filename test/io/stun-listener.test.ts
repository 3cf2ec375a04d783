// STUN over TCP: answered in whatever pieces it comes, and bounded in every direction.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { socketAddress } from "../../src/base/address.ts";
import {
  STUN_CONNECTION_REQUESTS_MAX,
  STUN_CONNECTIONS_PER_HOST_MAX,
  STUN_MESSAGE_BYTES_MAX,
} from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { StunListener } from "../../src/io/stun-listener.ts";
import { StunResponder } from "../../src/rendezvous/stun-responder.ts";
import { decodeStun, encodeStun, type StunMessage } from "../../src/wire/stun.ts";

async function listen(t: TestContext): Promise<() => Promise<Socket>> {
  const listener = new StunListener({ responder: new StunResponder([]), log: silentLog });
  const port = 20_000 + (process.pid % 20_000);
  await listener.listen(0, "127.0.0.1", port);
  const clients: Socket[] = [];
  t.after(() => {
    listener.close();
    for (const client of clients) client.destroy();
  });
  return async () => {
    const client = connect(port, "127.0.0.1");
    client.on("error", () => {});
    clients.push(client);
    await once(client, "connect");
    return client;
  };
}

const request = (fields: Partial<StunMessage> = {}): Uint8Array =>
  encodeStun({ class: "request", transactionId: new Uint8Array(12).fill(7), fingerprint: false, ...fields });

/** @returns all that comes until `bytes` are there or the other side has closed. */
async function read(client: Socket, bytes: number): Promise<Buffer> {
  let all = Buffer.alloc(0);
  while (all.length < bytes && !client.destroyed) {
    await Promise.race([once(client, "readable"), once(client, "close")]);
    all = Buffer.concat([all, (client.read() as Buffer | null) ?? Buffer.alloc(0)]);
  }
  return all;
}

test("requests are answered in turn, whole, cut or joined", async (t) => {
  const client = await (await listen(t))();
  const two = Buffer.concat([request(), request()]);
  const cuts = [0, 1, 19, 20, 33, two.length];
  for (const [i, cut] of cuts.slice(1).entries()) {
    client.write(two.subarray(cuts[i], cut));
    await sleep(5);
  }
  const answers = await read(client, 64);
  const mapped = socketAddress("127.0.0.1", client.localPort ?? 0);
  for (const at of [0, 32]) assert.deepEqual(decodeStun(answers.subarray(at, at + 32))?.xorMappedAddress, mapped);
});

test("what is no binding request ends the connection", async (t) => {
  const connectOne = await listen(t);
  for (const bytes of [request({ class: "indication" }), Buffer.alloc(STUN_MESSAGE_BYTES_MAX + 1, "GET / ")]) {
    const client = await connectOne();
    client.write(bytes);
    assert.equal((await read(client, 1)).length, 0);
  }
});

test("one connection gets so many answers and no more", async (t) => {
  const client = await (await listen(t))();
  client.write(Buffer.concat(Array.from({ length: STUN_CONNECTION_REQUESTS_MAX + 5 }, () => request())));
  assert.ok((await read(client, Number.POSITIVE_INFINITY)).length <= 32 * STUN_CONNECTION_REQUESTS_MAX);
});

test("one host gets so many connections and no more, and a place is free again behind one that has ended", async (t) => {
  const connectOne = await listen(t);
  const clients: Socket[] = [];
  for (let i = 0; i < STUN_CONNECTIONS_PER_HOST_MAX; i++) clients.push(await connectOne());
  const refused = await connectOne();
  refused.write(request());
  assert.equal((await read(refused, 1)).length, 0);
  const [first] = clients as [Socket];
  first.destroy();
  await sleep(200);
  const next = await connectOne();
  next.write(request());
  assert.equal((await read(next, 32)).length, 32);
});
