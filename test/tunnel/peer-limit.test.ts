// Which connection has to end when others have made too many: see src/tunnel/peer-limit.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PEER_SILENT_MS } from "../../src/base/limits.ts";
import { type CountedConnection, PeerLimit } from "../../src/tunnel/peer-limit.ts";

const NOW_MS = 1_000_000;

interface Counted extends CountedConnection {
  isClosed: boolean;
}

function connection(identity: number, silentMs: number, role: Counted["role"] = "responder"): Counted {
  const remoteIdentity = new Uint8Array(32).fill(identity);
  const heardAtMs = NOW_MS - silentMs;
  const counted: Counted = { role, remoteIdentity, heardAtMs, isClosed: false, close: () => {} };
  return Object.assign(counted, { close: () => (counted.isClosed = true) });
}

/** @returns the indexes of those that had to end, and whether the newcomer may stay. */
function come(others: readonly Counted[], newcomer: Counted): [ended: number[], stays: boolean] {
  const stays = new PeerLimit(4, 2).makeRoom(NOW_MS, newcomer, others);
  return [others.flatMap(({ isClosed }, i) => (isClosed ? [i] : [])), stays];
}

const alive = [1, 2, 3, 4].map((identity) => connection(identity, 1_000 * identity));

test("up to the bound everybody stays", () => {
  assert.deepEqual(come(alive.slice(1), connection(9, 0)), [[], true]);
});

test("where all are alive a newcomer of another identity has to go", () => {
  const newcomer = connection(9, 0);
  assert.deepEqual(come(alive, newcomer), [[], false]);
  assert.equal(newcomer.isClosed, true);
});

test("one that was silent for three keepalives makes room, whoever's it is", () => {
  const silent = connection(5, PEER_SILENT_MS + 1);
  assert.deepEqual(come([...alive.slice(1), silent], connection(9, 0)), [[3], true]);
});

test("an identity with its full number gives up the one of its own that was silent for longest", () => {
  const own = [connection(9, 10), connection(9, 20)];
  assert.deepEqual(come([...alive.slice(2), ...own], connection(9, 0)), [[3], true]);
});

test("connections that we made ourselves count for nothing", () => {
  const made = [1, 2, 3, 4].map((identity) => connection(identity, 0, "initiator"));
  assert.deepEqual(come([...made, ...alive.slice(1)], connection(9, 0)), [[], true]);
  assert.deepEqual(come(alive, connection(9, 0, "initiator")), [[], true]);
});
