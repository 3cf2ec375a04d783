// The local port: connections that wait for the tunnel, and connections beyond what the process may have.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FORWARD_CONNECTIONS_MAX } from "../../src/base/limits.ts";
import type { Log } from "../../src/base/log.ts";
import { silentLog } from "../../src/base/log.ts";
import { ConnectionQuota } from "../../src/io/connection-quota.ts";
import { LocalListener } from "../../src/io/local-listener.ts";
import { WaitingConnections } from "../../src/io/waiting-connections.ts";
import { Deferred, ending, readAll } from "./memory-tunnel.ts";

async function listen(
  t: TestContext,
  onConnection: (socket: Socket) => void,
  max = 100,
  log: Log = silentLog,
): Promise<() => Promise<Socket>> {
  const listener = new LocalListener({ log, quota: new ConnectionQuota(log, max), onConnection });
  const port = await listener.listen("127.0.0.1", 0);
  const clients: Socket[] = [];
  t.after(() => {
    for (const client of clients) client.destroy();
    listener.close();
  });
  return async () => {
    const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    clients.push(client);
    client.on("error", () => {});
    await once(client, "connect");
    return client;
  };
}

test("what a program wrote before anybody took its connection is not lost", async (t) => {
  const waiting = new WaitingConnections();
  const dial = await listen(t, (socket) => waiting.add(socket));
  const client = await dial();
  client.end("early words");
  await sleep(200);
  assert.equal(waiting.size, 1);
  const socket = waiting.oldest() as Socket;
  assert.equal(socket.bytesRead, 0, "nothing is read while it waits");
  waiting.remove(socket);
  assert.equal(String(await readAll(socket)), "early words");
  socket.destroy();
});

test("the list of those who wait is bounded, and its oldest is reset", async (t) => {
  const waiting = new WaitingConnections(2);
  const dial = await listen(t, (socket) => waiting.add(socket));
  const first = ending(await dial());
  await dial();
  await dial();
  assert.equal(await first, "ECONNRESET");
  assert.equal(waiting.size, 2);
  waiting.resetAll();
  assert.equal(waiting.size, 0);
});

test("connections beyond the limit are refused, that is said once, and later ones are taken again", async (t) => {
  const said: string[] = [];
  const accepted: Socket[] = [];
  const third = new Deferred<void>();
  const log: Log = { ...silentLog, warn: (message) => said.push(message) };
  const dial = await listen(
    t,
    (socket) => {
      accepted.push(socket);
      if (accepted.length === 3) third.resolve();
    },
    2,
    log,
  );
  await dial();
  await dial();
  for (let i = 0; i < 3; i++) await ending(await dial());
  assert.equal(accepted.length, 2);
  assert.equal(said.length, 1);
  accepted[0]?.destroy();
  await sleep(20);
  await dial();
  await third.promise;
});

test("that all room is taken is said again only after there was clearly more", () => {
  const said: string[] = [];
  const quota = new ConnectionQuota({ ...silentLog, warn: (message) => said.push(message) }, 100);
  const refuseAt = (...counts: number[]): number => {
    for (const open of counts) if (!quota.hasRoom(open)) quota.onRefused();
    return said.length;
  };
  assert.equal(refuseAt(99, 100, 100, 99, 100), 1);
  assert.equal(refuseAt(50, 99, 100, 100), 2);
});

test("the process's limit leaves descriptors for other things", () => {
  const { max } = new ConnectionQuota(silentLog);
  assert.ok(max >= 1 && max <= FORWARD_CONNECTIONS_MAX);
});
