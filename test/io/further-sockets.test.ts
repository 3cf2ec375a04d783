// Sockets on demand: opened, closed, and closed before they were open.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog } from "../../src/base/log.ts";
import type { DatagramSocket } from "../../src/io/datagram-socket.ts";
import { FurtherSockets } from "../../src/io/further-sockets.ts";

function make() {
  const open = new Map<number, DatagramSocket>();
  const sockets = new FurtherSockets({
    log: silentLog,
    add: (carrier, socket) => open.set(carrier, socket),
    remove: (carrier) => {
      open.get(carrier)?.close();
      open.delete(carrier);
    },
  });
  return { sockets, open };
}

test("sockets are taken in under their numbers, on ports of their own, and closed again", async () => {
  const { sockets, open } = make();
  sockets.open([1000, 1001]);
  await sleep(200);
  assert.deepEqual([...open.keys()].sort(), [1000, 1001]);
  assert.notEqual(open.get(1000)?.localPort, open.get(1001)?.localPort);
  sockets.close([1000]);
  assert.deepEqual([...open.keys()], [1001]);
  sockets.closeAll();
  assert.equal(open.size, 0);
});

test("one that is not wanted any more when it is open is not taken in", async () => {
  const { sockets, open } = make();
  sockets.open([1000]);
  sockets.close([1000]);
  await sleep(200);
  assert.equal(open.size, 0);
});
