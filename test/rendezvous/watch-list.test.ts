// Waiting for a peer that is not here.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PRESENT_BATCH, PRESENT_INTERVAL_MS, WATCHES_PER_AGENT_MAX } from "../../src/base/limits.ts";
import { type Watch, type Watcher, WatchList } from "../../src/rendezvous/watch-list.ts";

class FakeWatcher implements Watcher {
  readonly watches = new Map<string, Watch>();
}

function drain(list: WatchList<FakeWatcher>, nowMs: number): FakeWatcher[] {
  const told: FakeWatcher[] = [];
  for (let notice = list.pollNotice(nowMs); notice !== undefined; notice = list.pollNotice(nowMs)) {
    told.push(notice.watcher);
  }
  return told;
}

test("whoever waits is told once when the peer comes", () => {
  const list = new WatchList<FakeWatcher>();
  const watcher = new FakeWatcher();
  list.add(watcher, { peerKey: "p", selector: "s" });
  list.arrived("p", "other");
  assert.deepEqual(drain(list, 0), []);
  list.arrived("p", "s");
  assert.deepEqual(list.pollNotice(0), { watcher, watch: { peerKey: "p", selector: "s" } });
  list.arrived("p", "s");
  assert.deepEqual(drain(list, 1_000), []);
});

test("whoever found the peer meanwhile, or is gone, is not told", () => {
  const list = new WatchList<FakeWatcher>();
  const [found, gone, late] = [new FakeWatcher(), new FakeWatcher(), new FakeWatcher()];
  for (const watcher of [found, gone, late]) list.add(watcher, { peerKey: "p", selector: "s" });
  list.delete(found, "p", "s");
  list.arrived("p", "s");
  list.leave(gone);
  assert.deepEqual(drain(list, 0), [late]);
});

test("notices to many are paced", () => {
  const list = new WatchList<FakeWatcher>();
  const watchers = Array.from({ length: PRESENT_BATCH * 2 + 1 }, () => new FakeWatcher());
  for (const watcher of watchers) list.add(watcher, { peerKey: "p", selector: "s" });
  list.arrived("p", "s");
  assert.equal(drain(list, 0).length, PRESENT_BATCH);
  assert.equal(list.pollTimeout(), PRESENT_INTERVAL_MS);
  assert.equal(drain(list, PRESENT_INTERVAL_MS - 1).length, 0);
  assert.equal(drain(list, PRESENT_INTERVAL_MS).length, PRESENT_BATCH);
  assert.equal(drain(list, 2 * PRESENT_INTERVAL_MS).length, 1);
  assert.equal(list.pollTimeout(), Number.POSITIVE_INFINITY);
});

test("an agent that waits for too many peers loses its oldest wish", () => {
  const list = new WatchList<FakeWatcher>();
  const watcher = new FakeWatcher();
  for (let i = 0; i <= WATCHES_PER_AGENT_MAX; i++) list.add(watcher, { peerKey: `p${i}`, selector: "s" });
  assert.equal(watcher.watches.size, WATCHES_PER_AGENT_MAX);
  list.arrived("p0", "s");
  assert.deepEqual(drain(list, 0), []);
  list.arrived("p1", "s");
  assert.deepEqual(drain(list, 0), [watcher]);
});

test("asking twice is waiting once", () => {
  const list = new WatchList<FakeWatcher>();
  const watcher = new FakeWatcher();
  list.add(watcher, { peerKey: "p", selector: "s" });
  list.add(watcher, { peerKey: "p", selector: "s" });
  list.arrived("p", "s");
  assert.deepEqual(drain(list, 0), [watcher]);
});
