// What dgram hides: found on a bound socket of this Node, and missed without harm.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { dgramHandle } from "../../src/io/dgram-handle.ts";

test("a bound socket stops reading when it is told to, sends meanwhile, and reads on", async (t) => {
  const socket = createSocket("udp4");
  t.after(() => socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  const received: number[] = [];
  socket.on("message", (bytes) => received.push(bytes[0] as number));
  const handle = dgramHandle(socket);
  assert.ok(
    handle !== undefined,
    "this version of Node keeps the handle elsewhere: dgram goes on reading, at more cost",
  );
  handle.recvStop();
  socket.send(Uint8Array.of(7), port, "127.0.0.1");
  await sleep(50);
  assert.deepEqual(received, []);
  handle.recvStart();
  await once(socket, "message");
  assert.deepEqual(received, [7]);
});

test("where there is no handle that is known, there is none", () => {
  const socket = createSocket("udp4");
  socket.close();
  assert.equal(dgramHandle(socket), undefined);
  const state = Symbol("state symbol");
  for (const other of [
    {},
    { [state]: undefined },
    { [state]: { handle: null } },
    { [state]: { handle: { recvStop() {} } } },
  ]) {
    assert.equal(dgramHandle(other as never), undefined);
  }
});
